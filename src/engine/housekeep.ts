/**
 * What the store needs after a build that has made something: it is kept below its size, and rid of what has grown old. A
 * build that has made nothing does not come here.
 */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Collected, collect } from '../../cache/collect.ts';
import { compact, isScattered } from '../../cache/compact.ts';
import { liveLeases } from '../../cache/lease.ts';
import { tryLock } from '../../cache/lock.ts';
import { memoPath } from '../../cache/memo.ts';
import { addProject } from '../../cache/projects.ts';
import type { Records } from '../../cache/records.ts';
import { type Roots, storedResults } from '../../cache/results.ts';
import type { Store } from '../../cache/store.ts';
import { bytesOf, tidy } from '../../cache/sweep.ts';
import { findRoots } from './roots.ts';
import { sizeInWords, storeSize } from './store-size.ts';

const DAY_MS = 86_400_000;
/** What is collected goes a little below the size, so that not every build has to. */
const ROOM = 0.9;

export interface Housekeeping {
  readonly store: Store;
  readonly records: Records;
  /** Of the project. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What people should know of it, or null. */
export const housekeep = (h: Housekeeping): string | null => {
  try {
    return keep(h, storeSize(h.env, h.store.folder));
  } catch (error) {
    return `the store could not be put in order after the build: ${(error as Error).message}`;
  }
};

const keep = (h: Housekeeping, size: number): string | null => {
  const { store } = h;
  addProject(store.db, h.folder);
  const bytes = storedBytes(store);
  const { floor } = store.db.prepare('SELECT floor FROM meta').get() as { floor: number };
  // Where the last collection could not get below the size, the next one waits until there is something to collect.
  const isFull = bytes > size && bytes > floor + (1 - ROOM) * size;
  const stamp = join(store.folder, 'tidied');
  const isDue = Date.now() - (statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0) > DAY_MS;
  if (!isFull && !isDue && !isScattered(store)) return null;
  const release = lockCollection(store);
  if (!release) return null;
  try {
    // What this process has made is recorded by now, and needs no lease.
    store.rest();
    h.records.save();
    writeFileSync(stamp, '');
    const roots = findRoots(store, h.records, h.folder);
    tidyStore(store, h.records, roots);
    if (!isFull) {
      if (isScattered(store)) compact(store);
      return null;
    }
    const room = size * ROOM - (storedBytes(store) - blobBytes(store));
    const collected = collect(store, h.records, { roots, size: Math.max(0, room), paid: false, dryRun: false });
    const left = storedBytes(store);
    store.db.prepare('UPDATE meta SET floor = ?').run(left > size * ROOM ? left : 0);
    return inWords(collected, left, size);
  } finally {
    store.rest();
    release();
  }
};

/** The lock under which garbage is collected, or null while another process does. */
const lockCollection = (store: Store): (() => void) | null => tryLock(collectionLock(store));

export const collectionLock = (store: Store): string => join(store.folder, 'gc.lock');

/** What counts towards the store's size: packs, loose blobs, and all else that grows. */
export const storedBytes = (store: Store): number =>
  blobBytes(store) +
  ['store.db', 'store.db-wal', memoPath(''), 'trees', 'rows', 'kept', 'work'].reduce(
    (n, name) => n + bytesOf(join(store.folder, name)),
    0,
  );

export const blobBytes = (store: Store): number => store.recheck() + looseBytes(store);

const looseBytes = ({ db }: Store): number =>
  (db.prepare('SELECT coalesce(sum(size), 0) AS n FROM blobs WHERE pack = 0').get() as { n: number }).n;

/** Leftovers, old things, and unpacked trees that no last build has. Returns the bytes that this gives back. */
export const tidyStore = (store: Store, records: Records, roots: Roots, dryRun = false): number => {
  const own = store.lease().id;
  const live = liveLeases(store.folder, own);
  const trees = new Set<string>();
  if (existsSync(join(store.folder, 'trees'))) {
    for (const { protectedBy, outputs } of storedResults(records, roots, live))
      for (const output of Object.values(outputs))
        if (protectedBy.length > 0 && output.type === 'tree') trees.add(output.digest);
  }
  return tidy(store.folder, { trees, db: store.db, busy: live.length > 0, dryRun });
};

const inWords = ({ dropped, freed, later }: Collected, left: number, size: number): string | null => {
  if (dropped.length === 0 && left > size)
    return `the store takes ${sizeInWords(left)}, more than its ${sizeInWords(size)}, and nothing in it may go: finetune cache ls says why; FINETUNE_STORE_SIZE gives it more room`;
  if (dropped.length === 0) return null;
  const soon = later > 0 ? `, ${sizeInWords(later)} more once running builds have ended` : '';
  return `the store had grown beyond its ${sizeInWords(size)}: ${dropped.length} results that had not been used for longest are gone, ${sizeInWords(freed)} freed${soon}`;
};
