/** `build --trace` names the files that commands and own stages open without declaring them, and keeps no such result. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openedIn } from '../../src/engine/trace/opened.ts';
import { undeclared } from '../../src/engine/trace/undeclared.ts';
import { type Files, type Project, project } from '../rig/project.ts';

/** Some containers forbid it. */
const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

const recipe = (nodes: Readonly<Record<string, object>>, files: Files = {}): Project => {
  const p = project(files);
  const at = (text: string): string => text.replaceAll('<project>', p.folder);
  const sources = { docs: { uses: 'files', with: { paths: 'docs/*.md' } } };
  p.write({ 'docs/a.md': 'text\n', 'finetune.yaml': at(JSON.stringify({ version: 1, sources, transforms: nodes })) });
  return p;
};

const command = (run: string, more: object = {}) => ({ uses: 'command', with: { run, ...more } });

describe.runIf(canTrace)('a traced build', () => {
  test('refuses what a command makes of files that it does not declare, and names them', async () => {
    const p = recipe(
      {
        good: command(
          'cat data.txt > $OUT/x; sort data.txt > y; ls -R . /usr/share/misc > /dev/null; python3 -c "import json" || true',
          { files: 'data.txt' },
        ),
        reads: command("cat data.txt '<project>/other file é.txt' > $OUT/x", { files: 'data.txt' }),
        lists: command('ls <project>/docs > $OUT/x'),
        writes: command('echo x > $OUT/x; echo x >> <project>/side.txt'),
        runs: command('<project>/tool > $OUT/x'),
        node: command('node script.js > $OUT/x', { files: 'script.js' }),
      },
      {
        'data.txt': 'd',
        'other file é.txt': 'o',
        tool: '#!/bin/sh\necho x\n',
        'package.json': '{}',
        'script.js': 'console.log(1)',
      },
    );
    spawnSync('chmod', ['+x', p.path('tool')]);
    const built = await p.build(['-k', '--trace']);
    expect(built.code).toBe(1);
    const told = Object.fromEntries(
      built.events.flatMap(e =>
        e.type === 'failed' ? [[e.node, [e.failure.reason, ...e.failure.message.split('\n  ').slice(1)]]] : [],
      ),
    );
    expect(told).toEqual({
      reads: ['undeclared-input', 'reads other file é.txt'],
      lists: ['undeclared-input', 'lists docs'],
      writes: ['undeclared-input', 'writes side.txt'],
      runs: ['undeclared-input', 'runs tool', 'reads tool'],
      node: ['undeclared-input', 'reads package.json'],
    });
    expect(built.states).toMatchObject({ good: 'built' });
    // Nothing of it has been recorded: an ordinary build does not know it.
    const plain = await p.build(['-k']);
    expect(plain.states).toEqual({
      ...{ docs: 'cached', good: 'cached' },
      ...{ reads: 'built', lists: 'built', writes: 'built', runs: 'built', node: 'built' },
    });
  });

  test('accepts them once they are declared', async () => {
    const p = recipe({ reads: command('cat other.txt > $OUT/x', { files: 'other.txt' }) }, { 'other.txt': 'o' });
    const built = await p.build(['--trace']);
    expect(built.reasons).toEqual([]);
    expect((await p.build()).states).toEqual({ docs: 'cached', reads: 'cached' });
  });

  test('looks at own stages, too, beyond what they import', async () => {
    const p = recipe(
      { good: { uses: './good.ts', from: 'docs' }, bad: { uses: './bad.ts', from: 'docs' } },
      {
        'package.json': '{"type":"module"}',
        'words.txt': 'w',
        'lib.ts': 'export const twice = (text: string): string => text + text;\n',
        'good.ts':
          "import { twice } from './lib.ts';\nexport const kind = 'rows';\nexport default (f: { text: string }) => ({ ...f, text: twice(f.text) });\n",
        'bad.ts':
          "import { readFileSync } from 'node:fs';\nexport const kind = 'rows';\nexport default (f: object) => ({ ...f, words: readFileSync(new URL('words.txt', import.meta.url), 'utf8') });\n",
      },
    );
    const built = await p.build(['-k', '--trace']);
    expect(built.states).toEqual({ docs: 'built', good: 'built', bad: 'failed' });
    const failed = built.events.find(e => e.type === 'failed');
    expect(failed?.failure).toMatchObject({
      reason: 'undeclared-input',
      message: expect.stringMatching(/\n {2}reads words\.txt$/),
      advice: expect.stringContaining('an option that its schema marks "files"'),
    });
  });

  test('says which nodes it did not look at, because they did not run', async () => {
    const p = recipe({ one: command('echo x > $OUT/x') });
    await p.build();
    const built = await p.build(['--trace']);
    const message = '--trace looks at what runs; not run: one (--force one runs it again)';
    expect(built.events).toContainEqual({ type: 'warn', node: null, message });
    expect((await p.build(['--trace', '--force', 'one'])).events.filter(e => e.type === 'warn')).toEqual([]);
  });
});

