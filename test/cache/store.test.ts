/** The store: content by digest, durable after `flush`, safe beside other processes. */
import { randomBytes } from 'node:crypto';
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlobCorrupt } from '../../cache/blob.ts';
import { canonical, digest, hasher } from '../../cache/digest.ts';
import { Files } from '../../cache/files.ts';
import { lock } from '../../cache/lock.ts';
import { loosePath } from '../../cache/loose.ts';
import { type NodeRecord, Records } from '../../cache/records.ts';
import { Store } from '../../cache/store.ts';
import { canMount, smallDisk } from '../rig/disk.ts';
import { project } from '../rig/project.ts';
import { recordOf } from '../rig/results.ts';

const open = () => {
  const p = project({});
  return { p, store: new Store(p.path('.finetune')) };
};
const big = (): Buffer => randomBytes((1 << 20) + 7);

describe('blobs', () => {
  test('come back as they were put, whatever they hold', () => {
    const { p, store } = open();
    const all = [
      Buffer.alloc(0),
      Buffer.from('a'),
      Buffer.alloc(100_000, 'ab'),
      randomBytes(5000),
      Buffer.alloc(3 << 20, 1),
      big(),
    ];
    const names = all.map(b => store.put(b).digest);
    store.flush();
    const again = new Store(p.path('.finetune'));
    for (const [i, name] of names.entries()) {
      expect(name).toBe(digest(all[i]!));
      expect(again.read(name)?.equals(all[i]!)).toBe(true);
    }
    again.close();
    store.close();
  });

  test('are stored once', () => {
    const { p, store } = open();
    for (let i = 0; i < 3; i++) store.put(Buffer.alloc(5000, 'x'));
    store.flush();
    store.put(Buffer.alloc(5000, 'x'));
    store.flush();
    expect([...store.all()].length).toBe(1);
    expect(p.files('.finetune/packs').length).toBe(1);
    store.close();
  });

  test('are in no index before they are flushed', () => {
    const { p, store } = open();
    const { digest: name } = store.put(Buffer.from('something'));
    const other = new Store(p.path('.finetune'));
    expect(other.locate(name)).toBeNull();
    store.flush();
    expect(other.read(name)?.toString()).toBe('something');
    other.close();
    store.close();
  });

  test('of a megabyte and more that do not shrink are files, found missing or cut short', () => {
    const { store } = open();
    const { digest: name, size } = store.put(big());
    store.flush();
    const path = loosePath(store.folder, name);
    expect(store.locate(name)).toMatchObject({ path, size });
    truncateSync(path, 1000);
    expect(store.locate(name)).toBeNull();
    rmSync(path);
    expect(store.locate(name)).toBeNull();
    store.close();
  });

  test('that are wrong are forgotten, and can be put again', () => {
    const { store } = open();
    const content = big();
    const { digest: name } = store.put(content);
    store.flush();
    writeFileSync(loosePath(store.folder, name), randomBytes(content.length));
    expect(() => store.read(name)).toThrow(BlobCorrupt);
    store.forget(name);
    store.put(content);
    store.flush();
    expect(store.read(name)?.equals(content)).toBe(true);
    store.close();
  });

  test('of two processes in one store are both there', () => {
    const { p, store } = open();
    const other = new Store(p.path('.finetune'));
    const names = Array.from(
      { length: 50 },
      (_, i) => [store, other][i % 2]!.put(Buffer.from(`content ${i >> 1}`)).digest,
    );
    store.flush();
    other.flush();
    for (const s of [store, other]) for (const n of names) expect(s.read(n)).not.toBeNull();
    other.close();
    store.close();
  });

  test.skipIf(!canMount())('lost on a full disk let nothing be finished that might need them', () => {
    const p = project({});
    const disk = smallDisk(p.path('disk'), 3000);
    const store = new Store(p.path('disk/store'));
    store.put(randomBytes(1000));
    expect(() => {
      for (let i = 0; i < 30; i++) store.put(randomBytes(200_000));
      store.flush();
    }).toThrow(/ENOSPC/);
    disk.grow(30_000);
    expect(() => store.flush()).toThrow(/ENOSPC/);
    expect(() => store.put(Buffer.from('more'))).toThrow(/ENOSPC/);
    store.close();
    const again = new Store(p.path('disk/store'));
    again.put(randomBytes(1000));
    again.flush();
    expect([...again.all()].length).toBe(1);
    again.close();
    disk.remove();
  });
});

