/**
 * Sketches: what a rule that deals with all rows at once needs of each row, in few bytes, so that the rule can be applied
 * anew to millions of rows in the time that reading a file takes, and only changed rows are looked at again.
 *
 *   keyed      hot: hash of the key, 16 bytes a row; 0 for a row without one
 *   partition  hot: u32 number of rows, u16 groups of each row, then 16 bytes a group
 *   index      hot: columns of f64 ranks, 8-byte hashes of sketches (0 for a row without one), u32 values a band
 *              cold: the sketch's bytes
 *   order      hot: hash of the row's id, 16 bytes a row
 */
import { blake3 } from '@napi-rs/blake-hash';
import type { BlobReader } from '../../../cache/blob.ts';
import { chunkLines, decodeRow } from '../../../cache/dataset.ts';
import type { IndexStage, KeyedStage, OrderStage, PartitionStage, Row } from '../../../stages/contract.ts';
import { hashText } from '../hash-table.ts';
import type { SketchAnswer, SketchTask } from './tasks.ts';

export type DealingStage = KeyedStage | PartitionStage | IndexStage | OrderStage;

/** Bytes of one row's sketch, by row, found again in a chunk's. */
interface Codec {
  /** The sketch of a row; hot and cold bytes. */
  of(row: Row): { readonly hot: Uint8Array; readonly cold: Uint8Array };
  /** Cuts a chunk's sketch into those of its rows. */
  cut(hot: Uint8Array, cold: Uint8Array): { readonly hot: Uint8Array; readonly cold: Uint8Array }[];
  join(rows: readonly { readonly hot: Uint8Array; readonly cold: Uint8Array }[]): SketchAnswer['sketches'][number];
}

const NONE = new Uint8Array(0);

/** Computes the sketches of chunks; rows that an earlier version of the chunk holds too are not computed again. */
export const sketch = (
  task: SketchTask,
  stage: DealingStage,
  { state, options, reader }: { state: unknown; options: unknown; reader: BlobReader },
): SketchAnswer => {
  const codec = codecOf(stage, state, options);
  let computed = 0;
  const known = new Map<string, { hot: Uint8Array; cold: Uint8Array }>();
  for (const { at, sketch: hot, cold } of task.old) {
    const rows = codec.cut(hot, cold);
    for (const [i, line] of chunkLines(reader.read(at)).entries()) known.set(line, rows[i]!);
  }
  const sketches = task.chunks.map(at =>
    codec.join(
      chunkLines(reader.read(at)).map(line => {
        const same = known.get(line);
        if (same) return same;
        computed++;
        return codec.of(decodeRow(line));
      }),
    ),
  );
  return { computed, sketches };
};

const codecOf = (stage: DealingStage, state: unknown, options: unknown): Codec => {
  if (stage.kind === 'keyed') return fixed(16, 0, row => ({ hot: hash16(stage.key(row, options)), cold: NONE }));
  if (stage.kind === 'order') return fixed(16, 0, row => ({ hot: hash16(row.id), cold: NONE }));
  if (stage.kind === 'partition') return grouped(row => stage.groups(row, options));
  const { bands, bytes } = stage.shape(options);
  return columns([8, 8, ...new Array<number>(bands).fill(4)], bytes, row => {
    const hot = new Uint8Array(16 + bands * 4);
    const found = stage.sketch(row, state, options);
    const view = new DataView(hot.buffer);
    if (stage.rank) view.setFloat64(0, stage.rank(row, options), true);
    if (!found) return { hot, cold: new Uint8Array(bytes) };
    hot.set(blake3(Buffer.from(found.bytes)).subarray(0, 8), 8);
    // 0 is kept for rows without a sketch.
    hot[8]! |= 1;
    for (let i = 0; i < bands; i++) view.setUint32(16 + i * 4, found.bands[i]!, true);
    return { hot, cold: found.bytes.slice() };
  });
};

const hash16 = (text: string | null): Uint8Array =>
  text === null ? new Uint8Array(16) : hashText(text).subarray(0, 16);

const fixed = (hotWidth: number, coldWidth: number, of: Codec['of']): Codec => ({
  of,
  cut: (hot, cold) =>
    Array.from({ length: hot.length / hotWidth }, (_, i) => ({
      hot: hot.subarray(i * hotWidth, (i + 1) * hotWidth),
      cold: cold.subarray(i * coldWidth, (i + 1) * coldWidth),
    })),
  join: rows => ({ hot: concat(rows.map(r => r.hot)), cold: concat(rows.map(r => r.cold)) }),
});

/** Hot bytes stand in columns, so that a rule which looks at one of them after another reads only that. */
const columns = (widths: readonly number[], coldWidth: number, of: Codec['of']): Codec => {
  const width = widths.reduce((n, w) => n + w, 0);
  const starts = widths.map((_, i) => widths.slice(0, i).reduce((n, w) => n + w, 0));
  return {
    of,
    cut: (hot, cold) => {
      const n = hot.length / width;
      return Array.from({ length: n }, (_, row) => {
        const own = new Uint8Array(width);
        for (const [i, w] of widths.entries())
          own.set(hot.subarray(starts[i]! * n + row * w, starts[i]! * n + row * w + w), starts[i]!);
        return { hot: own, cold: cold.subarray(row * coldWidth, (row + 1) * coldWidth) };
      });
    },
    join: rows => {
      const n = rows.length;
      const hot = new Uint8Array(n * width);
      for (const [row, r] of rows.entries())
        for (const [i, w] of widths.entries())
          hot.set(r.hot.subarray(starts[i]!, starts[i]! + w), starts[i]! * n + row * w);
      return { hot, cold: concat(rows.map(r => r.cold)) };
    },
  };
};

/** A row's hot bytes: one 16-byte hash a group; in a chunk, the numbers of groups stand before them all. */
const grouped = (groups: (row: Row) => readonly string[]): Codec => ({
  of: row => {
    const names = groups(row);
    return { hot: concat((names.length > 0 ? names : [row.id]).map(hash16)), cold: NONE };
  },
  cut: hot => {
    const view = new DataView(hot.buffer, hot.byteOffset);
    const rows = view.getUint32(0, true);
    let at = 4 + rows * 2;
    return Array.from({ length: rows }, (_, i) => {
      const from = at;
      at += view.getUint16(4 + i * 2, true) * 16;
      return { hot: hot.subarray(from, at), cold: NONE };
    });
  },
  join: rows => {
    const head = new Uint8Array(4 + rows.length * 2);
    const view = new DataView(head.buffer);
    view.setUint32(0, rows.length, true);
    for (const [i, r] of rows.entries()) {
      if (r.hot.length > 0xffff * 16) throw new Error('a row is in more than 65,535 groups');
      view.setUint16(4 + i * 2, r.hot.length / 16, true);
    }
    return { hot: concat([head, ...rows.map(r => r.hot)]), cold: NONE };
  },
});

const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
};
