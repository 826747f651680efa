/** The folders in which commands run: each finds them as if they were new. */
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Desk, giveBack, takeDesk } from '../../../stages/command/desk.ts';
import { project } from '../../rig/project.ts';

const bytes = (text: string) => Buffer.from(text);

const placed = (desk: Desk, name: string, text: string, mode = 0o644): string => {
  const path = join(desk.files, name);
  desk.folder(join(path, '..'));
  desk.place(path, bytes(text), mode);
  return path;
};

/** All files and folders on it. */
const all = (desk: Desk): string[] =>
  [desk.files, desk.in, desk.home, desk.out].flatMap(part => readdirSync(part, { recursive: true }) as string[]);

test('files and folders are used again, and hold what is new and nothing else', () => {
  const desk = new Desk(project({}).path('desk'));
  const before = statSync(placed(desk, 'a/b/long.txt', 'a long text of the command before')).ino;
  desk.clear();
  expect(all(desk)).toEqual([]);
  const path = placed(desk, 'other/c.txt', 'new');
  expect(readFileSync(path, 'utf8')).toBe('new');
  expect(statSync(path).ino).toBe(before);
  expect(all(desk).sort()).toEqual(['other', 'other/c.txt']);
});

test('what a command changed, linked or made is not used again', () => {
  const desk = new Desk(project({}).path('desk'));
  const changed = placed(desk, 'changed', 'one');
  const linked = placed(desk, 'linked', 'one');
  const opened = placed(desk, 'opened', 'one');
  writeFileSync(changed, 'two');
  linkSync(linked, join(desk.home, 'link'));
  chmodSync(opened, 0o666);
  mkdirSync(join(desk.files, 'made/deep'), { recursive: true });
  writeFileSync(join(desk.out, 'result'), 'x');
  desk.clear();
  expect(all(desk)).toEqual([]);
  expect(readdirSync(join(desk.root, 'spare')).filter(n => statSync(join(desk.root, 'spare', n)).isFile())).toEqual([]);
});

test('a file that may be run is never one that was placed to be read', () => {
  const desk = new Desk(project({}).path('desk'));
  placed(desk, 'a', 'one');
  desk.clear();
  expect(statSync(placed(desk, 'run.sh', '#!/bin/sh\n', 0o755)).mode & 0o777).toBe(0o755);
});

test('one that cannot be emptied is left alone', () => {
  const folder = project({}).path('scratch');
  const desk = takeDesk(folder);
  rmSync(desk.files, { recursive: true });
  giveBack(folder, desk);
  const next = takeDesk(folder);
  expect(next.root).not.toBe(desk.root);
  giveBack(folder, next);
  expect(takeDesk(folder)).toBe(next);
  expect(existsSync(next.files)).toBe(true);
});
