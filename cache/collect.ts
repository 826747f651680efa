/**
 * Collects garbage: results that have not been used for longest, until the rest fits, and every blob that no result needs.
 *
 *   kept:  roots, running builds, paid results ──> then the rest, last used first, while it fits ──> dropped: what does not
 *   records go first, then blobs (a record never names one that is not there), then the space in the packs (`compact.ts`)
 *
 * Others may go on building. What they publish while this runs is seen before each batch is deleted, in its transaction;
 * what they put again, they find deleted when they flush (`writing.ts`), or their lease names it and it is kept.
 */
import { statSync } from 'node:fs';
import { BlobTable } from './blob-table.ts';
import { type Compacted, compact } from './compact.ts';
import { deleteBlobs, dropRecords } from './delete.ts';
import { type Held, liveLeases } from './lease.ts';
import { loosePath } from './loose.ts';
import { reach } from './reach.ts';
import type { Records } from './records.ts';
import { type Roots, Scales, type StoredResult, storedResults } from './results.ts';
import { dataVersion, LOOSE } from './schema.ts';
import type { Store } from './store.ts';

export interface CollectOptions {
  readonly roots: Roots;
  /** Bytes that blobs may take on disk: beyond it, what was used longest ago goes. */
  readonly size: number;
  /** Paid results go like any other. */
  readonly paid: boolean;
  /** Only says what would go. */
  readonly dryRun: boolean;
}

export interface Collected extends Compacted {
  readonly dropped: readonly (StoredResult & { readonly bytes: number })[];
  /** Blobs of theirs, and of no result at all. */
  readonly blobs: number;
  /** Bytes of the blobs that stay; of those that no size makes go; and of those that only `paid` lets go. */
  readonly left: number;
  readonly fixed: number;
  readonly paid: number;
}

/** The store's lock for this is the caller's. */
export const collect = (store: Store, records: Records, options: CollectOptions): Collected => {
  const own = store.lease().id;
  const version = dataVersion(store.db);
  const live = liveLeases(store.folder, own);
  const table = new BlobTable(store.db);
  const results = storedResults(records, options.roots, live);
  const { dropped, ...weights } = choose(store, table, results, options);
  const garbage = unmarked(store, table, live, own);
  const bytes = garbage.reduce((n, i) => n + table.lengths[i]!, 0);
  if (options.dryRun) return { dropped, blobs: garbage.length, freed: bytes, later: 0, ...weights };

  const deletion = { store, records, table, own, version };
  const gone = dropRecords(deletion, dropped);
  const keys = new Set(gone.map(r => r.key));
  const kept = results.filter(r => !keys.has(r.key));
  const loose = deleteBlobs({ ...deletion, kept }, garbage);
  const { freed, later } = compact(store);
  return { dropped: gone, blobs: garbage.length, freed: loose + freed, later, ...weights };
};

/** What stays, marked in the table, and what goes. */
const choose = (
  store: Store,
  table: BlobTable,
  results: readonly StoredResult[],
  { size, paid }: CollectOptions,
): Pick<Collected, 'dropped' | 'left' | 'fixed' | 'paid'> => {
  const known = new Set<string>();
  let left = 0;
  /** False, and as if it had not been asked, for what does not fit. */
  const keep = (result: StoredResult, limit: number): boolean => {
    const parts = [...reach(store, result, name => known.has(name))];
    const added = parts.flatMap(({ blobs }) => table.mark(blobs));
    const bytes = added.reduce((n, i) => n + table.lengths[i]!, 0);
    if (left + bytes > limit) {
      for (const i of added) table.marks[i] = 0;
      return false;
    }
    for (const { from } of parts) known.add(from);
    left += bytes;
    return true;
  };
  const isRooted = (r: StoredResult): boolean => r.protectedBy.length > 0;
  for (const r of results) if (isRooted(r)) keep(r, Infinity);
  const rooted = left;
  if (!paid) for (const r of results) if (!isRooted(r) && r.paid) keep(r, Infinity);
  const fixed = left;
  const scales = new Scales(store, table);
  const dropped: Collected['dropped'][number][] = [];
  for (const r of results)
    if (!isRooted(r) && (paid || !r.paid) && !keep(r, size)) dropped.push({ ...r, bytes: scales.whole(r) });
  return { dropped, left, fixed, paid: fixed - rooted };
};

/** Indexes of blobs that nothing needs, but for what running processes have made, or found there. */
const unmarked = (store: Store, table: BlobTable, live: readonly Held[], own: string): number[] => {
  const owners = new Set([own, ...live.map(l => l.id)]);
  const packs = store.db.prepare('SELECT id, owner FROM packs').all() as { id: number; owner: string | null }[];
  const busy = new Set(packs.filter(p => p.owner !== null && owners.has(p.owner)).map(p => p.id));
  for (const { blobs } of live) table.mark(blobs);
  const since = Math.min(...live.map(l => l.since));
  const out: number[] = [];
  for (let i = 0; i < table.count; i++) {
    if (table.marks[i] === 1 || busy.has(table.packs[i]!)) continue;
    // A loose blob does not say who made it: its age does.
    if (table.packs[i] === LOOSE && madeAt(loosePath(store.folder, table.digest(i).toString('hex'))) >= since) continue;
    out.push(i);
  }
  return out;
};

/** Unix ms. */
const madeAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? 0;
