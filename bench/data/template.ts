/**
 * Templating and tokenising, beside transformers' Jinja and Hugging Face's tokenizers in Python on the same number of threads:
 * `npx node bench/data/template.ts [rows] [threads] [model folder]`. The goal is at most 20 % more time than theirs, though ours
 * writes its rows into the store. Rows must come out with the same token ids and the same loss mask.
 */
import { cpSync, createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { compiled } from '../engine/peers/ours.ts';
import { pages } from './documents.ts';
import { pythonWith } from './peers/python.ts';
import { type Watched, watched } from './watched.ts';

const TINY = fileURLToPath(new URL('../../pipelines/models/tiny-chat', import.meta.url));
const [count, threads] = [Number(process.argv[2] ?? 100_000), Number(process.argv[3] ?? availableParallelism())];
const model = process.argv[4] ?? TINY;

/** Pairs of neighbouring sentences. */
const writeRows = async (path: string): Promise<void> => {
  const next = pages();
  const out = createWriteStream(path);
  for (let n = 0; n < count; ) {
    const sentences = next()
      .split(/(?<=[.?])\s+/)
      .filter(s => s.length > 40);
    for (let i = 0; i + 1 < sentences.length && n < count; i++, n++)
      out.write(`${JSON.stringify({ id: `r${n}`, instruction: sentences[i], response: sentences[i + 1] })}\n`);
  }
  out.end();
  await finished(out);
};

interface Made {
  readonly input_ids: readonly number[];
  readonly trained: readonly (readonly [number, number])[];
}

const lines = (text: string): Made[] =>
  text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));

const base = mkdtempSync(join(tmpdir(), 'finetune-template-'));
const report = (name: string, seconds: number, { peak }: Watched, tokens: number, more: string): void => {
  const rate = (n: number) => Math.round(n / seconds).toLocaleString('en');
  console.log(
    `| ${name} | ${seconds.toFixed(2)} | ${rate(count)} | ${rate(tokens)} | ${Math.round(peak / 1e6)} MB | ${more} |`,
  );
};
try {
  await writeRows(join(base, 'rows.jsonl'));
  mkdirSync(join(base, 'model'));
  // Of another model only the vocabulary counts: weights and the template are tiny-chat's, which is Harmony's too.
  for (const name of ['tokenizer_config.json', 'config.json', 'model.safetensors'])
    cpSync(join(TINY, name), join(base, 'model', name));
  cpSync(join(model, 'tokenizer.json'), join(base, 'model/tokenizer.json'));
  mkdirSync(join(base, '.finetune'));
  writeFileSync(
    join(base, 'finetune.yaml'),
    `version: 1
sources:
  rows: { uses: files, with: { paths: rows.jsonl, key: id } }
  base: { uses: model, with: { path: model } }
templates:
  chat: { uses: chat, from: { rows: rows, model: base }, with: { format: harmony } }
`,
  );
  const bin = compiled(join(base, 'installed'));
  const run = await watched([process.execPath, bin, 'build', '--json', '--jobs', String(threads)], {
    cwd: base,
    env: { RAYON_NUM_THREADS: String(threads) },
  });
  const summary = JSON.parse(run.stdout.trim().split('\n').at(-1)!) as { nodes: { name: string; seconds: number }[] };
  const own = summary.nodes.find(n => n.name === 'chat')!.seconds;
  const shown = await watched([process.execPath, bin, 'show', 'chat', '--json', '--rows', String(count)], {
    cwd: base,
  });
  const ours = lines(shown.stdout);
  const tokens = ours.reduce((n, row) => n + row.input_ids.length, 0);
  console.log(
    `${count.toLocaleString('en')} conversations, ${tokens.toLocaleString('en')} tokens, ${threads} threads\n`,
  );
  console.log('| | seconds | rows/s | tokens/s | memory at the peak | |\n|---|---|---|---|---|---|');
  report('finetune: the node `chat`', own, run, tokens, 'stored');

  const python = pythonWith('transformers', ['transformers==5.23.0', 'tokenizers==0.23.3', 'jinja2==3.1.6']);
  if (typeof python !== 'string') console.log(`not here: ${python.missing}`);
  else {
    const script = fileURLToPath(new URL('peers/template.py', import.meta.url));
    const env = { RAYON_NUM_THREADS: String(threads), TOKENIZERS_PARALLELISM: 'true' };
    const peer = await watched([python, script, join(base, 'rows.jsonl'), join(base, 'model'), base], {
      cwd: base,
      env,
    });
    const { seconds, version } = JSON.parse(readFileSync(join(base, 'result.json'), 'utf8'));
    const theirs = lines(readFileSync(join(base, 'ids.jsonl'), 'utf8'));
    const isSame = (row: Made, i: number) =>
      `${row.input_ids} ${row.trained}` === `${theirs[i]!.input_ids} ${theirs[i]!.trained}`;
    const same = ours.filter(isSame).length;
    report(`Jinja and tokenizers ${version}`, seconds, peer, tokens, 'held in memory');
    console.log(
      `\nours takes ${(own / seconds).toFixed(2)} x their time; ${same.toLocaleString('en')} of ${count.toLocaleString('en')} rows have the same ids and mask`,
    );
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
