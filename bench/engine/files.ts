/**
 * What it costs to look at 100,000 files that have not changed, and how fast new ones are hashed:
 * `node bench/engine/files.ts [files]`. Page cache warm; each look in a process of its own.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Files } from '../../cache/files.ts';
import { expand } from '../../src/engine/glob.ts';
import { printFigures } from './figures.ts';
import { inSeconds, median, seconds } from './measure.ts';
import { compiled } from './peers/ours.ts';

/** As the engine does: the table read, the folders listed, every file looked at, the table written where it changed. */
const look = (folder: string): number => {
  const begun = performance.now();
  const files = new Files(join(folder, '.finetune/files.bin'));
  const names = expand('**/*.md', folder, files);
  for (const name of names) files.find(`${folder}/${name}`);
  files.save();
  return performance.now() - begun;
};

const self = fileURLToPath(import.meta.url);
const [first = '100000', given] = process.argv.slice(2);
if (first === 'look') {
  console.log(look(given!));
  process.exit();
}

const count = Number(first);
const base = mkdtempSync(join(tmpdir(), 'finetune-files-'));
try {
  const folder = join(base, 'pages');
  for (let i = 0; i < count; i++) {
    const at = join(folder, `docs/${i >> 8}`);
    if ((i & 255) === 0) mkdirSync(at, { recursive: true });
    writeFileSync(join(at, `${i}.md`), `This is the page with number ${i}.\n`);
  }
  mkdirSync(join(folder, '.finetune'), { recursive: true });
  writeFileSync(
    join(folder, 'finetune.yaml'),
    'version: 1\nsources:\n  docs: { uses: files, with: { paths: "docs/**/*.md" } }\n',
  );
  const looked = (): number =>
    Number(execFileSync(process.execPath, [self, 'look', folder], { encoding: 'utf8' })) / 1000;
  // Files that were written just now are not trusted yet.
  await pause(2500);
  const fresh = looked();
  const again = median(Array.from({ length: 7 }, looked));
  const bin = compiled(join(base, 'installed'));
  const build = [process.execPath, bin, 'build'] as const;
  const built = seconds([...build], { cwd: folder })!;
  for (let i = 0; i < 2; i++) seconds([...build], { cwd: folder });
  const idle = median(Array.from({ length: 7 }, () => seconds([...build], { cwd: folder })!));

  const rates: string[] = [];
  for (const [size, name] of [
    [1 << 28, '256 MB'],
    [1 << 20, '1 MB'],
    [100 << 10, '100 KB'],
    [10 << 10, '10 KB'],
  ] as const) {
    const data = join(base, `${size}`);
    mkdirSync(data);
    const total = 1 << 29;
    const content = Buffer.alloc(size, 7);
    const paths = Array.from({ length: Math.floor(total / size) }, (_, i) => join(data, `${i}`));
    for (const [i, path] of paths.entries()) {
      content.writeUInt32LE(i);
      writeFileSync(path, content);
    }
    const files = new Files(join(base, 'none.bin'));
    const begun = performance.now();
    for (const path of paths) files.find(path);
    rates.push(`${(total / 1e9 / ((performance.now() - begun) / 1000)).toFixed(1)} GB/s of ${name}`);
    rmSync(data, { recursive: true });
  }
  const n = count.toLocaleString('en');
  printFigures([
    {
      what: `${n} unchanged files looked at, with their folders and the table of their states`,
      budget: '0.500 s',
      measured: inSeconds(again),
    },
    { what: `${n} new files of 36 bytes, the same`, budget: '', measured: inSeconds(fresh) },
    {
      what: `\`finetune build\` of one source of ${n} files: nothing to do (from scratch)`,
      budget: '',
      measured: `${inSeconds(idle)} (${inSeconds(built)})`,
    },
    { what: 'hashing of new data, one thread, by size of file', budget: '1 GB/s', measured: rates.join(', ') },
  ]);
} finally {
  rmSync(base, { recursive: true, force: true });
}
