/**
 * Stages of kind order: rows sorted by a hash of seed, repetition and id. The order is made anew from the rows' sketches;
 * stretches of it that are as they were are taken over, the other rows are fetched.
 */
import { setImmediate } from 'node:timers/promises';
import { BlobReader } from '../../../cache/blob.ts';
import { chunkLines, decodeRow, encodeRow, type Manifest } from '../../../cache/dataset.ts';
import type { OrderStage, Row } from '../../../stages/contract.ts';
import type { Part } from './alignment.ts';
import { located } from './base.ts';
import { partsOf, type Ran, type RowsContext } from './context.ts';
import { Gathered } from './gather.ts';
import { orderOf, type Sequence } from './order.ts';
import { PieceMaker } from './pieces.ts';
import { sketchAll } from './run-deal.ts';

export interface Dataset {
  readonly name: string;
  readonly manifest: Manifest;
}

const NOTHING = 'null\n';

export const runOrder = async (
  c: RowsContext,
  stage: OrderStage,
  datasets: readonly Dataset[],
  prefixed: boolean,
): Promise<Ran> => {
  const { options } = c.job;
  const all = datasets.flatMap((d, i) => partsOf(d.manifest).map(p => ({ ...p, dataset: i })));
  const merged: Manifest = {
    rows: datasets.reduce((n, d) => n + d.manifest.rows, 0),
    chunks: datasets.flatMap(d => d.manifest.chunks),
    open: false,
  };
  const { sketched, computed, sketchOf, close } = await sketchAll(c, false, merged);
  try {
    const take = (counts: readonly number[]) =>
      stage.take?.(
        datasets.map((d, i) => ({ name: d.name, count: counts[i]! })),
        options,
      ) ?? counts;
    const sequenceOf = (chunks: readonly { readonly dataset: number; readonly hot: Uint8Array }[]): Sequence => {
      const counts = datasets.map((_, i) =>
        chunks.reduce((n, chunk) => (chunk.dataset === i ? n + chunk.hot.length / 16 : n), 0),
      );
      return orderOf(chunks, counts, take(counts), stage.seed(options));
    };
    const now = sequenceOf(all.map((p, i) => ({ dataset: p.dataset, hot: sketched[i]!.hot })));
    // A name that no id is prefixed with is no part of the key, so no part of what is kept under it.
    const names = prefixed ? datasets.map(d => d.name) : [];
    const before = earlierSequence(c, names, sketchOf, sequenceOf);
    const old = before?.sequence;
    const changed = before ? changedRows(c, all, before.parts) : null;

    // The output as stretches of the earlier one, and rows to be fetched.
    const writer = c.writers[0]!;
    const plan: ({ readonly from: number; to: number } | { readonly first: number; after: number })[] = [];
    for (let i = 0, o = 0; i < now.length; ) {
      let copied = false;
      if (before) {
        while (o < old!.length && old!.key[o]! < now.key[i]!) o++;
        const same = o < old!.length && isSame(old!, o, now, i) && !isTwice(old!, o) && !isTwice(now, i);
        if (same && !changed!.has(now.chunk[i]!, now.row[i]!)) {
          const last = plan.at(-1);
          if (last && 'from' in last && last.to === o) last.to++;
          else plan.push({ from: o, to: o + 1 });
          o++;
          copied = true;
        }
      }
      if (!copied) {
        const last = plan.at(-1);
        if (last && 'first' in last) last.after++;
        else plan.push({ first: i, after: i + 1 });
      }
      i++;
      if (i % 100_000 === 0) await setImmediate();
    }
    const bytes = all.reduce((n, p) => n + p.bytes, 0);
    const gathered = new Gathered(`${c.job.work}/gather`, bytes / Math.max(1, merged.rows));
    for (const p of plan)
      if ('first' in p) for (let i = p.first; i < p.after; i++) gathered.want(now.chunk[i]!, now.row[i]!);
    const reader = new BlobReader();
    try {
      await gathered.fetch(
        chunk => chunkLines(reader.read(located(c.store, all[chunk]!.name))),
        (done, total) => c.progress(done, total, 'parts'),
      );
    } finally {
      reader.close();
    }
    const name = (chunk: number) => (prefixed ? `${datasets[all[chunk]!.dataset]!.name}/` : '');
    for (const p of plan) {
      if ('from' in p) {
        writer.copy(c.base!.outputs[0]!, p.from, p.to);
        continue;
      }
      const maker = new PieceMaker();
      for (let i = p.first; i < p.after; i++) {
        const line = gathered.next();
        const [prefix, times] = [name(now.chunk[i]!), now.times[i]!];
        if (prefix === '' && times === 0) maker.addLine(decodeRow(line).id, `${line}\n`, NOTHING);
        else {
          const row = renamed(decodeRow(line), prefix, times);
          maker.addLine(row.id, encodeRow(row), NOTHING);
        }
        if (i % 1000 === 0) {
          for (const piece of maker.take(false)) writer.add(piece);
          if (i % 20_000 === 0) await setImmediate();
        }
      }
      for (const piece of maker.take(true)) writer.add(piece);
    }
    gathered.remove();
    const given = new Uint32Array(all.length);
    for (let i = 0; i < now.length; i++) given[now.chunk[i]!]!++;
    const parts = all.map(
      (p, i): Part => ({
        name: p.name,
        units: p.rows,
        end: p.end,
        reach: 0,
        file: p.dataset,
        line: 0,
        codes: new Uint8Array(0),
        totals: c.streams.map((_, k) => (k === 0 ? given[i]! : 0)),
        tallies: [],
      }),
    );
    return {
      computed,
      seen: merged.rows,
      tallies: {},
      alignment: { streams: c.streams, tallies: [], files: names, repeated: {}, parts },
    };
  } finally {
    close();
  }
};

