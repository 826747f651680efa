/**
 * Takes records and blobs out of a store in which others may be at work: in transactions, each of which looks first at
 * what they have published, looked up or put again meanwhile.
 */
import type { BlobTable } from './blob-table.ts';
import { disk } from './disk.ts';
import { liveLeases } from './lease.ts';
import { loosePath } from './loose.ts';
import { reach } from './reach.ts';
import type { Records } from './records.ts';
import type { StoredResult } from './results.ts';
import { dataVersion, LOOSE, transaction } from './schema.ts';
import type { Store } from './store.ts';
import { beginGeneration } from './whole.ts';

export interface Deletion {
  readonly store: Store;
  readonly records: Records;
  readonly table: BlobTable;
  /** This process's lease. */
  readonly own: string;
  /** `dataVersion` before anything was read. */
  readonly version: number;
}

/** Blobs of one transaction: others wait for it at most 10 s, however slow the disk is. */
const BATCH = 10_000;

/** Returns those that are gone; what has come into use since is left, and its blobs are marked. */
export const dropRecords = <T extends StoredResult>({ store, table, own }: Deletion, results: readonly T[]): T[] => {
  const { db } = store;
  const useOf = db.prepare('SELECT used FROM uses WHERE key = ?');
  const remove = db.prepare('DELETE FROM records WHERE key = ?');
  const removeUse = db.prepare('DELETE FROM uses WHERE key = ?');
  return transaction(db, () => {
    const held = new Set(liveLeases(store.folder, own).flatMap(l => [...l.keys]));
    const gone = results.filter(r => {
      const { used } = (useOf.get(r.key) ?? r) as { used: number };
      const isUsed = used !== r.used || held.has(r.key);
      if (isUsed) for (const { blobs } of reach(store, r)) table.mark(blobs);
      return !isUsed;
    });
    for (const { key } of gone) {
      remove.run(`node:${key}`);
      removeUse.run(key);
    }
    db.exec(`DELETE FROM records WHERE key >= 'base:' AND key < 'base;'
      AND NOT EXISTS (SELECT 1 FROM records AS r WHERE r.key = 'node:' || records.value)`);
    return gone;
  });
};

/** Deletes those of the table's blobs that are not marked by then; returns the bytes of files that are gone. */
export const deleteBlobs = (
  d: Deletion & { readonly kept: readonly StoredResult[] },
  garbage: readonly number[],
): number => {
  const { store, table } = d;
  const remove = store.db.prepare('DELETE FROM blobs WHERE digest = ? AND pack = ?');
  const looked = new Set(d.kept.map(identity));
  let { version } = d;
  let bytes = 0;
  for (let from = 0; from < garbage.length; from += BATCH) {
    transaction(store.db, () => {
      const now = dataVersion(store.db);
      if (now !== version) markNewcomers(d, looked);
      version = now;
      let deleted = 0;
      for (const i of garbage.slice(from, from + BATCH)) {
        if (table.marks[i] === 1) continue;
        const digest = table.digest(i);
        const pack = table.packs[i]!;
        // Put again into another pack meanwhile, it is not what we looked at.
        if (remove.run(digest, pack).changes === 0) continue;
        deleted++;
        if (pack !== LOOSE) continue;
        // Within the transaction: whoever puts it again from now on finds that it is not there.
        disk.remove(loosePath(store.folder, digest.toString('hex')));
        bytes += table.lengths[i]!;
      }
      if (deleted > 0) beginGeneration(store.db);
    });
  }
  return bytes;
};

/** What others have published, or found and put again, since we looked. */
const markNewcomers = ({ store, records, table, own }: Deletion, looked: Set<string>): void => {
  for (const { blobs } of liveLeases(store.folder, own)) table.mark(blobs);
  for (const { key, record } of records.all()) {
    const result = { key, outputs: record.outputs, alignment: record.alignment };
    if (looked.has(identity(result))) continue;
    looked.add(identity(result));
    for (const { blobs } of reach(store, result)) table.mark(blobs);
  }
};

/** A key may have been published again with other outputs. */
const identity = ({ key, outputs, alignment }: Pick<StoredResult, 'key' | 'outputs' | 'alignment'>): string =>
  JSON.stringify([key, outputs, alignment]);
