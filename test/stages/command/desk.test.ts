/** The folders in which commands run: each finds them as if they were new, and none can reach those of another. */
import {
  chmodSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { type Desk, takeDesk } from '../../../stages/command/desk.ts';
import { project } from '../../rig/project.ts';

const { signal } = new AbortController();

/** Desks of a build: one after another. */
const desks = () => {
  const folder = project({}).path('scratch');
  return () => takeDesk(folder, signal);
};

const placed = (desk: Desk, name: string, text: string, mode = 0o644): string => {
  const path = join(desk.files, name);
  desk.folder(dirname(path));
  desk.place(path, Buffer.from(text), mode);
  return path;
};

const inode = (path: string): number => statSync(path).ino;

/** All files and folders on it. */
const all = (desk: Desk): string[] =>
  [desk.files, desk.in, desk.home, desk.out].flatMap(part => readdirSync(part, { recursive: true }) as string[]);

test('files and folders are used again, under other names, and hold what is new and nothing else', async () => {
  const next = desks();
  const first = await next();
  const before = inode(placed(first, 'a/b/long.txt', 'a long text of the command before'));
  first.clear();
  expect(existsSync(first.root)).toBe(false);
  const second = await next();
  expect(second.root).not.toBe(first.root);
  const path = placed(second, 'other/c.txt', 'new');
  expect(readFileSync(path, 'utf8')).toBe('new');
  expect(inode(path)).toBe(before);
  expect(all(second).sort()).toEqual(['other', 'other/c.txt']);
});

test('what a command changed, linked, made, or may not write to is not used again', async () => {
  const next = desks();
  const first = await next();
  const changed = placed(first, 'changed', 'one');
  const linked = placed(first, 'linked', 'one');
  const opened = placed(first, 'opened', 'one');
  placed(first, 'read-only', 'one', 0o444);
  // They stay open, so that their numbers are given to no others.
  const inodes = [changed, linked, opened].map(p => inode(p));
  for (const path of [changed, linked, opened]) openSync(path, 'r');
  writeFileSync(changed, 'two');
  linkSync(linked, join(first.home, 'link'));
  chmodSync(opened, 0o666);
  mkdirSync(join(first.files, 'made/deep'), { recursive: true });
  writeFileSync(join(first.out, 'result'), 'x');
  chmodSync(first.home, 0o500);
  first.clear();
  const second = await next();
  expect(all(second)).toEqual([]);
  expect(statSync(second.home).mode & 0o777).toBe(statSync(second.files).mode & 0o777);
  for (const name of ['a', 'b', 'c']) expect(inodes).not.toContain(inode(placed(second, name, 'x')));
  expect(readFileSync(placed(second, 'd', 'y', 0o444), 'utf8')).toBe('y');
});

test('a link in the place of a folder leads to nothing that is cleared', async () => {
  const p = project({ 'precious/keep.txt': 'kept', 'precious/sub/k': 'kept' });
  const next = desks();
  const first = await next();
  for (const part of [first.out, first.home, first.files]) {
    rmdirSync(part);
    symlinkSync(p.path('precious'), part);
  }
  first.clear();
  expect(p.read('precious/keep.txt') + p.read('precious/sub/k')).toBe('keptkept');
  expect(all(await next())).toEqual([]);
});

test('while something that a command started holds its pipe, nothing is taken from its desk', async () => {
  const next = desks();
  const first = await next();
  const path = placed(first, 'a', 'one');
  const before = inode(path);
  const held = openSync(first.held!, constants.O_WRONLY);
  expect(held).toBeGreaterThan(0);
  first.clear();
  expect(readFileSync(path, 'utf8')).toBe('one');
  const second = await next();
  expect(inode(placed(second, 'a', 'two'))).not.toBe(before);
  expect(second.held).not.toBe(first.held);
});

test('a file that may be run is never one that was placed to be read', async () => {
  const next = desks();
  const first = await next();
  placed(first, 'a', 'one');
  first.clear();
  expect(statSync(placed(await next(), 'run.sh', '#!/bin/sh\n', 0o755)).mode & 0o777).toBe(0o755);
});
