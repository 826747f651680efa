/** Collecting garbage: what goes, what never does, and what becomes of the space, also while others build. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlobCorrupt, BlobReader } from '../../cache/blob.ts';
import { type CollectOptions, collect } from '../../cache/collect.ts';
import { interpose } from '../../cache/disk.ts';
import { loosePath } from '../../cache/loose.ts';
import { Records } from '../../cache/records.ts';
import { Store } from '../../cache/store.ts';
import { verify } from '../../cache/verify.ts';
import { project } from '../rig/project.ts';
import { make, recordOf, rowsOf } from '../rig/results.ts';

const noise = (bytes: number): string => randomBytes(bytes / 2).toString('hex');
const many = (count: number, bytes = 4000): string[] => Array.from({ length: count }, () => noise(bytes));

const open = () => {
  const p = project({});
  const store = new Store(p.path('.finetune'));
  return { p, store, records: new Records(store.db), again: () => new Store(p.path('.finetune')) };
};
const packBytes = (store: Store): number =>
  readdirSync(join(store.folder, 'packs')).reduce((n, f) => n + statSync(join(store.folder, 'packs', f)).size, 0);

const gc = (store: Store, records: Records, more: Partial<CollectOptions> = {}) =>
  collect(store, records, { roots: new Map(), size: 0, paid: false, dryRun: false, ...more });

/** As the next process would do it: nothing of this one is held. */
const later = (store: Store): Store => {
  const { folder } = store;
  store.close();
  return new Store(folder);
};

describe('what goes', () => {
  test('is what was used longest ago, until the rest fits', async () => {
    let { store, records } = open();
    const a = await make(store, records, 'a', many(10), { used: 1000 });
    const b = await make(store, records, 'b', many(10), { used: 3000 });
    const c = await make(store, records, 'c', many(10), { used: 2000 });
    store = later(store);
    records = new Records(store.db);
    const one = packBytes(store) / 3;
    const { dropped, freed } = gc(store, records, { size: 2.2 * one });
    expect(dropped.map(r => r.key)).toEqual([a.key]);
    expect(freed).toBeGreaterThan(0.9 * one);
    expect(await records.get(a.key)).toBeNull();
    for (const blob of a.blobs) expect(store.locate(blob)).toBeNull();
    for (const r of [b, c]) {
      expect(await records.get(r.key)).not.toBeNull();
      for (const blob of r.blobs) expect(store.read(blob)).not.toBeNull();
    }
    store.close();
  });

  test('is never what a root names, what was paid for, or what these share with others', async () => {
    let { store, records } = open();
    const shared = many(3);
    const root = await make(store, records, 'root', [...shared, noise(4000)], { used: 1 });
    const paid = await make(store, records, 'paid', many(3), { used: 2, stage: 'trainer/lora' });
    const other = await make(store, records, 'other', [...shared, noise(4000)], { used: 3 });
    store = later(store);
    records = new Records(store.db);
    const roots = new Map([[root.key, ['last build']]]);
    const first = gc(store, records, { roots });
    expect(first.dropped.map(r => r.key)).toEqual([other.key]);
    expect(first.paid).toBeGreaterThan(0);
    for (const r of [root, paid]) for (const blob of r.blobs) expect(store.read(blob)).not.toBeNull();
    expect(gc(store, records, { roots, paid: true }).dropped.map(r => r.key)).toEqual([paid.key]);
    for (const blob of root.blobs) expect(store.read(blob)).not.toBeNull();
    store.close();
  });

  test('is what no result names, in packs and as files; a dry run only says so', async () => {
    let { store, records } = open();
    const kept = await make(store, records, 'kept', many(4));
    const lost = many(20).map(text => store.put(Buffer.from(text)).digest);
    const loose = store.put(randomBytes(2 << 20)).digest;
    store.flush();
    store = later(store);
    records = new Records(store.db);
    const before = packBytes(store);
    const dry = gc(store, records, { size: Infinity, dryRun: true });
    expect(dry.blobs).toBe(21);
    expect(store.locate(loose)).not.toBeNull();
    const { blobs, freed, dropped } = gc(store, records, { size: Infinity });
    expect([blobs, dropped]).toEqual([21, []]);
    expect(existsSync(loosePath(store.folder, loose))).toBe(false);
    for (const name of lost) expect(store.locate(name)).toBeNull();
    expect(packBytes(store)).toBeLessThan(before / 3);
    expect(freed).toBe(before - packBytes(store) + (2 << 20));
    for (const blob of kept.blobs) expect(store.read(blob)).not.toBeNull();
    expect(verify(store).wrong).toEqual([]);
    store.close();
  });
});

