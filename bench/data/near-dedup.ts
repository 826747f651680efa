/**
 * Near-duplicates among texts, beside datasketch in the same run and on one core each: the same texts, five-word shingles,
 * 112 hashes in 14 bands of 8, threshold 0.8: `npx node bench/data/near-dedup.ts [rows] [words]`. Needs python3 with venv;
 * datasketch is installed into a temporary folder. The goal is 5 times its speed on 200,000 rows. Both are held against exact Jaccard similarity:
 * precision is the share of the rows dropped that it drops too, recall the share of those that it drops.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blake3 } from '@napi-rs/blake-hash';
import { dealBySimilarity } from '../../src/engine/rows/deal.ts';
import type { Row } from '../../stages/contract.ts';
import { drawing } from '../../stages/transforms/near-dedup/hash.ts';
import nearDedup, { type Options } from '../../stages/transforms/near-dedup.ts';
import { exactlyKept } from './exact-jaccard.ts';

const DATASKETCH = 'datasketch==1.6.5';
const THRESHOLD = 0.8;
const options: Options = { method: 'minhash', keep: 'first', threshold: THRESHOLD };

interface Taken {
  readonly sketch: number;
  readonly deal: number;
  /** Indexes of the rows that stay. */
  readonly kept: readonly number[];
}

/** Texts of so many words from 20,000; about one in three is an earlier one with up to 10 % of its words replaced. */
const texts = (rows: number, words: number): string[] => {
  const draw = drawing(1);
  const word = () => `w${draw(20_000)}`;
  const all: string[] = [];
  for (let i = 0; i < rows; i++) {
    if (i === 0 || draw(3) > 0) {
      all.push(Array.from({ length: words / 2 + draw(words) }, word).join(' '));
      continue;
    }
    const share = draw(100);
    const earlier = all[draw(all.length)]!.split(' ');
    all.push(earlier.map(w => (draw(1000) < share ? word() : w)).join(' '));
  }
  return all;
};

/** Seconds of processor time so far, of all threads (compiler and collector too): other work on the machine does not count. */
const processor = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** As the engine does it: sketches of all rows, laid out as in `sketches.ts`, then its rule. */
const ours = async (all: readonly string[]): Promise<Taken> => {
  const rows: Row[] = all.map((text, i) => ({ id: String(i), parent: null, fields: { text } }));
  const { bands, bytes } = nearDedup.shape(options);
  const begun = processor();
  const state = nearDedup.setup({ options, files: {}, inputs: {} });
  const n = rows.length;
  // Columns of ranks, hashes of sketches, and bands, as src/engine/rows/sketches.ts lays them out.
  const hot = new Uint8Array(n * (16 + bands * 4));
  const words = new Uint32Array(hot.buffer);
  const cold = new Uint8Array(rows.length * bytes);
  for (const [i, row] of rows.entries()) {
    const made = nearDedup.sketch(row, state, options)!;
    hot.set(blake3(Buffer.from(made.bytes)).subarray(0, 8), n * 8 + i * 8);
    hot[n * 8 + i * 8]! |= 1;
    for (let band = 0; band < bands; band++) words[n * (4 + band) + i] = made.bands[band]!;
    cold.set(made.bytes, i * bytes);
  }
  const sketched = processor();
  const [deal] = await dealBySimilarity([{ rows: rows.length, hot, cold: () => cold }], nearDedup as never, options, {
    get: () => null,
    set: () => {},
  });
  return {
    sketch: sketched - begun,
    deal: processor() - sketched,
    kept: [...deal!.keys()].filter(i => deal![i] === 0),
  };
};

const PYTHON = `
import json, sys, time
from datasketch import MinHash, MinHashLSH

with open(sys.argv[1]) as file:
    texts = file.read().splitlines()

def shingles(text):
    words = text.split()
    return [" ".join(words[i:i + 5]).encode() for i in range(max(1, len(words) - 4))]

begun = time.process_time()
sketches = [m for m in MinHash.generator((shingles(t) for t in texts), num_perm=112)]
sketched = time.process_time()
parent = list(range(len(texts)))
def root(i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i
index = MinHashLSH(num_perm=112, params=(14, 8))
for i, m in enumerate(sketches):
    for j in index.query(m):
        if m.jaccard(sketches[j]) >= 0.8:
            a, b = root(i), root(j)
            parent[max(a, b)] = min(a, b)
    index.insert(i, m, check_duplication=False)
dealt = time.process_time()
kept = [i for i in range(len(texts)) if root(i) == i]
json.dump({"sketch": sketched - begun, "deal": dealt - sketched, "kept": kept}, open(sys.argv[2], "w"))
`;

const theirs = (folder: string, all: readonly string[]): Taken => {
  const python = join(folder, 'venv/bin/python');
  execFileSync('python3', ['-m', 'venv', join(folder, 'venv')]);
  execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', DATASKETCH]);
  writeFileSync(join(folder, 'texts.txt'), all.join('\n'));
  writeFileSync(join(folder, 'theirs.py'), PYTHON);
  // One core each: numpy must not take more.
  const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
  execFileSync(python, [join(folder, 'theirs.py'), join(folder, 'texts.txt'), join(folder, 'result.json')], { env });
  return JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'));
};

/** Precision and recall of the rows dropped, in percent. */
const judged = (kept: ReadonlySet<number>, exact: ReadonlySet<number>, all: number): string[] => {
  const both = all - new Set([...kept, ...exact]).size;
  return [both / (all - kept.size), both / (all - exact.size)].map(share => `${(100 * share).toFixed(2)} %`);
};

const count = Number(process.argv[2] ?? 200_000);
const words = Number(process.argv[3] ?? 100);
const folder = mkdtempSync(join(tmpdir(), 'finetune-near-dedup-'));
try {
  const all = texts(count, words);
  const megabytes = all.reduce((n, text) => n + text.length, 0) / 1e6;
  console.log(
    `${count.toLocaleString('en')} texts of about ${words} words, ${megabytes.toFixed(0)} MB; seconds of processor time`,
  );
  const heads = ['sketch', 'join', 'all', 'rows/s', 'kept', 'precision', 'recall'];
  console.log(`${''.padEnd(12)}${heads.map(h => h.padStart(10)).join('')}`);
  const exact = new Set(exactlyKept(all, THRESHOLD));
  const line = (name: string, { sketch, deal, kept }: Taken) => {
    const rate = Math.round(count / (sketch + deal)).toLocaleString('en');
    const cells = [
      sketch.toFixed(2),
      deal.toFixed(2),
      (sketch + deal).toFixed(2),
      rate,
      kept.length.toLocaleString('en'),
      ...judged(new Set(kept), exact, count),
    ];
    console.log(name.padEnd(12) + cells.map(c => c.padStart(10)).join(''));
  };
  const mine = await ours(all);
  line('near-dedup', mine);
  const peer = theirs(folder, all);
  line('datasketch', peer);
  const both = new Set(mine.kept).intersection(new Set(peer.kept)).size;
  const union = mine.kept.length + peer.kept.length - both;
  console.log(
    `\n${((peer.sketch + peer.deal) / (mine.sketch + mine.deal)).toFixed(1)} times as fast (sketches ${(peer.sketch / mine.sketch).toFixed(1)}); ${((100 * both) / union).toFixed(1)} % of the rows that one keeps both keep`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
