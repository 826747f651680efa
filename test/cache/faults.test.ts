/** The store when the disk fails under it, at any operation: nothing is lost that was finished, and nothing wrong is found. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { BlobCorrupt } from '../../cache/blob.ts';
import { digest } from '../../cache/digest.ts';
import { type Between, interpose } from '../../cache/disk.ts';
import { seal } from '../../cache/node-record.ts';
import { Records } from '../../cache/records.ts';
import { StoreVersion } from '../../cache/schema.ts';
import { Store } from '../../cache/store.ts';
import { verify } from '../../cache/verify.ts';
import { type Project, project } from '../rig/project.ts';
import { documentOf, make } from '../rig/results.ts';

const failed = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });

/** The work of a small build: rows, a large file, their records. Returns the keys of what it finished. */
const build = async (p: Project, finished: string[]): Promise<void> => {
  const store = new Store(p.path('.finetune'));
  try {
    const records = new Records(store.db);
    for (const [i, name] of ['a', 'b', 'c'].entries()) {
      const key = digest(documentOf('transforms/filter', { name }));
      if (await isWhole(store, records, key)) continue;
      store.put(CONTENT[i]!);
      const made = await make(store, records, name, [`${name} `.repeat(400), 'shared']);
      finished.push(made.key);
    }
  } finally {
    store.close();
  }
};

const CONTENT = [randomBytes(2 << 20), Buffer.alloc(40_000, 'ab'), randomBytes(100)];

/** As the engine decides whether a record is a hit. */
const isWhole = async (store: Store, records: Records, key: string): Promise<boolean> => {
  const record = await records.get(key);
  const rows = record?.outputs.rows;
  return rows !== undefined && store.locate(rows.digest) !== null && store.read(rows.digest) !== null;
};

const converges = async (p: Project, finished: readonly string[], what: string): Promise<void> => {
  const store = new Store(p.path('.finetune'));
  const records = new Records(store.db);
  for (const key of finished)
    expect(await isWhole(store, records, key), `${what}: what was finished is there`).toBe(true);
  store.close();
  await build(p, []);
  const again = new Store(p.path('.finetune'));
  expect(verify(again).wrong, what).toEqual([]);
  for (const content of CONTENT) expect(again.read(digest(content))?.equals(content), what).toBe(true);
  again.close();
};

/** Runs a build into one fault after another, each time in a new store. */
const atEvery = async (fault: (operation: string, n: number) => Between | null): Promise<number> => {
  for (let n = 1; ; n++) {
    const p = project({});
    const finished: string[] = [];
    let count = 0;
    const stop = interpose((operation, args, run) => {
      count++;
      const between = count >= n ? fault(operation, count - n) : null;
      if (!between) return run(...args);
      return between(operation, args, run);
    });
    try {
      await build(p, finished);
    } catch {
      // How it is told is the engine's affair.
    }
    stop();
    await converges(p, finished, `operation ${n}`);
    p.remove();
    if (count < n) return n;
  }
};

describe('a fault at every operation', () => {
  test('a kill: nothing more is done from there on', async () => {
    expect(
      await atEvery(() => () => {
        throw failed('killed');
      }),
    ).toBeGreaterThan(30);
  });

  test('a full disk, for good', async () => {
    const grows = new Set(['open', 'write', 'append', 'copy', 'makeFolder', 'sync', 'syncData', 'commit']);
    await atEvery(operation =>
      grows.has(operation)
        ? () => {
            throw failed('ENOSPC');
          }
        : null,
    );
  });

  test('an error of the disk, once', async () => {
    await atEvery((_, since) =>
      since === 0
        ? () => {
            throw failed('EIO');
          }
        : null,
    );
  });

  test('a write that is cut short, once', async () => {
    await atEvery((operation, since) =>
      operation === 'write' && since === 0
        ? (_, [fd, data, at, length], run) => run(fd, data, at, (length as number) >> 1)
        : null,
    );
  });
});

