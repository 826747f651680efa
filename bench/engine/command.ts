/**
 * What a command costs beyond the program that it runs: a bare `spawn` beside the stage `command`, in a small process and in one
 * of 400 MB, as a build of many rows is. `node bench/engine/command.ts [runs]`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandOptions } from '../../schemas/types.ts';
import { runInShell } from '../../stages/command/shell.ts';
import type { InputFile, WholeContext } from '../../stages/contract.ts';
import stage from '../../stages/transforms/command.ts';

const runs = Number(process.argv[2] ?? 300);
const folder = mkdtempSync(join(tmpdir(), 'finetune-bench-'));
const { signal } = new AbortController();

const files: InputFile[] = Array.from({ length: 10 }, (_, i) => {
  const path = join(folder, `${i}.txt`);
  writeFileSync(path, `${i}\n`);
  return { name: `in/${i}.txt`, path, digest: '', size: 2 };
});

const bare = (line: string) =>
  new Promise(resolve => spawn('/bin/sh', ['-c', line], { cwd: folder, stdio: 'ignore' }).on('exit', resolve));

const shell = (line: string) =>
  runInShell({
    argv: ['/bin/sh', '-c', line],
    folder,
    env: { PATH: process.env.PATH ?? '' },
    signal,
    onText: () => {},
  });

const command = async (line: string, given: readonly InputFile[]) => {
  const options: CommandOptions = { run: line, env: {}, output: 'files', ids: false };
  const context = {
    options,
    files: { files: given },
    inputs: {},
    scratch: folder,
    take: () => {},
    signal,
    log: () => {},
  };
  await stage.run(context as unknown as WholeContext<CommandOptions>);
};

const time = async (what: string, run: () => Promise<unknown>): Promise<void> => {
  await run();
  const each: number[] = [];
  for (let i = 0; i < runs; i++) {
    const begun = performance.now();
    await run();
    each.push(performance.now() - begun);
  }
  each.sort((a, b) => a - b);
  const at = (share: number) => each[Math.floor(each.length * share)]!.toFixed(2).padStart(7);
  process.stdout.write(`  ${what.padEnd(52)}${at(0.1)} ${at(0.5)} ${at(0.9)}\n`);
};

const all = async (title: string): Promise<void> => {
  process.stdout.write(`${title}, ms each: fastest tenth, median, slowest tenth\n`);
  await time('spawn: sh -c true', () => bare('true'));
  await time('a shell that waits: sh -c true', () => shell('true'));
  await time('command: nothing but a file in $OUT', () => command(': > $OUT/x', []));
  await time('spawn: cat of 10 files', () => bare(`cat ${folder}/*.txt > ${folder}/out`));
  await time('command: cat of 10 files', () => command('cat in/*.txt > $OUT/x', files));
};

await all('small process');
const ballast = Array.from({ length: 400 }, () => Buffer.alloc(1 << 20, 1));
await all(`process of ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB`);
if (ballast.length === 0) process.exitCode = 1;
rmSync(folder, { recursive: true });
