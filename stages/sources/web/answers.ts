/**
 * What addresses have answered, kept from one run to the next (SQLite, WAL): a page that came is not asked for again
 * unless the user says so, a killed build keeps what it had, and of a page that has not changed only the head is sent.
 *
 *   answers   scope and address; the round in which it was last asked; head, body (zstd), content (zstd JSON)
 *   jobs      collections that a service works on for us, paid for: written before anything else is done
 *   notes     the round, robots.txt of hosts, times of 429
 *
 * A **round** is one go at asking for everything again (`--refresh`); what is of an earlier one is only good for asking
 * whether it has changed. A refresh that was cut short is gone on with. The scope names everything in the recipe that an
 * answer depends on. All of it may be lost at any time.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type Content, type Format, READER } from './content.ts';

/** A page as its server sent it. */
export interface Page {
  /** Its address after all redirects. */
  readonly address: string;
  readonly format: Format;
  readonly xhtml: boolean;
  readonly charset: string | null;
  readonly etag: string | null;
  readonly modified: string | null;
  /** Where a service made Markdown of it: the page's title, which is not in the Markdown. */
  readonly title: string | null;
  readonly body: Buffer;
}

/** An answer that says no, and would say so again. */
export interface Refusal {
  readonly reason: string;
  readonly status: number | null;
  readonly kind: 'dead' | 'no-page';
}

export type Head = Omit<Page, 'body'>;
export type Answer = { readonly page: Head } | { readonly refusal: Refusal };

/** A collection that a service works on. */
export interface Job {
  readonly id: string;
  readonly addresses: readonly string[];
}

const VERSION = 1;
const TABLES = `
  CREATE TABLE IF NOT EXISTS answers (
    scope TEXT NOT NULL, address TEXT NOT NULL, round INTEGER NOT NULL, head TEXT NOT NULL, body BLOB,
    reader INTEGER, content BLOB, PRIMARY KEY (scope, address)
  );
  CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, scope TEXT NOT NULL, round INTEGER NOT NULL, addresses TEXT NOT NULL, made INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
`;
const DAMAGED = new Set([11, 26]);
/** A refresh that was cut short longer ago is begun anew, ms. */
const CUT_SHORT = 24 * 3_600_000;

export class Answers {
  readonly #db: DatabaseSync;
  readonly #scope: string;
  readonly #refresh: boolean;
  readonly #round: number;
  readonly #head: StatementSync;
  readonly #insert: StatementSync;

  /** `folder` is private to the node. Throws only what disks do. */
  constructor(folder: string, scope: string, refresh: boolean) {
    this.#db = open(join(folder, 'pages.db'));
    this.#scope = scope;
    this.#refresh = refresh;
    this.#round = this.#begin(refresh);
    this.#head = this.#db.prepare('SELECT head, round FROM answers WHERE scope = ? AND address = ?');
    this.#insert = this.#db.prepare('INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)');
  }

