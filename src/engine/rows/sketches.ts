/**
 * Sketches: what a rule that deals with all rows at once needs of each row, in few bytes, so that the rule can be applied
 * anew to millions of rows in the time that reading a file takes, and only changed rows are looked at again.
 *
 *   keyed      hot: hash of the key, 16 bytes a row; 0 for a row without one
 *   partition  hot: u32 number of rows, u16 groups of each row, then 16 bytes a group
 *   index      hot: columns of f64 ranks, 8-byte hashes of sketches (0 for a row without one), u32 values a band
 *              cold: the sketch's bytes, as many of each row (none where all rows of a chunk are without a sketch)
 *   order      hot: hash of the row's id, 16 bytes a row
 *   check      hot: of each row a byte a rule (see `check-layout.ts`), then 16 bytes of a key for each rule that compares rows
 */
import { blake3 } from '@napi-rs/blake-hash';
import type { BlobReader } from '../../../cache/blob.ts';
import { chunkLines, decodeRow } from '../../../cache/dataset.ts';
import type {
  CheckStage,
  IndexStage,
  KeyedStage,
  OrderStage,
  PartitionStage,
  Row,
  Sketch,
  Stage,
} from '../../../stages/contract.ts';
import { hashText } from '../hash-table.ts';
import { layoutOf, writeFindings } from './check-layout.ts';
import type { SketchAnswer, SketchTask } from './tasks.ts';

export type DealingStage = KeyedStage | PartitionStage | IndexStage | OrderStage | CheckStage;

const KINDS: ReadonlySet<string> = new Set([
  'keyed',
  'partition',
  'index',
  'order',
  'check',
] satisfies DealingStage['kind'][]);

export const isSketched = (stage: Stage): stage is DealingStage => KINDS.has(stage.kind);

/** Bytes of one row's sketch, by row, found again in a chunk's. */
interface Codec {
  /** The sketch of a row. */
  of(row: Row): Parts | Promise<Parts>;
  /** Cuts a chunk's sketch into those of its rows. */
  cut(hot: Uint8Array, cold: Uint8Array): Parts[];
  join(rows: readonly Parts[]): SketchAnswer['sketches'][number];
}

interface Parts {
  readonly hot: Uint8Array;
  readonly cold: Uint8Array;
}

interface Given {
  readonly state: unknown;
  readonly options: unknown;
  readonly reader: BlobReader;
  /** Called for each row that has been sketched. */
  readonly finished?: (() => void) | undefined;
}

const NONE = new Uint8Array(0);

/** Computes the sketches of chunks; rows that an earlier version of the chunk holds too are not computed again. */
export const sketch = async (
  task: SketchTask,
  stage: DealingStage,
  { state, options, reader, finished }: Given,
): Promise<SketchAnswer> => {
  const codec = codecOf(stage, state, options);
  let computed = 0;
  const known = new Map<string, Parts>();
  for (const { at, sketch: hot, cold } of task.old) {
    const rows = codec.cut(hot, cold);
    for (const [i, line] of chunkLines(reader.read(at)).entries()) known.set(line, rows[i]!);
  }
  const one = (line: string): Parts | Promise<Parts> => {
    const same = known.get(line);
    if (same) return same;
    computed++;
    const made = codec.of(decodeRow(line));
    if (!(made instanceof Promise)) return made;
    return finished ? made.finally(finished) : made;
  };
  const sketches: SketchAnswer['sketches'][number][] = [];
  for (const at of task.chunks) {
    const rows = chunkLines(reader.read(at)).map(one);
    sketches.push(codec.join(rows.some(r => r instanceof Promise) ? await all(rows) : (rows as Parts[])));
  }
  return { computed, sketches };
};

/** As `Promise.all`, but when one fails the others are waited for: what has been asked for is paid for. */
const all = async <T>(values: readonly (T | Promise<T>)[]): Promise<T[]> => {
  await Promise.allSettled(values);
  return Promise.all(values);
};

const codecOf = (stage: DealingStage, state: unknown, options: unknown): Codec => {
  if (stage.kind === 'keyed') return fixed(16, row => ({ hot: hash16(stage.key(row, options)), cold: NONE }));
  if (stage.kind === 'order') return fixed(16, row => ({ hot: hash16(row.id), cold: NONE }));
  if (stage.kind === 'check') {
    const layout = layoutOf(stage.rules(options));
    return fixed(layout.width, row => ({ hot: writeFindings(layout, stage.look(row, state, options)), cold: NONE }));
  }
  if (stage.kind === 'partition') return grouped(row => stage.groups(row, options));
  const { bands } = stage.shape(options);
  const parts = (row: Row, found: Sketch | null): Parts => {
    const hot = new Uint8Array(16 + bands * 4);
    const view = new DataView(hot.buffer);
    if (stage.rank) view.setFloat64(0, stage.rank(row, options), true);
    if (!found) return { hot, cold: NONE };
    hot.set(blake3(Buffer.from(found.bytes)).subarray(0, 8), 8);
    // 0 is kept for rows without a sketch.
    hot[8]! |= 1;
    for (let i = 0; i < bands; i++) view.setUint32(16 + i * 4, found.bands[i]!, true);
    return { hot, cold: found.bytes.slice() };
  };
  return columns([8, 8, ...new Array<number>(bands).fill(4)], row => {
    const found = stage.sketch(row, state, options);
    return found instanceof Promise ? found.then(f => parts(row, f)) : parts(row, found);
  });
};

/** 0 for none. */
export const hash16 = (text: string | null): Uint8Array =>
  text === null ? new Uint8Array(16) : hashText(text).subarray(0, 16);

const fixed = (width: number, of: Codec['of']): Codec => ({
  of,
  cut: hot =>
    Array.from({ length: hot.length / width }, (_, i) => ({
      hot: hot.subarray(i * width, (i + 1) * width),
      cold: NONE,
    })),
  join: rows => ({ hot: concat(rows.map(r => r.hot)), cold: NONE }),
});

/** Hot bytes stand in columns, so that a rule which looks at one of them after another reads only that. */
const columns = (widths: readonly number[], of: Codec['of']): Codec => {
  const width = widths.reduce((n, w) => n + w, 0);
  const starts = widths.map((_, i) => widths.slice(0, i).reduce((n, w) => n + w, 0));
  return {
    of,
    cut: (hot, cold) => {
      const n = hot.length / width;
      const bytes = cold.length / n;
      return Array.from({ length: n }, (_, row) => {
        const own = new Uint8Array(width);
        for (const [i, w] of widths.entries())
          own.set(hot.subarray(starts[i]! * n + row * w, starts[i]! * n + row * w + w), starts[i]!);
        return { hot: own, cold: cold.subarray(row * bytes, (row + 1) * bytes) };
      });
    },
    join: rows => {
      const n = rows.length;
      const hot = new Uint8Array(n * width);
      for (const [row, r] of rows.entries())
        for (const [i, w] of widths.entries())
          hot.set(r.hot.subarray(starts[i]!, starts[i]! + w), starts[i]! * n + row * w);
      // A row without a sketch has as many bytes as the others, of which nothing is read.
      const bytes = Math.max(0, ...rows.map(r => r.cold.length));
      const cold = new Uint8Array(n * bytes);
      for (const [row, r] of rows.entries()) {
        if (r.cold.length !== bytes && r.cold.length > 0) throw new Error('sketches of two lengths');
        cold.set(r.cold, row * bytes);
      }
      return { hot, cold };
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
