/**
 * The ends of packs that a killed process, or a power cut, has left behind: the index names what lies in them, but nobody has
 * seen it reach the disk. It is read before it is believed, and what is wrong is forgotten.
 */
import { existsSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { BlobReader } from './blob.ts';
import { disk } from './disk.ts';
import { liveLeases } from './lease.ts';
import type { Tail } from './packs.ts';
import { durably } from './schema.ts';
import { beginGeneration } from './whole.ts';

interface TailRow {
  readonly digest: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly size: number;
  readonly compressed: number;
}

export const proveTails = (db: DatabaseSync, folder: string, tails: readonly Tail[]): void => {
  if (tails.length === 0) return;
  const live = new Set(liveLeases(folder).map(l => l.id));
  for (const tail of tails) if (tail.owner === null || !live.has(tail.owner)) prove(db, tail);
};

const prove = (db: DatabaseSync, { id, path, from }: Tail): void => {
  const rows = db
    .prepare('SELECT digest, offset, length, size, compressed FROM blobs WHERE pack = ? AND offset + length > ?')
    .all(id, from) as unknown as TailRow[];
  const reader = new BlobReader();
  const wrong = rows.filter(({ digest, offset, length, size, compressed }) => {
    const name = Buffer.from(digest).toString('hex');
    return reader.fault({ digest: name, path, offset, length, size, compressed: compressed === 1 }) !== null;
  });
  reader.close();
  if (existsSync(path)) syncFile(path);
  durably(db, () => {
    const remove = db.prepare('DELETE FROM blobs WHERE digest = ? AND pack = ?');
    for (const { digest } of wrong) remove.run(digest, id);
    if (wrong.length > 0) beginGeneration(db);
    db.prepare('UPDATE packs SET synced = "end" WHERE id = ?').run(id);
  });
};

const syncFile = (path: string): void => {
  const fd = disk.open(path, 'r');
  try {
    disk.syncData(fd);
  } finally {
    disk.close(fd);
  }
};
