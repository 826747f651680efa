/**
 * The seed's cleaning on pages, beside its own regular expressions in Hugging Face datasets and Data-Juicer's operators, with as
 * many processes as we have threads: `npx node bench/data/clean.ts [pages] [jobs] [--nodes]`. The goal is 5 times the pages a
 * second of `datasets.map` on 100,000 pages, in bounded memory. All times are of whole programs, their start included.
 *
 *   pairs    strip markup, split into sentences, filter, pair neighbours, remove duplicates; datasets does so in one map, or
 *            in one for each step, of which it then keeps the results as we do
 *   pages    strip markup, filter by length, remove duplicates (what Data-Juicer has operators for)
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiled } from '../engine/peers/ours.ts';
import { writePages } from './documents.ts';
import { pythonWith } from './peers/python.ts';
import { type Watched, watched } from './watched.ts';

const RECIPE = (job: Job) => `version: 1
sources:
  docs:   { uses: files, with: { paths: pages.jsonl, key: id } }
transforms:
  text:   { uses: plain-text, from: docs }
${
  job === 'pages'
    ? `  long:   { uses: filter, from: text, with: { min: 201 } }
  unique: { uses: dedup, from: long, with: { by: text } }`
    : `  lines:  { uses: sentences, from: text }
  good:   { uses: filter, from: lines, with: { min: 31, without: [navigation, copyright, index, table of contents, previous, next, click here, download, share] } }
  pairs:  { uses: sentence-pairs, from: good, with: { instruction: { min: 21, max: 200 }, response: { min: 31, max: 300 }, over: cut } }
  unique: { uses: dedup, from: pairs, with: { by: instruction } }`
}
`;

type Job = 'pairs' | 'pages';

interface Line extends Watched {
  readonly name: string;
  readonly rows: number;
  /** Without the program's start and imports, where it says so. */
  readonly own?: number;
}

const numbers = process.argv
  .slice(2)
  .filter(a => !a.startsWith('--'))
  .map(Number);
const [count = 100_000, jobs = availableParallelism()] = numbers;
const here = (name: string) => fileURLToPath(new URL(`peers/${name}`, import.meta.url));
const base = mkdtempSync(join(tmpdir(), 'finetune-clean-'));
const source = join(base, 'pages.jsonl');

const ours = async (bin: string, job: Job): Promise<Line> => {
  const folder = join(base, `finetune-${job}`);
  mkdirSync(join(folder, '.finetune'), { recursive: true });
  writeFileSync(join(folder, 'finetune.yaml'), RECIPE(job).replace('paths: pages.jsonl', `paths: "${source}"`));
  const run = await watched([process.execPath, bin, 'build', '--json', '--jobs', String(jobs)], { cwd: folder });
  const summary = JSON.parse(run.stdout.trim().split('\n').at(-1)!) as {
    nodes: { name: string; rows: number | null; seconds: number }[];
  };
  for (const { name, seconds } of summary.nodes) details.push(`${job} ${name}: ${seconds.toFixed(2)} s`);
  rmSync(join(folder, '.finetune'), { recursive: true, force: true });
  return { name: 'finetune', ...run, rows: summary.nodes.find(n => n.name === 'unique')!.rows! };
};

interface Their {
  readonly name: string;
  readonly python: string;
  readonly script: string;
  /** `one` map for everything, or a map for each `step`. */
  readonly way?: 'one' | 'steps';
}

const theirs = async ({ name, python, script, way = 'one' }: Their, job: Job): Promise<Line> => {
  const work = mkdtempSync(join(base, 'peer-'));
  const args = [script, source, join(work, 'out.jsonl'), String(jobs), work, job, way];
  const env = { HF_DATASETS_OFFLINE: '1', HF_HOME: join(work, 'home'), TOKENIZERS_PARALLELISM: 'false' };
  const run = await watched([python, ...args], { cwd: work, env });
  const { seconds, rows, version } = JSON.parse(readFileSync(join(work, 'result.json'), 'utf8'));
  rmSync(work, { recursive: true, force: true });
  return { ...run, name: `${name} ${version}`, rows, own: seconds };
};

const found = (
  python: string | { readonly missing: string },
  peer: Omit<Their, 'python'>,
): Their | { readonly missing: string } =>
  typeof python === 'string' ? { ...peer, script: here(peer.script), python } : python;

const details: string[] = [];
try {
  await writePages(source, count);
  const megabytes = statSync(source).size / 1e6;
  console.log(`${count.toLocaleString('en')} pages, ${megabytes.toFixed(0)} MB, ${jobs} processes or threads`);
  const bin = compiled(join(base, 'installed'));
  const hf = pythonWith('datasets', ['datasets==5.2.0']);
  // aiohttp: imported by Data-Juicer, named by none of its requirements.
  const juicer = pythonWith('data-juicer', ['py-data-juicer==1.6.1', 'aiohttp']);
  const peers: readonly (readonly [Job, Their | { readonly missing: string }])[] = [
    ['pairs', found(hf, { name: 'datasets, one map for all', script: 'clean_datasets.py' })],
    ['pairs', found(hf, { name: 'datasets, a map a step', script: 'clean_datasets.py', way: 'steps' })],
    ['pages', found(hf, { name: 'datasets', script: 'clean_datasets.py' })],
    ['pages', found(juicer, { name: 'Data-Juicer', script: 'clean_juicer.py' })],
  ];
  for (const job of ['pairs', 'pages'] as const) {
    const lines = [await ours(bin, job)];
    for (const [of, peer] of peers) {
      if (of !== job) continue;
      if ('missing' in peer) console.log(`not here: ${peer.missing}`);
      else lines.push(await theirs(peer, job));
    }
    console.log(
      `\n| ${job} | seconds | pages/s | without start | rows out | memory at the peak | ours is |\n|---|---|---|---|---|---|---|`,
    );
    for (const line of lines) {
      const rate = Math.round(count / line.seconds).toLocaleString('en');
      const own = line.own === undefined ? '' : `${line.own.toFixed(1)} s`;
      const times = line === lines[0] ? '' : `${(line.seconds / lines[0]!.seconds).toFixed(1)} x as fast`;
      const cells = [
        line.name,
        line.seconds.toFixed(1),
        rate,
        own,
        line.rows.toLocaleString('en'),
        `${Math.round(line.peak / 1e6).toLocaleString('en')} MB`,
        times,
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
  if (process.argv.includes('--nodes')) console.log(`\n${details.join('\n')}`);
} finally {
  rmSync(base, { recursive: true, force: true });
}
