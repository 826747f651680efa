/**
 * Answers that cost money or hours, row by row: of language models, embeddings, pages fetched. Kept by a key of the caller's
 * (a digest of all that the answer depends on) in a database of their own, durable as soon as `put` returns, so that
 * a killed build pays for nothing twice.
 *
 *   memo.db   key, the answer (plain or zstd) with its digest, when it came, when it was last used
 *
 * Garbage collection leaves them alone unless asked for paid things.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { zstdDecompressSync } from 'node:zlib';
import { pack } from './blob.ts';
import { digest } from './digest.ts';
import { disk } from './disk.ts';
import { makeFolder } from './durable.ts';
import { transaction } from './schema.ts';

const TABLE = `
  CREATE TABLE IF NOT EXISTS memo (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, digest BLOB NOT NULL, size INTEGER NOT NULL, compressed INTEGER NOT NULL,
    made INTEGER NOT NULL, used INTEGER NOT NULL
  ) WITHOUT ROWID;
`;
const DAY = 86_400;
const DAMAGED = new Set([11, 26]);

interface MemoRow {
  readonly value: Uint8Array;
  readonly digest: Uint8Array;
  readonly size: number;
  readonly compressed: number;
  readonly used: number;
}

export class Memo {
  readonly #db: DatabaseSync;
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #replace: StatementSync;
  readonly #touched = new Set<string>();

  /** `folder` is the store's. A damaged database is moved aside, and `onWarning` says so: what was in it is paid for again. */
  constructor(folder: string, onWarning: (message: string) => void = () => {}) {
    const path = memoPath(folder);
    try {
      this.#db = open(path);
    } catch (error) {
      if (!DAMAGED.has((error as { errcode?: number }).errcode ?? 0)) throw error;
      const aside = join(folder, 'quarantine', `memo-${Date.now()}.db`);
      makeFolder(join(folder, 'quarantine'));
      for (const suffix of ['', '-wal', '-shm'])
        if (existsSync(path + suffix)) disk.rename(path + suffix, aside + suffix);
      onWarning(
        `the answers kept of earlier runs (${path}) are damaged (${(error as Error).message}) and will be asked for again; the file is kept as ${aside}: sqlite3's .recover may get some of it back`,
      );
      this.#db = open(path);
    }
    this.#find = this.#db.prepare('SELECT value, digest, size, compressed, used FROM memo WHERE key = ?');
    this.#insert = this.#db.prepare('INSERT OR IGNORE INTO memo VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#replace = this.#db.prepare('INSERT OR REPLACE INTO memo VALUES (?, ?, ?, ?, ?, ?, ?)');
  }

  /** The answers that are known, by key (64 hex digits). One that is not what it was is not known, and forgotten. */
  get(keys: Iterable<string>): Map<string, Buffer> {
    const out = new Map<string, Buffer>();
    for (const key of keys) {
      const row = this.#find.get(Buffer.from(key, 'hex')) as MemoRow | undefined;
      if (!row) continue;
      const value = contentOf(row);
      if (value) {
        out.set(key, value);
        if (Math.abs(now() - row.used) > DAY) this.#touched.add(key);
      } else this.#db.prepare('DELETE FROM memo WHERE key = ?').run(Buffer.from(key, 'hex'));
    }
    return out;
  }

  /** Keeps answers; where one is kept already, that one counts unless `replace`. Durable when this returns. */
  put(entries: Iterable<readonly [key: string, value: Uint8Array]>, replace = false): void {
    const at = now();
    const insert = replace ? this.#replace : this.#insert;
    transaction(this.#db, () => {
      for (const [key, value] of entries) {
        const { bytes, digest: name, size, compressed } = pack(value);
        insert.run(Buffer.from(key, 'hex'), bytes, Buffer.from(name, 'hex'), size, compressed ? 1 : 0, at, at);
      }
    });
  }

  /** Number of answers, and bytes of the file. */
  size(): { readonly answers: number; readonly bytes: number } {
    const { n } = this.#db.prepare('SELECT count(*) AS n FROM memo').get() as { n: number };
    const { bytes } = this.#db
      .prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size')
      .get() as { bytes: number };
    return { answers: n, bytes };
  }

  /** Forgets what was used longest ago, until the rest takes no more than `bytes`; returns how many answers. */
  trim(bytes: number, dryRun = false): number {
    let left = 0;
    const rows = this.#db
      .prepare('SELECT key, length(value) + 128 AS length FROM memo ORDER BY used DESC, made DESC')
      .all();
    const old = (rows as { key: Uint8Array; length: number }[]).filter(r => (left += r.length) > bytes);
    if (dryRun) return old.length;
    const remove = this.#db.prepare('DELETE FROM memo WHERE key = ?');
    transaction(this.#db, () => {
      for (const { key } of old) remove.run(key);
    });
    if (old.length > 0) this.#db.exec('VACUUM');
    return old.length;
  }

  close(): void {
    try {
      const touch = this.#db.prepare('UPDATE memo SET used = ? WHERE key = ?');
      if (this.#touched.size > 0)
        transaction(this.#db, () => {
          for (const key of this.#touched) touch.run(now(), Buffer.from(key, 'hex'));
        });
    } catch {
      // Only when it was last used: a full disk must not make more of it.
    }
    this.#db.close();
  }
}

export const memoPath = (folder: string): string => join(folder, 'memo.db');

const open = (path: string): DatabaseSync => {
  const db = new DatabaseSync(path, { timeout: 10_000 });
  try {
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${TABLE}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
};

const contentOf = ({ value, digest: name, size, compressed }: MemoRow): Buffer | null => {
  try {
    const content =
      compressed === 1 ? zstdDecompressSync(value, { maxOutputLength: Math.max(1, size) }) : Buffer.from(value);
    return digest(content) === Buffer.from(name).toString('hex') ? content : null;
  } catch {
    return null;
  }
};

const now = (): number => Math.floor(Date.now() / 1000);
