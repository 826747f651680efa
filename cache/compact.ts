/**
 * Gives back the space of deleted blobs in packs: the blobs that are left in a pack of which much is dead are copied to a new one.
 *
 *   old pack ──copy──> new pack, durable ──> index, in one transaction ──> old pack unlinked, once nobody can be reading it
 *
 * A running build may have located blobs in the old pack and open it only later: then the pack is retired, and goes when
 * none of the leases that were there at the time is left.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BlobLocation, BlobReader } from './blob.ts';
import { disk } from './disk.ts';
import { liveLeases } from './lease.ts';
import { type OpenPack, Packs } from './packs.ts';
import { durably, transaction } from './schema.ts';
import type { Store } from './store.ts';
import { beginGeneration } from './whole.ts';

export interface Compacted {
  /** Bytes given back to the disk, and bytes that will be when running builds have ended. */
  readonly freed: number;
  readonly later: number;
}

/** Packs of which less is dead stay as they are: copying costs more than it brings. */
const DEAD_SHARE = 0.3;
/** More packs than these that are small are joined to one. */
const SMALL = 4 << 20;
const SMALL_PACKS = 32;
const NEW_PACK = 1 << 30;
/** A file that nothing names, and that nobody can be about to name any more. */
const ORPHAN_MS = 3_600_000;

interface PackState {
  readonly id: number;
  readonly path: string;
  readonly size: number;
  /** Bytes that the index names. */
  readonly live: number;
}

export const compact = (store: Store): Compacted => {
  const { db } = store;
  const own = store.lease().id;
  const readers = liveLeases(store.folder, own).map(l => l.id);
  const total = { freed: dropRetired(store, readers) + dropOrphans(store), later: 0 };
  const packs = idlePacks(store, [own, ...readers]);
  const unlink = (pack: PackState): void => {
    disk.remove(pack.path);
    total.freed += Math.max(0, pack.size);
  };
  for (const pack of packs.filter(p => p.live === 0)) {
    db.prepare('DELETE FROM packs WHERE id = ? AND NOT EXISTS (SELECT 1 FROM blobs WHERE pack = ?)').run(
      pack.id,
      pack.id,
    );
    unlink(pack);
  }
  for (const pack of packs.filter(p => p.live > 0 && p.size < 0)) forgetPack(store, pack.id);
  const small = packs.filter(p => p.live > 0 && p.size >= 0 && p.size < SMALL);
  const moving = packs
    .filter(
      p => p.live > 0 && (p.size - p.live > p.size * DEAD_SHARE || (small.length > SMALL_PACKS && small.includes(p))),
    )
    .sort((a, b) => b.size - b.live - (a.size - a.live));
  const mover = new Mover(store, own);
  try {
    for (const pack of moving) {
      if (!mover.move(pack, readers)) continue;
      total.freed -= pack.live;
      if (readers.length === 0) unlink(pack);
      else total.later += pack.size;
    }
  } finally {
    mover.close();
  }
  return total;
};

/** Whether there are so many packs that opening the store has become slow. */
export const isScattered = ({ db }: Store): boolean =>
  (db.prepare('SELECT count(*) AS n FROM packs').get() as { n: number }).n > 8 * SMALL_PACKS;

/** Packs that no running process writes. */
const idlePacks = ({ db, folder }: Store, busy: readonly string[]): PackState[] => {
  const rows = db
    .prepare(
      `SELECT id, name, owner, coalesce(live, 0) AS live FROM packs
       LEFT JOIN (SELECT pack, sum(length) AS live FROM blobs GROUP BY pack) ON pack = id WHERE retired IS NULL`,
    )
    .all() as { id: number; name: string; owner: string | null; live: number }[];
  return rows
    .filter(r => r.owner === null || !busy.includes(r.owner))
    .map(({ id, name, live }) => {
      const path = join(folder, 'packs', name);
      return { id, path, live, size: statSync(path, { throwIfNoEntry: false })?.size ?? -1 };
    });
};

