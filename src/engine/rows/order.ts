/** The order of all rows by a hash of seed, repetition and id, from the rows' sketches alone. */
import { blake3 } from '@napi-rs/blake-hash';

/** The rows in their order: one value a place. */
export interface Sequence {
  readonly length: number;
  /** What it is sorted by, in [0, 1). */
  readonly key: Float64Array;
  /** 32 bits of the hash of the row's id that are not in the key. */
  readonly id: Int32Array;
  /** Chunk and row there, and how often the row has been repeated before. */
  readonly chunk: Uint32Array;
  readonly row: Uint32Array;
  readonly times: Uint32Array;
}

/** `counts` and `take` are rows there are, and rows to take, by dataset. */
export const orderOf = (
  chunks: readonly { readonly dataset: number; readonly hot: Uint8Array }[],
  counts: readonly number[],
  take: readonly number[],
  seed: number | string,
): Sequence => {
  const h = blake3(String(seed));
  const s = h.readInt32LE(0);
  const words = chunks.map(({ hot }) =>
    hot.byteOffset % 4 === 0
      ? new Int32Array(hot.buffer, hot.byteOffset, hot.length >> 2)
      : new Int32Array(new Uint8Array(hot).buffer),
  );
  const keyOf = (chunk: number, row: number, times: number, purpose: number): number => {
    const w = words[chunk]!;
    const salt = Math.imul(times * 2 + purpose + 1, 0x9e3779b1) ^ Math.imul(chunks[chunk]!.dataset + 1, 0x85ebca77) ^ s;
    const a = mix(w[row * 4]! ^ salt);
    const b = mix(w[row * 4 + 1]! ^ Math.imul(a, 0xc2b2ae35) ^ salt);
    return ((a >>> 0) * 2 ** 20 + (b >>> 12)) / 2 ** 52;
  };
  /** Of the last, partial repetition of each dataset only rows that draw less than this. */
  const limits = counts.map((count, dataset) => {
    const rest = count === 0 ? 0 : take[dataset]! % count;
    if (rest === 0) return 0;
    const times = Math.floor(take[dataset]! / count);
    const draws = new Float64Array(count);
    let n = 0;
    for (const [i, chunk] of chunks.entries()) {
      if (chunk.dataset !== dataset) continue;
      for (let row = 0; row < words[i]!.length / 4; row++) draws[n++] = keyOf(i, row, times, 1);
    }
    return draws.sort()[rest]!;
  });
  const size = Math.max(
    1,
    take.reduce((n, t, i) => n + (counts[i] === 0 ? 0 : t), 0),
  );
  const keys = new Float64Array(size);
  const chunkAt = new Uint32Array(size);
  const rowAt = new Uint32Array(size);
  const timesAt = new Uint32Array(size);
  let length = 0;
  for (const [i, { dataset }] of chunks.entries()) {
    const whole = Math.floor(take[dataset]! / counts[dataset]!);
    for (let row = 0; row < words[i]!.length / 4; row++) {
      for (let times = 0; times <= whole; times++) {
        if (times === whole && !(keyOf(i, row, times, 1) < limits[dataset]!)) continue;
        keys[length] = keyOf(i, row, times, 0);
        chunkAt[length] = i;
        rowAt[length] = row;
        timesAt[length] = times;
        length++;
      }
    }
  }
  const places = sortPlaces(keys, length);
  const out = {
    length,
    key: new Float64Array(length),
    id: new Int32Array(length),
    chunk: new Uint32Array(length),
    row: new Uint32Array(length),
    times: new Uint32Array(length),
  };
  for (let place = 0; place < length; place++) {
    const at = places[place]!;
    const [chunk, row] = [chunkAt[at]!, rowAt[at]!];
    out.key[place] = keys[at]!;
    out.id[place] = words[chunk]![row * 4 + 2]!;
    out.chunk[place] = chunk;
    out.row[place] = row;
    out.times[place] = timesAt[at]!;
  }
  return out;
};

/** Indexes of the first `length` keys in ascending order; equal keys stay in theirs. Buckets of a few each. */
const sortPlaces = (keys: Float64Array, length: number): Uint32Array => {
  const buckets = Math.max(1, length >> 2);
  const ends = new Uint32Array(buckets + 1);
  for (let i = 0; i < length; i++) ends[Math.floor(keys[i]! * buckets) + 1]!++;
  for (let b = 1; b <= buckets; b++) ends[b]! += ends[b - 1]!;
  const next = ends.slice(0, buckets);
  const out = new Uint32Array(length);
  for (let i = 0; i < length; i++) out[next[Math.floor(keys[i]! * buckets)]!++] = i;
  for (let b = 0; b < buckets; b++) {
    for (let i = ends[b]! + 1; i < ends[b + 1]!; i++) {
      const moving = out[i]!;
      let k = i;
      for (; k > ends[b]! && keys[out[k - 1]!]! > keys[moving]!; k--) out[k] = out[k - 1]!;
      out[k] = moving;
    }
  }
  return out;
};

const mix = (n: number): number => {
  let h = n;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};
