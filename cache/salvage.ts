/**
 * A damaged `store.db` is moved aside, and what can be read of it goes into a new one: of each table the rows up to the first
 * bad page, from either end. Nothing of it has to be trusted: records and blobs are checked whenever they are read.
 *
 *   damaged      somebody has come upon a bad page: whoever opens the store next saves it first
 *   quarantine/store-<time>.db
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { disk } from './disk.ts';
import { makeFolder } from './durable.ts';
import { tryLock } from './lock.ts';
import { prepareTables, transaction } from './schema.ts';

/** SQLITE_CORRUPT, SQLITE_NOTADB; SQLITE_IOERR_SHORT_READ is a page that the file ends in. */
const DAMAGED: ReadonlySet<number> = new Set([11, 26]);
const SHORT = 522;

/** Of tables that our own statements do not find as they were made. */
const NOT_OURS = /^no such (table|column)|has no column named|\bsyntax error|^malformed/;

/** Whether SQLite says that what it reads is no sound database. */
export const isDamage = (error: unknown): boolean => {
  const { errcode = 0, message = '' } = (error ?? {}) as { errcode?: number; message?: string };
  return errcode === SHORT || DAMAGED.has(errcode & 0xff) || (errcode === 1 && NOT_OURS.test(message));
};

export const isDistrusted = (folder: string): boolean => existsSync(join(folder, 'damaged'));

/** To be called with a store whose database has given an error that is damage. */
export const distrust = (folder: string): void => {
  try {
    disk.append(join(folder, 'damaged'), '');
  } catch {
    // A full disk, too: the next build comes upon the same page.
  }
};

/** Puts a new database in place of a damaged one; returns what to tell people, null if somebody else has done so meanwhile. */
export const salvage = (folder: string): string | null => {
  const release = waitFor(join(folder, 'salvage.lock'));
  try {
    const path = join(folder, 'store.db');
    if (!isDistrusted(folder) && opens(path)) return null;
    const aside = join(folder, 'quarantine', `store-${Date.now()}.db`);
    makeFolder(join(folder, 'quarantine'));
    for (const suffix of ['', '-wal']) if (existsSync(path + suffix)) disk.rename(path + suffix, aside + suffix);
    disk.remove(`${path}-shm`);
    const rows = save(aside, path, folder);
    disk.remove(join(folder, 'damaged'));
    return `the store's index was damaged: ${rows} entries of it could be read and are kept, what else is needed is made again; the damaged file is ${aside}`;
  } finally {
    release();
  }
};

const WAIT_MS = 50;

/** Waits in place: nothing can be done before the store is open. */
const waitFor = (path: string): (() => void) => {
  for (;;) {
    const held = tryLock(path);
    if (held) return held;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
  }
};

const opens = (path: string): boolean => {
  try {
    const db = new DatabaseSync(path, { timeout: 10_000 });
    try {
      db.prepare('SELECT count(*) FROM sqlite_master').get();
      return true;
    } finally {
      db.close();
    }
  } catch {
    return false;
  }
};

/** Returns how many rows could be saved. */
const save = (from: string, to: string, folder: string): number => {
  const db = new DatabaseSync(to, { timeout: 10_000 });
  try {
    db.exec('PRAGMA journal_mode = WAL');
    prepareTables(db, folder);
    let old: DatabaseSync;
    try {
      old = new DatabaseSync(from);
    } catch {
      return 0;
    }
    try {
      return transaction(db, () => copyAll(old, db));
    } finally {
      old.close();
    }
  } finally {
    db.close();
  }
};

interface Table {
  readonly name: string;
  readonly sql: string;
}

/** What a new database has of its own, or can do without. */
const LEFT: ReadonlySet<string> = new Set(['meta', 'whole', 'sqlite_sequence']);

const copyAll = (old: DatabaseSync, db: DatabaseSync): number => {
  let rows = 0;
  for (const { name, sql } of tablesOf(old)) {
    if (LEFT.has(name)) continue;
    try {
      if (!tablesOf(db).some(t => t.name === name)) db.exec(sql);
    } catch {
      continue;
    }
    for (const way of ['ASC', 'DESC'] as const) {
      try {
        rows += copy(old, db, name, way);
        break;
      } catch {
        // From here on it cannot be read; from the other end, perhaps more of it.
      }
    }
  }
  db.exec(`DELETE FROM packs WHERE name NOT GLOB '[0-9a-f]*.pack' OR name GLOB '*/*';
           DELETE FROM blobs WHERE pack <> 0 AND pack NOT IN (SELECT id FROM packs);`);
  return rows;
};

const tablesOf = (db: DatabaseSync): Table[] => {
  try {
    return db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all() as unknown as Table[];
  } catch {
    return [];
  }
};

const copy = (old: DatabaseSync, db: DatabaseSync, name: string, way: 'ASC' | 'DESC'): number => {
  const columns = db.prepare(`PRAGMA table_info("${name}")`).all() as { name: string; pk: number }[];
  const quoted = (all: typeof columns) => all.map(c => `"${c.name}"`).join(', ');
  const keys = columns.filter(c => c.pk > 0).sort((a, b) => a.pk - b.pk);
  const order = keys.length === 0 ? '' : `ORDER BY ${keys.map(c => `"${c.name}" ${way}`).join(', ')}`;
  const insert = db.prepare(
    `INSERT OR IGNORE INTO "${name}" (${quoted(columns)}) VALUES (${columns.map(() => '?').join(', ')})`,
  );
  const rows = old.prepare(`SELECT ${quoted(columns)} FROM "${name}" ${order}`);
  rows.setReadBigInts(true);
  let n = 0;
  for (const row of rows.iterate())
    n += Number(insert.run(...columns.map(c => (row as Record<string, null>)[c.name]!)).changes);
  return n;
};