const isSame = (a: Sequence, i: number, b: Sequence, k: number): boolean =>
  a.key[i] === b.key[k] && a.id[i] === b.id[k] && a.times[i] === b.times[k];

/** Rows of one id stand side by side: which of them is which, the order alone does not say, so they are fetched. */
const isTwice = (s: Sequence, i: number): boolean =>
  (i > 0 && isSame(s, i, s, i - 1)) || (i + 1 < s.length && isSame(s, i, s, i + 1));

const renamed = ({ id, parent, fields }: Row, prefix: string, times: number): Row => ({
  id: `${prefix}${id}${times === 0 ? '' : `~x${times + 1}`}`,
  parent: parent === null ? null : `${prefix}${parent}`,
  fields,
});

/** The order of the earlier run, if all that it was made of is still known. */
const earlierSequence = (
  c: RowsContext,
  names: readonly string[],
  sketchOf: (name: string) => Uint8Array | null,
  sequenceOf: (chunks: readonly { readonly dataset: number; readonly hot: Uint8Array }[]) => Sequence,
): { readonly sequence: Sequence; readonly parts: readonly Part[] } | null => {
  const alignment = c.base?.alignment;
  if (!alignment || alignment.files.join('\n') !== names.join('\n')) return null;
  const chunks = alignment.parts.map(p => ({ dataset: p.file, hot: sketchOf(p.name) }));
  if (chunks.some(p => p.hot === null)) return null;
  const sequence = sequenceOf(chunks as { dataset: number; hot: Uint8Array }[]);
  return sequence.length === c.base!.outputs[0]!.starts.at(-1) ? { sequence, parts: alignment.parts } : null;
};

/** Rows of chunks that the earlier run did not have, but for those that stood in other chunks of it just so. */
const changedRows = (
  c: RowsContext,
  now: readonly { readonly name: string; readonly dataset: number }[],
  before: readonly Part[],
): { has(chunk: number, row: number): boolean } => {
  const key = (dataset: number, name: string) => `${dataset} ${name}`;
  const had = new Set(before.map(p => key(p.file, p.name)));
  const has = new Set(now.map(p => key(p.dataset, p.name)));
  const reader = new BlobReader();
  try {
    const lines = new Set<string>();
    for (const p of before) {
      if (has.has(key(p.file, p.name))) continue;
      const at = c.store.locate(p.name);
      if (at) for (const line of chunkLines(reader.read(at))) lines.add(key(p.file, line));
    }
    const changed = new Map<number, Set<number>>();
    for (const [i, p] of now.entries()) {
      if (had.has(key(p.dataset, p.name))) continue;
      const rows = new Set<number>();
      for (const [k, line] of chunkLines(reader.read(located(c.store, p.name))).entries())
        if (!lines.has(key(p.dataset, line))) rows.add(k);
      changed.set(i, rows);
    }
    return { has: (chunk, row) => changed.get(chunk)?.has(row) ?? false };
  } finally {
    reader.close();
  }
};