test('without strace it says what to install', async () => {
  const p = recipe({ one: command('echo x > $OUT/x') });
  mkdirSync(p.path('bin'));
  symlinkSync(process.execPath, p.path('bin/node'));
  const built = await p.build(['--trace'], { env: { PATH: p.path('bin') } });
  expect(built).toMatchObject({ code: 2, reasons: ['no-tracer'] });
  expect(built.events.at(-2)).toMatchObject({
    failures: [{ message: expect.stringContaining('strace'), advice: expect.stringMatching(/without --trace/) }],
  });
});

test('what strace writes is read as it is meant', () => {
  const lines = String.raw`openat(AT_FDCWD</w>, "a.txt", O_RDONLY|O_CLOEXEC) = 3</w/a.txt>
openat(AT_FDCWD</w>, "gone", O_RDONLY) = -1 ENOENT (No such file or directory)
openat(5</w/d\303\251>, "x\"y\\z", O_WRONLY|O_CREAT, 0666) = 4</w/d\303\251/x"y\\z>
openat(AT_FDCWD</w>, ".", O_RDONLY|O_NONBLOCK|O_CLOEXEC|O_DIRECTORY) = 3</w>
openat(AT_FDCWD</w>, "a\76b", O_RDONLY) = 3</w/a\76b>
openat(AT_FDCWD</w>, "p", O_RDONLY|O_PATH) = 3</w/p>
openat2(AT_FDCWD</w>, "two", {flags=O_RDWR, resolve=RESOLVE_BENEATH}, 24) = 3</w/two>
open("/etc/O_WRONLY", O_RDONLY) = 3</etc/O_WRONLY>
creat("/w/c", 0666) = 3</w/c>
execve("/bin/cat", ["cat", "a.txt"], 0x7ffd /* 5 vars */) = 0
execve("./tool", ["tool"], 0x7ffd /* 5 vars */) = 0
+++ exited with 0 +++`;
  expect(openedIn(lines, '/start').map(o => `${o.how} ${o.path}`)).toEqual([
    'read /w/a.txt',
    'write /w/dé/x"y\\z',
    'list /w',
    'read /w/a>b',
    'write /w/two',
    'read /etc/O_WRONLY',
    'write /w/c',
    'run /bin/cat',
    'run /start/tool',
  ]);
});

test('packages are declared by their lock file, and programs by PATH', () => {
  const p = project({ 'package-lock.json': '{}', 'data/a.txt': '' });
  const at = (name: string) => join(p.folder, name);
  const opened = (...names: string[]) =>
    names.map(name => ({ path: name.startsWith('/') ? name : at(name), how: 'read' as const }));
  const found = (files: readonly string[], isOwnCode = false) =>
    undeclared(
      opened('data/a.txt', 'node_modules/x/index.js', '.finetune/y', '/usr/lib/libc.so', '/srv/data', 'data/a.txt'),
      {
        project: p.folder,
        folders: [at('.finetune')],
        files: files.map(at),
        isOwnCode,
        begun: Date.now(),
      },
    ).map(o => o.path);
  expect(found([])).toEqual([at('data/a.txt'), at('node_modules/x/index.js'), '/srv/data']);
  expect(found(['package-lock.json', 'data/a.txt'])).toEqual(['/srv/data']);
  expect(found(['data/a.txt'], true)).toEqual(['/srv/data']);
});

test('a temporary file is the run’s own unless it was there before', () => {
  const project = '/srv/project';
  const folder = mkdtempSync(join(tmpdir(), 'finetune-temporary-'));
  try {
    const path = join(folder, 'left-here');
    writeFileSync(path, 'x');
    const found = (begun: number) =>
      undeclared(
        [
          { path, how: 'read' },
          { path: join(folder, 'gone'), how: 'write' },
        ],
        {
          ...{ project, folders: [], files: [], isOwnCode: false, begun },
        },
      ).map(o => o.path);
    expect(found(Date.now() - 60_000)).toEqual([]);
    expect(found(Date.now() + 60_000)).toEqual([path]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