describe('a disk that does not give back what it took', () => {
  test('is told as a bad blob, which is made again elsewhere', () => {
    const p = project({});
    let store = new Store(p.path('.finetune'));
    const content = Buffer.from('some rows');
    const name = store.put(content).digest;
    store.flush();
    store.close();
    store = new Store(p.path('.finetune'));
    const stop = interpose((operation, args, run) => {
      if (operation === 'read') throw failed('EIO');
      return run(...args);
    });
    expect(() => store.read(name)).toThrow(BlobCorrupt);
    expect(store.forget(name)).toMatch(/cannot be read/);
    stop();
    expect(store.locate(name)).toBeNull();
    store.put(content);
    store.flush();
    expect(store.read(name)?.equals(content)).toBe(true);
    store.close();
  });

  test('that could not be flushed is not believed when it can be the next time', () => {
    const p = project({});
    const store = new Store(p.path('.finetune'));
    store.put(Buffer.from('some rows'));
    const stop = interpose((operation, args, run) => {
      if (operation === 'syncData') throw failed('EIO');
      return run(...args);
    });
    store.flush();
    expect(() => store.sync()).toThrow(/EIO/);
    stop();
    // Linux has dropped the pages by then: a second fsync would say that all is well.
    expect(() => store.flush()).toThrow(/EIO/);
    expect(() => store.put(Buffer.from('more'))).toThrow(/EIO/);
    store.close();
  });
});

describe('after a power cut', () => {
  /** The index has reached the disk, and of the pack not all: some of it is gone, some was never written. */
  test('what may not have reached the disk is read before it is believed', async () => {
    const p = project({});
    const store = new Store(p.path('.finetune'));
    const records = new Records(store.db);
    const early = await make(store, records, 'early', ['first '.repeat(100)]);
    store.sync();
    const late = await make(store, records, 'late', ['second '.repeat(100), 'third '.repeat(100)]);
    const at = store.locate(late.blobs[1]!)!;
    const copy = project({});
    cpSync(p.path('.finetune'), copy.path('.finetune'), { recursive: true });
    rmSync(copy.path('.finetune/leases'), { recursive: true });
    store.close();
    const pack = copy.path(copy.files('.finetune/packs')[0]!);
    const bytes = readFileSync(pack);
    bytes.fill(0, at.offset, at.offset + at.length);
    writeFileSync(pack, bytes.subarray(0, at.offset + at.length + 20));
    const next = new Store(copy.path('.finetune'));
    for (const blob of early.blobs) expect(next.read(blob)).not.toBeNull();
    for (const blob of late.blobs.slice(0, 1)) expect(next.locate(blob)).toBeNull();
    expect(next.locate(late.blobs[1]!)).toBeNull();
    expect(verify(next).wrong).toEqual([]);
    next.close();
  });

  test('what another process has only just written is its own affair', () => {
    const p = project({});
    const store = new Store(p.path('.finetune'));
    const name = store.put(Buffer.from('some rows')).digest;
    store.flush();
    const other = new Store(p.path('.finetune'));
    const synced = () => (other.db.prepare('SELECT synced FROM packs').get() as { synced: number }).synced;
    expect(other.read(name)).not.toBeNull();
    expect(synced()).toBe(0);
    store.sync();
    expect(synced()).toBeGreaterThan(0);
    other.close();
    store.close();
  });
});

test('a pack that is deleted while it is written is written anew', () => {
  const p = project({});
  const store = new Store(p.path('.finetune'));
  const first = store.put(Buffer.from('first')).digest;
  store.flush();
  const second = store.put(Buffer.from('second')).digest;
  rmSync(p.path('.finetune/packs'), { recursive: true });
  store.flush();
  expect(store.read(second)?.toString()).toBe('second');
  expect(store.read(first)).toBeNull();
  store.put(Buffer.from('first'));
  store.flush();
  expect(store.read(first)?.toString()).toBe('first');
  store.close();
});

