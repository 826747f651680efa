/** A query on an SQLite database that is read as it lies: nothing is written, not even a lock. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type InputFile, type Json, StageError } from '../contract.ts';
import { whole } from '../sources/readers/json-values.ts';
import { notOneSelect, type Query } from './query-text.ts';
import type { Batch } from './write-records.ts';

const BATCH = 500;
const HEADER = 'SQLite format 3\0';

/** Whole numbers, numbers and text as they are stored, blobs as base64. Throws StageError. */
export async function* sqliteRows(file: InputFile, query: Query, signal: AbortSignal): AsyncGenerator<Batch> {
  throwIfNotAtRest(file);
  const { DatabaseSync } = await import('node:sqlite');
  // Immutable: what is beside the file (a log of changes) is not looked at, nor made.
  const url = pathToFileURL(file.path);
  url.searchParams.set('immutable', '1');
  const db = new DatabaseSync(url, { readOnly: true });
  try {
    const statement = db.prepare(query.text);
    const columns = statement.columns().map(c => c.name);
    if (columns.length === 0) throw notOneSelect(query, 'the query is no SELECT');
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    let rows: Json[][] = [];
    for (const row of statement.iterate() as unknown as Iterable<unknown[]>) {
      if (rows.push(row.map(toJson)) < BATCH) continue;
      yield { columns, rows };
      rows = [];
      // We are in the main thread: others want their turn.
      await setImmediate();
      signal.throwIfAborted();
    }
    yield { columns, rows };
  } catch (error) {
    throw explain(error, query, file);
  } finally {
    db.close();
  }
}

const toJson = (value: unknown): Json => {
  if (typeof value === 'bigint') return whole(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return value as string | null;
};

/** Changes that are still beside the database would not be seen, and are in no key. */
const throwIfNotAtRest = ({ name, path }: InputFile): void => {
  if (!isDatabase(path)) {
    throw new StageError('bad-file', 'this is no SQLite database', { place: { path: name } });
  }
  for (const beside of ['-wal', '-journal']) {
    const size = statSync(path + beside, { throwIfNoEntry: false })?.size ?? 0;
    if (size === 0) continue;
    throw new StageError(
      'sqlite-open',
      `changes of ${size} bytes are in ${name}${beside}, and not in the database yet`,
      {
        place: { path: name },
        advice:
          'Close the program that writes it; or bring them in: sqlite3 <database> "PRAGMA wal_checkpoint(TRUNCATE)".',
      },
    );
  }
};

const isDatabase = (path: string): boolean => {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(HEADER.length);
    return readSync(fd, head, 0, head.length, 0) === head.length && head.toString('latin1') === HEADER;
  } finally {
    closeSync(fd);
  }
};

const explain = (error: unknown, query: Query, file: InputFile): unknown => {
  const { code, message, errcode } = error as NodeJS.ErrnoException & { errcode?: number };
  if (error instanceof StageError || code !== 'ERR_SQLITE_ERROR') return error;
  // NOTADB and CORRUPT, with their variants.
  if (errcode !== undefined && [11, 26].includes(errcode & 255))
    return new StageError('bad-file', `the database is damaged: ${message}`, { place: { path: file.name } });
  // SQLite names what it stumbles over, not where.
  const word = /^near "(.+)": syntax error$|^no such (?:column|table|function): (.+)$/.exec(message);
  const found = word?.[1] ?? word?.[2]?.split('.').at(-1);
  const at = found === undefined ? -1 : query.text.indexOf(found);
  const isOnce = at !== -1 && query.text.indexOf(found!, at + 1) === -1;
  const where = query.locate(isOnce ? Buffer.byteLength(query.text.slice(0, at)) : null);
  return new StageError('sql-error', `${message}${where.at}`, where.place ? { place: where.place } : {});
};