describe('beside a running build', () => {
  test('what it has made, found or looked up stays, until it ends', async () => {
    const { store, records, again } = open();
    const old = await make(store, records, 'old', many(3), { used: 1 });
    const text = noise(4000);
    const garbage = store.put(Buffer.from(text)).digest;
    store.flush();
    store.close();
    const builder = again();
    const fresh = builder.put(Buffer.from(noise(4000))).digest;
    const loose = builder.put(randomBytes(2 << 20)).digest;
    expect(builder.put(Buffer.from(text)).digest).toBe(garbage);
    builder.flush();
    builder.lease().hold('key', [old.key]);
    const collector = again();
    const theirs = new Records(collector.db);
    expect(gc(collector, theirs)).toMatchObject({ dropped: [], blobs: 0 });
    for (const name of [fresh, loose, garbage, ...old.blobs]) expect(builder.read(name)).not.toBeNull();
    builder.close();
    expect(gc(collector, theirs)).toMatchObject({ blobs: 3 + old.blobs.length });
    collector.close();
  });

  test('what is put again after it was looked at, but before it is deleted, is seen to be gone', async () => {
    const { store, again } = open();
    const text = noise(4000);
    const name = store.put(Buffer.from(text)).digest;
    store.flush();
    store.close();
    const builder = again();
    builder.put(Buffer.from(text));
    const collector = again();
    expect(gc(collector, new Records(collector.db)).blobs).toBe(1);
    expect(() => builder.flush()).toThrow(BlobCorrupt);
    // What it does then: the node is made again.
    builder.put(Buffer.from(text));
    builder.flush();
    expect(builder.read(name)?.toString()).toBe(text);
    builder.close();
    collector.close();
  });

  test('what is published while garbage is collected stays', async () => {
    const { store, records, again } = open();
    const texts = many(5);
    const { output, blobs } = rowsOf(store, texts);
    store.flush();
    store.close();
    const collector = again();
    const theirs = new Records(collector.db);
    const builder = again();
    let n = 0;
    // Another process publishes what it has found there, and ends, before the collector's first deletion.
    const stop = interpose((operation, args, run) => {
      if (operation === 'commit' && ++n === 1) {
        stop();
        const result = run(...args);
        const { output: same } = rowsOf(builder, texts);
        builder.flush();
        void new Records(builder.db).publish('k', recordOf('{"stage":"transforms/x"}', { rows: same }), true);
        builder.close();
        return result;
      }
      return run(...args);
    });
    expect(gc(collector, theirs).dropped).toEqual([]);
    stop();
    expect((await theirs.get('k'))!.outputs.rows).toEqual(output);
    for (const blob of blobs) expect(collector.read(blob)).not.toBeNull();
    collector.close();
    void records;
  });

  test('a pack that it may still open by its old place is kept until it ends', async () => {
    const { store, records, again } = open();
    const kept = await make(store, records, 'kept', many(4));
    many(20).forEach(text => void store.put(Buffer.from(text)));
    store.flush();
    store.close();
    const builder = again();
    builder.lease();
    const places = kept.blobs.map(b => builder.locate(b)!);
    const collector = again();
    const theirs = new Records(collector.db);
    const { later: promised } = gc(collector, theirs, { size: Infinity });
    expect(promised).toBeGreaterThan(0);
    const reader = new BlobReader();
    for (const at of places) expect(reader.read(at).length).toBeGreaterThan(0);
    reader.close();
    for (const blob of kept.blobs) {
      expect(collector.locate(blob)!.path).not.toBe(places[0]!.path);
      expect(builder.read(blob)).not.toBeNull();
    }
    builder.close();
    expect(gc(collector, theirs, { size: Infinity }).freed).toBeGreaterThanOrEqual(promised);
    expect(existsSync(places[0]!.path)).toBe(false);
    expect(verify(collector).wrong).toEqual([]);
    collector.close();
  });

  test('who holds nothing finds a moved blob at its new place', async () => {
    const { store, records, again } = open();
    const kept = await make(store, records, 'kept', many(4));
    many(20).forEach(text => void store.put(Buffer.from(text)));
    store.flush();
    store.close();
    const reader = again();
    const name = kept.blobs[1]!;
    const before = reader.locate(name)!;
    const collector = again();
    gc(collector, new Records(collector.db), { size: Infinity });
    expect(existsSync(before.path)).toBe(false);
    expect(reader.read(name)).not.toBeNull();
    expect(reader.forget(name)).toBeNull();
    reader.close();
    collector.close();
    void records;
  });
});

