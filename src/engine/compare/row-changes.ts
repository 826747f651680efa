/**
 * How two datasets differ, row by row: chunks that both have are skipped by their digests, the rest is walked side by side
 * and matched by row id. Rows that wait for their counterpart are held as hashes; when too many wait (all is new, or in
 * another order), it begins again in passes over a part of the ids each.
 */
import { setImmediate } from 'node:timers/promises';
import { BlobCorrupt, BlobReader } from '../../../cache/blob.ts';
import { digest } from '../../../cache/digest.ts';
import type { Store } from '../../../cache/store.ts';
import type { Row } from '../../../stages/contract.ts';
import { rowsSource } from '../artifact.ts';
import type { RowsSource } from '../protocol.ts';
import { readChunk } from '../reading.ts';

export interface RowChanges {
  /** Rows in all. */
  readonly before: number;
  readonly after: number;
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly examples: {
    readonly added: readonly Row[];
    readonly removed: readonly Row[];
    readonly changed: readonly { readonly before: Row; readonly after: Row }[];
  };
}

export interface RowChangesOptions {
  /** Examples of each kind. */
  readonly most: number;
  /** Rows that may wait for their counterpart at once: some 150 bytes each. */
  readonly waiting?: number;
}

const WAITING = 400_000;

/** Names of datasets (their manifests); null stands for none at all. Null when one is no longer whole in the store. */
export const rowChanges = async (
  store: Store,
  before: string | null,
  after: string | null,
  { most, waiting = WAITING }: RowChangesOptions,
): Promise<RowChanges | null> => {
  const sources = [before, after].map(name => (name === null ? NONE : rowsSource(store, name)));
  const [old, now] = sources;
  if (!old || !now) return null;
  const reader = new BlobReader();
  try {
    const sides = restOf(old, now);
    let found = await pass({ reader, sides, most, waiting, part: () => true });
    if (!found) {
      const rows = sides.reduce((n, s) => n + s.chunks.reduce((m, i) => m + s.source.chunks[i]!.rows, 0), 0);
      const parts = Math.ceil((2 * rows) / waiting);
      found = NOTHING;
      for (let part = 0; part < parts; part++) {
        const in_ = (id: string) => idHash(id) % parts === part;
        found = sum(found, (await pass({ reader, sides, most, waiting: Infinity, part: in_ }))!, most);
      }
    }
    return { before: old.count, after: now.count, ...found };
  } catch (error) {
    // As good as missing: the next build makes it again.
    if (error instanceof BlobCorrupt) return null;
    throw error;
  } finally {
    reader.close();
  }
};

/** Rows in chunks that only one of the datasets has: at most so many differ. Null as for `rowChanges`. */
export const dirtyRows = (store: Store, before: string, after: string): { before: number; after: number } | null => {
  const [old, now] = [rowsSource(store, before), rowsSource(store, after)];
  if (!old || !now) return null;
  const [a, b] = restOf(old, now).map(s => s.chunks.reduce((n, i) => n + s.source.chunks[i]!.rows, 0));
  return { before: a!, after: b! };
};

type Found = Omit<RowChanges, 'before' | 'after'>;

const NONE: RowsSource = { chunks: [], count: 0, prefix: '' };
const NOTHING: Found = { added: 0, removed: 0, changed: 0, examples: { added: [], removed: [], changed: [] } };

interface Side {
  readonly source: RowsSource;
  /** Indices of chunks that the other side does not have. */
  readonly chunks: readonly number[];
}

const restOf = (old: RowsSource, now: RowsSource): [Side, Side] => {
  const names = [old, now].map(s => new Set(s.chunks.map(c => c.digest)));
  const rest = (source: RowsSource, other: Set<string>): Side => ({
    source,
    chunks: source.chunks.flatMap((c, i) => (other.has(c.digest) ? [] : [i])),
  });
  return [rest(old, names[1]!), rest(now, names[0]!)];
};

interface Pass {
  readonly reader: BlobReader;
  readonly sides: readonly [Side, Side];
  readonly most: number;
  readonly waiting: number;
  /** Whether this pass is about the id. */
  readonly part: (id: string) => boolean;
}

/** A row that has no counterpart yet. */
interface Waiting {
  readonly hash: number;
  readonly chunk: number;
  readonly at: number;
}

/** Null when more rows wait than may. */
const pass = async ({ reader, sides, most, waiting, part }: Pass): Promise<Found | null> => {
  const wait = [new Map<string, Waiting>(), new Map<string, Waiting>()] as const;
  const next = [0, 0];
  const examples: { before: Row; after: Row }[] = [];
  let changed = 0;
  const rowAt = (side: 0 | 1, { chunk, at }: Waiting): Row => readChunk(reader, sides[side].source, chunk)[at]!;
  for (let read = 0; ; read++) {
    // A loop that never reaches the event loop keeps native buffers alive.
    if (read % 8 === 7) await setImmediate();
    const done = ([0, 1] as const).map(s => next[s]! / sides[s].chunks.length);
    const open = ([0, 1] as const).filter(s => next[s]! < sides[s].chunks.length);
    if (open.length === 0) break;
    // Side by side, so that rows which have stayed where they were find each other at once.
    const side = open.length === 1 ? open[0]! : done[0]! <= done[1]! ? 0 : 1;
    const other = side === 0 ? 1 : 0;
    const chunk = sides[side].chunks[next[side]!++]!;
    for (const [at, row] of readChunk(reader, sides[side].source, chunk).entries()) {
      if (!part(row.id)) continue;
      const hash = contentHash(row);
      const partner = wait[other].get(row.id);
      if (!partner) {
        wait[side].set(row.id, { hash, chunk, at });
        continue;
      }
      wait[other].delete(row.id);
      if (partner.hash === hash) continue;
      changed++;
      if (examples.length >= most) continue;
      const theirs = rowAt(other, partner);
      examples.push(side === 0 ? { before: row, after: theirs } : { before: theirs, after: row });
    }
    if (wait[0].size + wait[1].size > waiting) return null;
  }
  const first = (side: 0 | 1) => [...wait[side].values()].slice(0, most).map(w => rowAt(side, w));
  return {
    added: wait[1].size,
    removed: wait[0].size,
    changed,
    examples: { added: first(1), removed: first(0), changed: examples },
  };
};

const sum = (a: Found, b: Found, most: number): Found => ({
  added: a.added + b.added,
  removed: a.removed + b.removed,
  changed: a.changed + b.changed,
  examples: {
    added: [...a.examples.added, ...b.examples.added].slice(0, most),
    removed: [...a.examples.removed, ...b.examples.removed].slice(0, most),
    changed: [...a.examples.changed, ...b.examples.changed].slice(0, most),
  },
});

/** 52 bits, compared only between rows of one id. */
const contentHash = ({ parent, fields }: Row): number =>
  Number.parseInt(digest(JSON.stringify([parent, fields])).slice(0, 13), 16);

/** FNV-1a over UTF-16 units. */
const idHash = (id: string): number => {
  let h = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) h = Math.imul(h ^ id.charCodeAt(i), 0x01000193);
  return (h ^ (h >>> 15)) >>> 0;
};