describe('digests', () => {
  test('are BLAKE3', () => {
    expect(digest('')).toBe('af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262');
    const h = hasher();
    h.update('ab');
    h.update(Buffer.from('c'));
    expect(h.digest()).toBe(digest('abc'));
  });

  test('of canonical JSON do not know the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), object => {
        const other = Object.fromEntries(Object.entries(object).reverse());
        expect(canonical(other)).toBe(canonical(object));
        expect(JSON.parse(canonical(object))).toEqual(JSON.parse(JSON.stringify(object)));
      }),
    );
    expect(() => canonical({ a: NaN })).toThrow();
    expect(canonical({ b: undefined, a: [1, null] })).toBe('{"a":[1,null]}');
  });
});

const record = (document: string): NodeRecord => recordOf(document, {});

describe('records', () => {
  test('the first one published under a key counts', async () => {
    const { store } = open();
    const records = new Records(store.db);
    await records.publish('k', record('first'));
    expect((await records.publish('k', record('second'))).document).toBe('first');
    expect((await records.get('k'))!.document).toBe('first');
    store.close();
  });

  test('a node remembers its last two keys', async () => {
    const { store } = open();
    const records = new Records(store.db);
    for (const key of ['a', 'a', 'b', 'b']) await records.remember('r', 'n', key);
    expect(await records.history('r', 'n')).toEqual({ key: 'b', previous: 'a' });
    store.close();
  });
});

describe('the last use of a record', () => {
  test('is noted when it was more than a day ago, and then all at once', async () => {
    const { store } = open();
    const records = new Records(store.db);
    await records.publish('k', record('x'));
    await records.publish('l', record('y'));
    const changes = () => (store.db.prepare('SELECT total_changes() AS n').get() as { n: number }).n;
    const before = changes();
    for (const key of ['k', 'l', 'k']) await records.get(key);
    records.save();
    expect(changes()).toBe(before);
    store.db.exec('UPDATE uses SET used = used - 90000');
    await records.get('k');
    records.save();
    const used = new Map([...records.all()].map(r => [r.key, r.used]));
    expect(used.get('k')! - used.get('l')!).toBeGreaterThanOrEqual(90_000);
    store.close();
  });
});

describe('locks', () => {
  test('let one in at a time, and are given up by an abort', async () => {
    const { p, store } = open();
    const path = p.path('.finetune/locks/k');
    const release = await lock(path, new AbortController().signal);
    const stop = new AbortController();
    let waited = 0;
    const second = lock(path, stop.signal, () => {
      waited++;
      stop.abort(new Error('enough'));
    });
    await expect(second).rejects.toThrow();
    expect(waited).toBe(1);
    const third = lock(path, new AbortController().signal, () => release());
    (await third)();
    store.close();
  });
});

describe('states of files', () => {
  test('a file is read again when it was written again, even with the same size and time', () => {
    const p = project({ 'a.txt': 'one' });
    const files = new Files(p.path('files.bin'));
    const first = files.look(p.path('a.txt'));
    files.save();
    p.write({ 'a.txt': 'two' });
    expect(new Files(p.path('files.bin')).look(p.path('a.txt')).digest).toBe(digest('two'));
    expect(first).toEqual({ digest: digest('one'), size: 3 });
  });

  test('tell a file that was edited and put back', () => {
    const p = project({ 'a.txt': 'one', 'b.txt': 'b' });
    const files = new Files(p.path('files.bin'));
    const of = [{ path: p.path('a.txt') }, { path: p.path('b.txt') }];
    const look = () => {
      for (const { path } of of) files.look(path);
      return files.states(of);
    };
    const before = look();
    expect(look()).toBe(before);
    p.write({ 'a.txt': 'other' });
    p.write({ 'a.txt': 'one' });
    expect(look()).not.toBe(before);
  });
});
