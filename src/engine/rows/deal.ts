/** The rules of stages that deal with all rows at once: each gives every row's stream, from the rows' sketches alone. */
import { setImmediate } from 'node:timers/promises';
import { blake3 } from '@napi-rs/blake-hash';
import type { IndexStage } from '../../../stages/contract.ts';
import { HashTable, Repeats } from '../hash-table.ts';
import { Forest } from './forest.ts';
import { words } from './words.ts';

export interface Sketched {
  readonly rows: number;
  readonly hot: Uint8Array;
  /** Read when it is needed. */
  cold(): Uint8Array;
}

/** Number of the stream of rows that are kept, and of those that are dropped. */
export const KEPT = 0;
export const DROPPED = 2;

/** Chunks after which other work of this thread has its turn. */
const TURN = 512;

/** The first row of each key is kept. */
export const dealByKey = async (chunks: readonly Sketched[]): Promise<Uint8Array[]> => {
  const all = chunks.map(c => words(c.hot));
  const repeats = new Repeats(chunks.reduce((n, c) => n + c.rows, 0));
  for (const h of all) for (let i = 0; i < h.length; i += 4) repeats.add(h[i]!);
  const seen = new HashTable();
  const out: Uint8Array[] = [];
  for (const h of all) {
    const deal = new Uint8Array(h.length / 4);
    for (let row = 0, i = 0; i < h.length; row++, i += 4) {
      const [a, b, c, d] = [h[i]!, h[i + 1]!, h[i + 2]!, h[i + 3]!];
      if (!repeats.has(a) || (a | b | c | d) === 0) continue;
      if (seen.getOrSetHash(a, b, c, d, 0) !== -1) deal[row] = DROPPED;
    }
    out.push(deal);
    if (out.length % TURN === 0) await setImmediate();
  }
  return out;
};

/** Rows that share a group, transitively, go to one side, drawn by the seed and the least hash among their groups. */
export const dealByGroup = async (
  chunks: readonly Sketched[],
  seed: number | string,
  shares: readonly number[],
): Promise<Uint8Array[]> => {
  const parts = chunks.map(({ hot }) => {
    const view = new DataView(hot.buffer, hot.byteOffset);
    const rows = view.getUint32(0, true);
    const counts = Uint16Array.from({ length: rows }, (_, i) => view.getUint16(4 + i * 2, true));
    return { counts, hashes: words(hot.subarray(4 + rows * 2)) };
  });
  const repeats = new Repeats(parts.reduce((n, p) => n + p.hashes.length / 4, 0));
  for (const { hashes } of parts) for (let i = 0; i < hashes.length; i += 4) repeats.add(hashes[i]!);
  await setImmediate();
  const groups = new HashTable();
  /** One tree a set of rows that share groups; its least hash is the identity of the set. */
  const sets = new Forest();
  const alone: Float64Array[] = [];
  const setOf: Int32Array[] = [];
  for (const [n, { counts, hashes }] of parts.entries()) {
    const least = new Float64Array(counts.length);
    const set = new Int32Array(counts.length).fill(-1);
    for (let row = 0, i = 0; row < counts.length; row++) {
      let min = 2;
      let own = -1;
      for (let k = counts[row]!; k > 0; k--, i += 4) {
        const [a, b, c, d] = [hashes[i]!, hashes[i + 1]!, hashes[i + 2]!, hashes[i + 3]!];
        const u = unit(a, b);
        if (u < min) min = u;
        if (!repeats.has(a)) continue;
        const known = groups.getOrSetHash(a, b, c, d, groups.size);
        const id = known === -1 ? sets.add() : known;
        own = own === -1 ? id : sets.union(own, id);
      }
      least[row] = min;
      set[row] = own;
      if (own !== -1) sets.lower(own, min);
    }
    alone.push(least);
    setOf.push(set);
    if (n % TURN === TURN - 1) await setImmediate();
  }
  const h = blake3(String(seed));
  const [s, t] = [h.readUInt32LE(0), h.readUInt32LE(4)];
  const total = shares.reduce((n, share) => n + share, 0);
  return alone.map((least, n) => {
    const deal = new Uint8Array(least.length);
    for (let row = 0; row < least.length; row++) {
      const set = setOf[n]![row]!;
      const at = draw(set === -1 ? least[row]! : sets.least(set), s, t) * total;
      deal[row] = sideOf(shares, at);
    }
    return deal;
  });
};

/** The side whose stretch of the shares laid end to end `at` falls into. */
const sideOf = (shares: readonly number[], at: number): number => {
  let end = 0;
  for (const [i, share] of shares.entries()) {
    end += share;
    if (at < end) return i;
  }
  return shares.length - 1;
};

/** A hash's first 52 bits as a number in [0, 1). */
const unit = (a: number, b: number): number => ((a >>> 0) * 2 ** 20 + (b >>> 12)) / 2 ** 52;

/** In [0, 1), by the seed: the least of many hashes is small, and would send every large set to the first side. */
const draw = (least: number, s: number, t: number): number => {
  const high = Math.floor(least * 2 ** 26);
  const low = Math.floor((least * 2 ** 26 - high) * 2 ** 26);
  const a = mix(high ^ s);
  const b = mix(Math.imul(low, 0x9e3779b1) ^ t ^ a);
  return unit(mix(a ^ b), b);
};

