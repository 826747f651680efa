/**
 * What an edit costs: a million rows through eleven stages, built clean, then again with nothing changed, one row changed, a
 * threshold moved, one row in a thousand changed: `npx node bench/engine/edits.ts [rows]`. Every build is a process of its own, on the
 * command line; page cache and store are warm. Each edit is made three times, and the median told; `--verify` compares
 * the last results with those of a clean build.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const count = Number(process.argv.find(a => /^\d+$/.test(a)) ?? 1_000_000);
const root = fileURLToPath(new URL('../../', import.meta.url));
const bin = join(root, 'bin/finetune.js');

const recipe = (min: number): string => `version: 1
sources:
  base:   { uses: model, with: { path: ${join(root, 'pipelines/models/tiny-chat')} } }
  data:   { uses: files, with: { paths: data.jsonl } }
transforms:
  clean:  { uses: plain-text, from: data }
  length: { uses: score, from: clean, with: { measure: words, as: words } }
  good:   { uses: filter, from: length, with: { where: { words: { min: ${min} } } } }
  lines:  { uses: sentences, from: good }
  pairs:  { uses: sentence-pairs, from: lines, with: { instruction: { max: 200 }, response: { min: 20, max: 300 } } }
  unique: { uses: dedup, from: pairs }
  near:   { uses: near-dedup, from: unique, with: { field: response } }
  split:  { uses: split, from: near, with: { train: 0.95, eval: 0.05 } }
templates:
  chat:   { uses: chat, from: { rows: split.train, model: base }, with: { format: tokenizer } }
`;

const WORDS =
  'pump valve pipe tank river winter summer garden house engine table window market teacher doctor letter music ship train bridge forest mountain ocean island village castle paper glass stone silver'.split(
    ' ',
  );

/** Two sentences a record; one in twenty is an earlier one again, one in twenty an earlier one with a word changed. */
const writeData = (path: string, n: number): void => {
  let state = 12345;
  const below = (k: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * k);
  };
  const sentence = (): string =>
    `The ${Array.from({ length: 6 + below(6) }, () => WORDS[below(WORDS.length)]! + (below(5) === 0 ? ` ${below(1000)}` : '')).join(' ')}.`;
  const recent: string[] = [];
  const fd = openSync(path, 'w');
  for (let i = 0; i < n; ) {
    let text = '';
    for (const end = Math.min(n, i + 5000); i < end; i++) {
      const kind = recent.length > 100 ? below(20) : 19;
      const earlier = () => recent[below(recent.length)]!;
      const row = kind === 0 ? earlier() : kind === 1 ? earlier().replace('The', 'A') : `${sentence()} ${sentence()}`;
      if (kind > 1) recent[recent.length < 5000 ? recent.length : below(5000)] = row;
      text += `${JSON.stringify({ text: row })}\n`;
    }
    writeSync(fd, text);
  }
  closeSync(fd);
};

interface Summary {
  readonly seconds: number;
  readonly nodes: readonly {
    readonly name: string;
    readonly state: string;
    readonly key: string;
    readonly rows: number | null;
    readonly computed: number | null;
    readonly seconds: number;
  }[];
}

const build = (folder: string, store = '.finetune'): Summary & { readonly wall: number } => {
  const begun = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'build', '--json'], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, FINETUNE_STORE: join(folder, store) },
  });
  const wall = (performance.now() - begun) / 1000;
  if (status !== 0) throw new Error(`the build ended with ${status}: ${stdout.slice(-2000)}${stderr}`);
  return { ...(JSON.parse(stdout.trim().split('\n').at(-1)!) as Summary), wall };
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const total = (s: Summary): number => s.nodes.reduce((n, node) => n + (node.computed ?? 0), 0);

const folder = mkdtempSync(join(tmpdir(), 'finetune-edits-'));
try {
  mkdirSync(join(folder, '.finetune'));
  writeFileSync(join(folder, 'finetune.yaml'), recipe(8));
  writeData(join(folder, 'data.jsonl'), count);
  const clean = build(folder);
  console.log(
    `${count.toLocaleString('en')} rows, ${clean.nodes.length - 1} stages, ${availableParallelism()} cores, Node ${process.versions.node}\n`,
  );
  console.log('| build | seconds | of the clean one | rows computed, all stages |');
  console.log('|---|---|---|---|');
  const line = (what: string, wall: number, rows: number) =>
    console.log(
      `| ${what} | ${wall.toFixed(2)} | ${wall === clean.wall ? '' : `1/${(clean.wall / wall).toFixed(0)}`} | ${rows.toLocaleString('en')} |`,
    );
  line('clean', clean.wall, total(clean));
  const idle = Array.from({ length: 3 }, () => build(folder));
  line('nothing changed', median(idle.map(s => s.wall)), total(idle[0]!));

  const lines = readFileSync(join(folder, 'data.jsonl'), 'utf8').split('\n');
  const write = () => writeFileSync(join(folder, 'data.jsonl'), lines.join('\n'));
  const change = (at: number, k: number) => {
    lines[at] = JSON.stringify({
      text: `This row has number ${at} and was changed ${k} times. It is about a ${WORDS[k % WORDS.length]} now, and nothing else at all.`,
    });
  };
  const once = Array.from({ length: 3 }, (_, k) => {
    change(Math.floor(count * (0.2 + 0.3 * k)), k);
    write();
    return build(folder);
  });
  line('one row changed', median(once.map(s => s.wall)), total(once.at(-1)!));

  writeFileSync(join(folder, 'finetune.yaml'), recipe(9));
  const moved = build(folder);
  const scorers = moved.nodes.find(n => n.name === 'length')!;
  line(`threshold moved (scorer: ${scorers.state}, ${scorers.computed} rows)`, moved.wall, total(moved));

  const many = Math.max(1, Math.floor(count / 1000));
  for (let k = 0; k < many; k++) change(Math.floor(((k + 0.5) / many) * count), k + 7);
  write();
  const scattered = build(folder);
  line(`${many.toLocaleString('en')} scattered rows changed`, scattered.wall, total(scattered));
  console.log('\nRows computed after the scattered edits, by stage:');
  for (const { name, computed } of scattered.nodes)
    if (computed !== null) console.log(`  ${name.padEnd(8)} ${computed}`);
  console.log('\nSeconds of the last single edit, by stage:');
  for (const { name, seconds } of once.at(-1)!.nodes) console.log(`  ${name.padEnd(8)} ${seconds.toFixed(2)}`);

  if (process.argv.includes('--verify')) {
    const anew = build(folder, 'clean');
    const keys = (s: Summary) => s.nodes.map(n => `${n.name} ${n.key} ${n.rows}`).join('\n');
    console.log(
      `\nafter all edits ${keys(anew) === keys(scattered) ? 'every key equals' : 'SOME KEYS DIFFER from'} a clean build's`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
