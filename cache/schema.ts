/** The tables of `store.db`: made in a new store, brought up to date in an older one. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { disk } from './disk.ts';

const VERSION = 4;

const CORRUPT = 11;

/** A pack of this number is no pack: the blob is a file of its own. */
export const LOOSE = 0;

/**
 * `end` is where the last blob that the index names ends in a pack, `synced` how much of it is known to be on disk, `found`
 * the pack's size, where it was once found to be less; `owner` the lease of the process that writes it; `retired` the leases that may still read it, whose blobs have
 * all been moved or forgotten. `whole` names what has been seen whole in this generation, with the loose blobs of it.
 */
const TABLES = `
  CREATE TABLE IF NOT EXISTS meta (version INTEGER NOT NULL, generation TEXT NOT NULL, floor INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS packs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, "end" INTEGER NOT NULL, found INTEGER, owner TEXT, retired TEXT,
    synced INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE IF NOT EXISTS blobs (
    digest BLOB PRIMARY KEY, pack INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, size INTEGER NOT NULL, compressed INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS loose ON blobs (digest) WHERE pack = ${LOOSE};
  CREATE TABLE IF NOT EXISTS whole (name BLOB PRIMARY KEY, loose TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS uses (
    key TEXT PRIMARY KEY, used INTEGER NOT NULL, recipe TEXT, node TEXT
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS projects (folder TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tags (name TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
`;

/** The folder holds a store that another version of the program made. */
export class StoreVersion extends Error {}

/** Throws StoreVersion for a store that is newer than this program. */
export const prepareTables = (db: DatabaseSync, folder: string): void => {
  const version = versionOf(db);
  if (version === VERSION) return;
  if (version !== null && version > VERSION) {
    throw new StoreVersion(`the store in ${folder} has version ${version}, this finetune reads version ${VERSION}`);
  }
  transaction(db, () => {
    // Another process may have been faster.
    const now = versionOf(db);
    if (now === 1) fromFirst(db, folder);
    else if (now === 2 || now === 3) {
      if (now === 2)
        db.exec('ALTER TABLE packs ADD COLUMN synced INTEGER NOT NULL DEFAULT 0; UPDATE packs SET synced = "end"');
      // Version 3 kept no claims.
      db.exec(TABLES);
      db.prepare('UPDATE meta SET version = ?').run(VERSION);
    } else if (now === null) {
      db.exec(TABLES);
      db.prepare('INSERT INTO meta VALUES (?, ?, 0)').run(VERSION, newGeneration());
    }
  });
};

/** As `transaction`, and on disk when it returns, with all that was committed before it. */
export const durably = <T>(db: DatabaseSync, work: () => T): T => {
  db.exec('PRAGMA synchronous = FULL');
  try {
    return transaction(db, work);
  } finally {
    db.exec('PRAGMA synchronous = NORMAL');
  }
};

/**
 * Runs `work` in a transaction that waits for other writers; rolled back when it throws. A power cut may undo it. Inside of
 * another it is a part of that.
 */
export const transaction = <T>(db: DatabaseSync, work: () => T): T => {
  if (db.isTransaction) return work();
  prepared(db, 'BEGIN IMMEDIATE').run();
  try {
    const result = work();
    disk.commit(db);
    return result;
  } catch (error) {
    // On a full disk SQLite has rolled back by itself.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
};

const statements = new WeakMap<DatabaseSync, Map<string, StatementSync>>();

/** A statement that is prepared once: SQLite takes as long to parse one as to run it. */
export const prepared = (db: DatabaseSync, sql: string): StatementSync => {
  let known = statements.get(db);
  if (!known) statements.set(db, (known = new Map()));
  let statement = known.get(sql);
  if (!statement) known.set(sql, (statement = db.prepare(sql)));
  return statement;
};

/** Another value once another process has changed the database. */
export const dataVersion = (db: DatabaseSync): number =>
  (prepared(db, 'PRAGMA data_version').get() as { data_version: number }).data_version;

export const newGeneration = (): string => crypto.randomUUID();

const versionOf = (db: DatabaseSync): number | null => {
  const { n } = db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'meta'").get() as { n: number };
  if (n === 0) return null;
  const row = db.prepare('SELECT version FROM meta').get() as { version: number } | undefined;
  if (!row) throw Object.assign(new Error('its table "meta" is empty'), { errcode: CORRUPT });
  return row.version;
};

/** Version 1 had no leases and no uses, and did not name loose blobs in the index. */
const fromFirst = (db: DatabaseSync, folder: string): void => {
  db.exec(`
    DROP TABLE meta;
    ALTER TABLE packs RENAME TO old_packs;
    ${TABLES}
    INSERT INTO packs SELECT id, name,
      (SELECT coalesce(max(offset + length), 0) FROM blobs WHERE pack = old_packs.id), NULL, NULL, NULL, 0 FROM old_packs;
    UPDATE packs SET synced = "end";
    DROP TABLE old_packs;
    UPDATE records SET value = CASE WHEN json_valid(value)
      THEN coalesce(json_extract(value, '$.value[0]') || json_extract(value, '$.value[1]'), '') ELSE '' END;
  `);
  db.prepare('INSERT INTO meta VALUES (?, ?, 0)').run(VERSION, newGeneration());
  const insert = db.prepare(`INSERT OR IGNORE INTO blobs VALUES (?, ${LOOSE}, 0, ?, ?, 0)`);
  const blobs = join(folder, 'blobs');
  for (const e of existsSync(blobs) ? readdirSync(blobs, { recursive: true, withFileTypes: true }) : []) {
    if (!e.isFile() || !/^[0-9a-f]{64}$/.test(e.name)) continue;
    const { size } = statSync(join(e.parentPath, e.name));
    insert.run(Buffer.from(e.name, 'hex'), size, size);
  }
};