describe('packs', () => {
  test('that are many and small become one', async () => {
    const p = project({});
    const names: string[] = [];
    for (let i = 0; i < 40; i++) {
      const store = new Store(p.path('.finetune'));
      const made = await make(store, new Records(store.db), `n${i}`, [noise(200)]);
      names.push(...made.blobs);
      store.close();
    }
    const store = new Store(p.path('.finetune'));
    gc(store, new Records(store.db), { size: Infinity });
    expect(p.files('.finetune/packs').length).toBe(1);
    for (const name of names) expect(store.read(name)).not.toBeNull();
    store.close();
  });

  test('whose file has gone are forgotten', async () => {
    const { p, store, records } = open();
    await make(store, records, 'a', many(3));
    store.close();
    p.write({ [p.files('.finetune/packs')[0]!]: null });
    const next = new Store(p.path('.finetune'));
    gc(next, new Records(next.db), { size: Infinity });
    expect([...next.all()]).toEqual([]);
    next.close();
  });
});

test('killed at any operation, nothing that was kept is lost, and the next collection ends it', async () => {
  const seeds = fc.sample(fc.nat({ max: 40 }), { numRuns: 12, seed: 7 });
  for (const at of seeds) {
    let { p, store, records } = open();
    const kept = await make(store, records, 'kept', many(6), { used: 9 });
    const gone = await make(store, records, 'gone', many(30), { used: 1 });
    store.put(randomBytes(2 << 20));
    store.flush();
    store = later(store);
    records = new Records(store.db);
    const roots = new Map([[kept.key, ['last build']]]);
    let n = 0;
    const stop = interpose((operation, args, run) => {
      if (++n > at) throw new Error(`killed at ${operation}`);
      return run(...args);
    });
    try {
      gc(store, records, { roots });
    } catch (error) {
      expect((error as Error).message).toMatch(/^killed at/);
    }
    stop();
    // The kernel would have ended the transaction and the lease; here closing does.
    store.close();
    const next = new Store(p.path('.finetune'));
    const theirs = new Records(next.db);
    expect(await theirs.get(kept.key), `killed at operation ${at}`).not.toBeNull();
    for (const blob of kept.blobs) expect(next.read(blob), `killed at operation ${at}`).not.toBeNull();
    gc(next, theirs, { roots });
    expect(await theirs.get(gone.key)).toBeNull();
    for (const blob of gone.blobs) expect(next.locate(blob)).toBeNull();
    for (const blob of kept.blobs) expect(next.read(blob)).not.toBeNull();
    expect(verify(next).wrong).toEqual([]);
    expect(readdirSync(join(next.folder, 'leases')).length).toBe(2);
    next.close();
  }
});