/** Its file has gone, and all that was in it. */
const forgetPack = ({ db }: Store, id: number): void =>
  transaction(db, () => {
    db.prepare('DELETE FROM blobs WHERE pack = ?').run(id);
    db.prepare('DELETE FROM packs WHERE id = ?').run(id);
    beginGeneration(db);
  });

const dropRetired = ({ db, folder }: Store, readers: readonly string[]): number => {
  let bytes = 0;
  const rows = db.prepare('SELECT id, name, retired FROM packs WHERE retired IS NOT NULL').all();
  for (const { id, name, retired } of rows as { id: number; name: string; retired: string }[]) {
    if (retired.split(' ').some(r => readers.includes(r))) continue;
    const path = join(folder, 'packs', name);
    bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    db.prepare('DELETE FROM packs WHERE id = ?').run(id);
    disk.remove(path);
  }
  return bytes;
};

/** Pack files that were made, or deleted, by a process that was killed on the way. */
const dropOrphans = ({ db, folder }: Store): number => {
  const known = new Set((db.prepare('SELECT name FROM packs').all() as { name: string }[]).map(r => r.name));
  let bytes = 0;
  for (const name of existsSync(join(folder, 'packs')) ? readdirSync(join(folder, 'packs')) : []) {
    if (known.has(name)) continue;
    const path = join(folder, 'packs', name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat || Date.now() - stat.mtimeMs < ORPHAN_MS) continue;
    disk.remove(path);
    bytes += stat.size;
  }
  return bytes;
};

/** Copies what is left in packs to new ones. */
class Mover {
  readonly #store: Store;
  readonly #packs: Packs;
  readonly #own: string;
  readonly #reader = new BlobReader();
  #to: OpenPack | null = null;

  constructor(store: Store, own: string) {
    this.#store = store;
    this.#packs = new Packs(store.folder, store.db);
    this.#own = own;
  }

  /** Whether all of it is somewhere else now. */
  move(pack: PackState, readers: readonly string[]): boolean {
    const { db } = this.#store;
    const rows = db.prepare('SELECT digest, offset, length FROM blobs WHERE pack = ? ORDER BY offset').all(pack.id) as {
      digest: Uint8Array;
      offset: number;
      length: number;
    }[];
    if (this.#to && this.#to.end + pack.live > NEW_PACK) this.#end();
    const to = (this.#to ??= this.#packs.open(this.#own));
    let moved: { digest: Uint8Array; from: number; to: number }[];
    try {
      moved = rows.map(({ digest, offset, length }) => {
        const at: BlobLocation = { digest: '', path: pack.path, offset, length, size: length, compressed: false };
        return { digest, from: offset, to: to.append(this.#reader.raw(at)) };
      });
      to.drain();
      to.sync();
    } catch {
      // A pack that is damaged stays where it is, for verify to look at; so does everything on a full disk.
      this.#end();
      return false;
    }
    // On disk before the old pack goes.
    return durably(db, () => {
      const update = db.prepare('UPDATE blobs SET pack = ?, offset = ? WHERE digest = ? AND pack = ? AND offset = ?');
      for (const m of moved) update.run(to.id, m.to, m.digest, pack.id, m.from);
      db.prepare('UPDATE packs SET "end" = ?1, synced = ?1 WHERE id = ?2').run(to.end, to.id);
      if (db.prepare('SELECT 1 FROM blobs WHERE pack = ?').get(pack.id)) return false;
      if (readers.length === 0) db.prepare('DELETE FROM packs WHERE id = ?').run(pack.id);
      else db.prepare('UPDATE packs SET retired = ? WHERE id = ?').run(readers.join(' '), pack.id);
      return true;
    });
  }

  close(): void {
    this.#end();
    this.#reader.close();
  }

  #end(): void {
    this.#to?.close();
    this.#to = null;
  }
}