  /** What an address answered, and whether that need not be asked again in this run; null when it never was. */
  find(address: string): { readonly answer: Answer; readonly holds: boolean } | null {
    const row = this.#head.get(this.#scope, address) as { head: string; round: number } | undefined;
    if (!row) return null;
    return { answer: JSON.parse(row.head) as Answer, holds: row.round >= this.#round };
  }

  /** The bytes of a page, of an address that has one. */
  body(address: string): Buffer {
    const row = this.#db
      .prepare('SELECT body FROM answers WHERE scope = ? AND address = ?')
      .get(this.#scope, address) as { body: Uint8Array };
    return zstdDecompressSync(row.body);
  }

  /** What was read from the page; null when it has to be read (again). */
  content(address: string): Content | null {
    const row = this.#db
      .prepare('SELECT content FROM answers WHERE scope = ? AND address = ? AND reader = ?')
      .get(this.#scope, address, READER) as { content: Uint8Array | null } | undefined;
    return row?.content ? (JSON.parse(zstdDecompressSync(row.content).toString()) as Content) : null;
  }

  keep(address: string, { body, ...page }: Page, content: Content): void {
    this.#put(address, { page }, zstdCompressSync(body), zstdCompressSync(JSON.stringify(content)));
  }

  refuse(address: string, refusal: Refusal): void {
    this.#put(address, { refusal }, null, null);
  }

  /** The page is as it was. */
  hold(address: string): void {
    this.#db
      .prepare('UPDATE answers SET round = ? WHERE scope = ? AND address = ?')
      .run(this.#round, this.#scope, address);
  }

  /** The page as it was, read anew. */
  reread(address: string, content: Content): void {
    this.#db
      .prepare('UPDATE answers SET content = ?, reader = ? WHERE scope = ? AND address = ?')
      .run(zstdCompressSync(JSON.stringify(content)), READER, this.#scope, address);
  }

  note(name: string): string | null {
    const row = this.#db.prepare('SELECT value FROM notes WHERE name = ?').get(name) as { value: string } | undefined;
    return row?.value ?? null;
  }

  takeNote(name: string, value: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO notes VALUES (?, ?)').run(name, value);
  }

  /** Durable, against a loss of power too, when it returns: what is in it has been paid for. */
  addJob(id: string, addresses: readonly string[]): void {
    this.#db.exec('PRAGMA synchronous = FULL');
    this.#db
      .prepare('INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?)')
      .run(id, this.#scope, this.#round, JSON.stringify(addresses), Date.now());
    this.#db.exec('PRAGMA synchronous = NORMAL');
  }

  /** Jobs of this round whose results have not been taken yet, oldest first. */
  jobs(): Job[] {
    const rows = this.#db
      .prepare('SELECT id, addresses FROM jobs WHERE scope = ? AND round >= ? ORDER BY made, id')
      .all(this.#scope, this.#round) as { id: string; addresses: string }[];
    return rows.map(({ id, addresses }) => ({ id, addresses: JSON.parse(addresses) as string[] }));
  }

  endJob(id: string): void {
    this.#db.prepare('DELETE FROM jobs WHERE id = ?').run(id);
  }

  /** Everything has been asked: what two refreshes have not asked for is no longer part of it. */
  finish(): void {
    if (!this.#refresh) return;
    this.#db.prepare('DELETE FROM answers WHERE round < ?').run(this.#round - 1);
    this.#db.prepare('DELETE FROM jobs WHERE round < ?').run(this.#round);
    this.#db.prepare("DELETE FROM notes WHERE name = 'refreshing'").run();
    this.#db.exec('PRAGMA incremental_vacuum');
  }

  close(): void {
    this.#db.close();
  }

  #begin(refresh: boolean): number {
    const round = Number(this.note('round') ?? 1);
    if (!refresh) return round;
    const since = this.note('refreshing');
    if (since !== null && Date.now() - Number(since) < CUT_SHORT) return round;
    this.takeNote('round', String(round + 1));
    this.takeNote('refreshing', String(Date.now()));
    return round + 1;
  }

  #put(address: string, answer: Answer, body: Uint8Array | null, content: Uint8Array | null): void {
    this.#insert.run(this.#scope, address, this.#round, JSON.stringify(answer), body, content && READER, content);
  }
}

const open = (path: string): DatabaseSync => {
  try {
    return prepare(path);
  } catch (error) {
    if (!DAMAGED.has((error as { errcode?: number }).errcode ?? 0)) throw error;
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    return prepare(path);
  }
};

const prepare = (path: string): DatabaseSync => {
  const db = new DatabaseSync(path, { timeout: 10_000 });
  try {
    db.exec('PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version !== VERSION)
      db.exec('DROP TABLE IF EXISTS answers; DROP TABLE IF EXISTS jobs; DROP TABLE IF EXISTS notes');
    db.exec(`${TABLES} PRAGMA user_version = ${VERSION}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
};