describe('large files', () => {
  const large = randomBytes(17 << 20);

  test('are taken in and given out without being held, moved where they may be', () => {
    const p = project({ 'a.bin': large, 'b.bin': large });
    const store = new Store(p.path('.finetune'));
    const { digest: name, size } = store.putFile(p.path('a.bin'));
    expect([name, size]).toEqual([digest(large), large.length]);
    expect(p.has('a.bin')).toBe(true);
    expect(store.putFile(p.path('b.bin'), { move: true }).digest).toBe(name);
    expect(p.has('b.bin')).toBe(false);
    store.flush();
    store.materialize(name, p.path('out.bin'));
    expect(readFileSync(p.path('out.bin')).equals(large)).toBe(true);
    writeFileSync(p.path('out.bin'), 'edited');
    expect(store.read(name)?.equals(large)).toBe(true);
    expect(p.files('.finetune/blobs').length).toBe(1);
    store.close();
  });

  test('that have another name are copied: who edits that name edits no blob', () => {
    const p = project({ 'a.bin': large });
    const store = new Store(p.path('.finetune'));
    copyFileSync(p.path('a.bin'), p.path('c.bin'));
    rmSync(p.path('a.bin'));
    linkSync(p.path('c.bin'), p.path('a.bin'));
    const { digest: name } = store.putFile(p.path('a.bin'), { move: true });
    store.flush();
    writeFileSync(p.path('c.bin'), 'edited');
    expect(store.read(name)?.equals(large)).toBe(true);
    store.close();
  });

  test('that are damaged are not given out', () => {
    const p = project({ 'a.bin': large });
    const store = new Store(p.path('.finetune'));
    const { digest: name } = store.putFile(p.path('a.bin'));
    store.flush();
    const { path } = store.locate(name)!;
    const bytes = readFileSync(path);
    bytes[5]! ^= 1;
    writeFileSync(path, bytes);
    expect(() => store.materialize(name, p.path('out.bin'))).toThrow(BlobCorrupt);
    expect(existsSync(p.path('out.bin'))).toBe(false);
    expect(store.forget(name)).toMatch(/is not what its name says/);
    expect(statSync(p.path(`.finetune/quarantine/${name}`)).size).toBe(large.length);
    store.close();
  });
});

describe('a store of an older version', () => {
  test('is brought up to date, with all that is in it', async () => {
    const p = project({});
    const path = p.path('.finetune');
    const store = new Store(path);
    const records = new Records(store.db);
    const made = await make(store, records, 'a', ['one', 'two']);
    const loose = store.put(randomBytes(2 << 20)).digest;
    store.flush();
    const record = await records.get(made.key);
    store.close();
    // As version 1 had it.
    const db = new DatabaseSync(p.path('.finetune/store.db'));
    const text = seal(record);
    db.exec(`
      DROP TABLE meta; DROP TABLE whole; DROP TABLE uses; DROP TABLE projects; DROP TABLE tags; DROP INDEX loose;
      DELETE FROM blobs WHERE pack = 0;
      CREATE TABLE meta (version INTEGER NOT NULL); INSERT INTO meta VALUES (1);
      CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
      INSERT INTO p SELECT id, name FROM packs; DROP TABLE packs; ALTER TABLE p RENAME TO packs;
    `);
    db.prepare('UPDATE records SET value = ?').run(JSON.stringify({ value: [text.slice(0, 64), text.slice(64)] }));
    db.close();
    const next = new Store(path);
    const theirs = new Records(next.db);
    expect(await theirs.get(made.key)).toEqual(record);
    for (const blob of [...made.blobs, loose]) expect(next.read(blob)).not.toBeNull();
    next.put(Buffer.from('more'));
    next.flush();
    expect(verify(next)).toMatchObject({ blobs: made.blobs.length + 2, wrong: [] });
    next.close();
  });

  test('of a newer one is told', () => {
    const p = project({});
    const store = new Store(p.path('.finetune'));
    store.db.exec('UPDATE meta SET version = 99');
    store.close();
    expect(() => new Store(p.path('.finetune'))).toThrow(StoreVersion);
  });
});