/** murmur3's finaliser. */
const mix = (n: number): number => {
  let h = n;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

/** What is known of pairs of sketches from runs before: whether they are similar. */
export interface Pairs {
  get(a: number, b: number): boolean | null;
  set(a: number, b: number, similar: boolean): void;
}

/** Of rows joined by similar sketches, transitively, one is kept. */
export const dealBySimilarity = async (
  chunks: readonly Sketched[],
  stage: IndexStage,
  options: unknown,
  pairs: Pairs,
): Promise<Uint8Array[]> => {
  const { bands } = stage.shape(options);
  /** Columns of a chunk: ranks (2 words), hashes (2 words), then one word a band. */
  const all = chunks.map(c => words(c.hot));
  const starts: number[] = [];
  let count = 0;
  for (const c of chunks) {
    starts.push(count);
    count += c.rows;
  }
  const joined = new Forest(count);
  const high = new Uint32Array(count);
  const low = new Uint32Array(count);
  for (const [n, h] of all.entries()) {
    const { rows } = chunks[n]!;
    for (let i = 0, at = rows * 2; i < rows; i++, at += 2) {
      high[starts[n]! + i] = h[at]!;
      low[starts[n]! + i] = h[at + 1]!;
    }
  }
  const cold = new Map<number, Uint8Array>();
  const coldOf = (row: number): Uint8Array => {
    const chunk = chunkOf(starts, row);
    let held = cold.get(chunk);
    if (!held) {
      if (cold.size > 4096) cold.clear();
      cold.set(chunk, (held = chunks[chunk]!.cold()));
    }
    const bytes = held.length / chunks[chunk]!.rows;
    const at = (row - starts[chunk]!) * bytes;
    return held.subarray(at, at + bytes);
  };
  const similar = (a: number, b: number): boolean => {
    const [x, y] = [(high[a]! ^ high[b]!) >>> 0, (low[a]! + low[b]!) >>> 0];
    const known = pairs.get(x, y);
    if (known !== null) return known;
    const found = stage.similar(coldOf(a), coldOf(b), options);
    pairs.set(x, y, found);
    return found;
  };

  // Equal sketches are one: their first row stands for them.
  const stands = new Uint8Array(count);
  const equal = new Repeats(count);
  for (let row = 0; row < count; row++) if ((high[row]! | low[row]!) !== 0) equal.add(high[row]!);
  const firsts = new HashTable();
  for (let row = 0; row < count; row++) {
    if ((high[row]! | low[row]!) === 0) continue;
    const first = equal.has(high[row]!) ? firsts.getOrSetHash(high[row]!, low[row]!, 0, 0, row) : -1;
    if (first === -1) stands[row] = 1;
    else joined.union(first, row);
  }
  await setImmediate();

  // Band after band, so that what tells the few shared values from the many others stays in the processor's cache.
  for (let band = 0; band < bands; band++) {
    const values = new Uint32Array(count);
    for (const [n, h] of all.entries()) {
      const { rows } = chunks[n]!;
      const at = rows * (4 + band);
      values.set(h.subarray(at, at + rows), starts[n]!);
    }
    const repeats = new Repeats(count);
    for (let row = 0; row < count; row++) if (stands[row] === 1) repeats.add(mix(values[row]!));
    const buckets = new HashTable();
    /** Rows of a bucket as a list: the last one, and of each the one before it. */
    const last: number[] = [];
    const before = new Map<number, number>();
    for (let row = 0; row < count; row++) {
      if (stands[row] === 0) continue;
      const value = values[row]!;
      const hash = mix(value);
      if (!repeats.has(hash)) continue;
      const bucket = buckets.getOrSetHash(hash, value, 0, 0, last.length);
      if (bucket === -1) {
        last.push(row);
        continue;
      }
      for (let other: number | undefined = last[bucket]; other !== undefined; other = before.get(other))
        if (joined.root(other) !== joined.root(row) && similar(other, row)) joined.union(other, row);
      before.set(row, last[bucket]!);
      last[bucket] = row;
    }
    await setImmediate();
  }

  // Of each set, the row of the highest rank; the first, where ranks are equal.
  const best = new Map<number, { row: number; rank: number }>();
  for (const [n, h] of all.entries()) {
    const { rows } = chunks[n]!;
    const view = stage.rank ? new DataView(h.buffer, h.byteOffset, rows * 8) : null;
    for (let i = 0; i < rows; i++) {
      const row = starts[n]! + i;
      if (joined.alone(row)) continue;
      const root = joined.root(row);
      const rank = view ? view.getFloat64(i * 8, true) : 0;
      const known = best.get(root);
      if (!known || rank > known.rank) best.set(root, { row, rank });
    }
  }
  return chunks.map(({ rows }, n) => {
    const deal = new Uint8Array(rows);
    for (let i = 0; i < rows; i++) {
      const row = starts[n]! + i;
      if (!joined.alone(row) && best.get(joined.root(row))!.row !== row) deal[i] = DROPPED;
    }
    return deal;
  });
};

const chunkOf = (starts: readonly number[], row: number): number => {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= row) low = middle;
    else high = middle - 1;
  }
  return low;
};
