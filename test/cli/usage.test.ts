/** What the command line says to wrong calls and to those who ask it: golden text. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expectGolden } from '../rig/golden.ts';
import { pages, project, RECIPE } from '../rig/project.ts';

const CALLS: readonly (readonly string[])[] = [
  [],
  ['bild'],
  ['constructor'],
  ['--json'],
  ['build', '--jsn'],
  ['build', '-x'],
  ['build', '--jobs'],
  ['build', '--jobs', '0'],
  ['build', '--jobs=two'],
  ['build', '--plain=yes'],
  ['build', 'tezt'],
  ['build', '--force', 'tezt'],
  ['build', '--refresh', 'text'],
  ['build', '--recipe', 'other.yaml'],
  ['build', '--recipe', 'docs'],
  ['build', '--profile', 'gpu'],
  ['build', '--set', 'transforms.good.with.min'],
  ['plan', '--keep-going'],
  ['plan', 'tezt'],
  ['explain'],
  ['explain', 'text', 'docs'],
  ['explain', 'tezt'],
  ['show'],
  ['show', 'tezt'],
  ['show', 'text'],
  ['show', 'text.rows', '--rows', '-1'],
  ['trace', 'text'],
  ['trace', 'tezt', 'x'],
  ['trace', 'text', 'x'],
  ['trace', 'text.rowz', 'x'],
  ['trace', 'text', 'x', '--rows', '0'],
  ['graph', '--format', 'png'],
  ['graph', '--format', 'constructor'],
  ['cache'],
  ['cache', 'clear'],
  ['init', 'a', 'b'],
];

test('wrong calls are told what is wrong and what is right, with exit code 2', async () => {
  const p = project({ 'finetune.yaml': RECIPE, ...pages(1) });
  const all: string[] = [];
  for (let i = 0; i < CALLS.length; i += 4) {
    const some = CALLS.slice(i, i + 4);
    const ends = await Promise.all(some.map(call => p.run(call)));
    for (const [j, { code, stdout, stderr }] of ends.entries()) {
      expect.soft(code, some[j]!.join(' ')).toBe(2);
      expect.soft(stdout + stderr, some[j]!.join(' ')).not.toMatch(/\n {4}at |node:internal|undefined|\[object/);
      all.push(`$ finetune ${some[j]!.join(' ')}\n${stdout}${stderr}`);
    }
  }
  expectGolden('cli/usage.txt', all.join('\n').replaceAll(p.folder, '<project>'));
});

test('help of the program and of each command', async () => {
  const p = project({});
  const all: string[] = [];
  for (const call of [
    ['--help'],
    ['build', '--help'],
    ['plan', '-h'],
    ['explain', '--help'],
    ['diff', '--help'],
    ['lock', '--help'],
    ['show', '--help'],
    ['trace', '--help'],
    ['graph', '--help'],
    ['cache', '--help'],
    ['init', '--help'],
  ]) {
    const { code, stdout, stderr } = await p.run(call);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
    all.push(`$ finetune ${call.join(' ')}\n${stdout}`);
  }
  expectGolden('cli/help.txt', all.join('\n'));
});

test('--version is the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(await project({}).run(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
});

test('without a recipe it is said how to start one', async () => {
  const { code, stderr } = await project({}).run(['build']);
  expect(code).toBe(2);
  expect(stderr).toBe(
    'recipe-missing: there is no recipe finetune.yaml\n  start one with "finetune init", or name one with --recipe\n\n',
  );
});
