/** What has been seen whole is known to be whole, until something disappears. */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { collect } from '../../cache/collect.ts';
import { Records } from '../../cache/records.ts';
import { Store } from '../../cache/store.ts';
import { project } from '../rig/project.ts';

/** A store with two blobs of a "manifest", one of them loose, seen whole by the process before. */
const seen = () => {
  const p = project({});
  const open = () => new Store(p.path('.finetune'));
  const store = open();
  const parts = [randomBytes(1000), randomBytes(2 << 20)].map(b => store.put(b).digest);
  const name = store.put(Buffer.from(parts.join())).digest;
  const other = store.put(Buffer.from('something else')).digest;
  store.flush();
  expect(store.isKnownWhole(name)).toBe(false);
  store.markWhole(
    name,
    parts.map(d => store.locate(d)!),
  );
  store.close();
  return { p, open, name, other, parts, pack: p.path(p.files('.finetune/packs')[0]!) };
};

test('it is known in a new process, with one look-up', () => {
  const { open, name } = seen();
  const store = open();
  expect(store.isKnownWhole(name)).toBe(true);
  expect(store.isKnownWhole('0'.repeat(64))).toBe(false);
  store.close();
});

test('a blob that is forgotten, of whatever, begins a new generation', () => {
  const { open, name, other } = seen();
  const store = open();
  const before = store.generation();
  const at = store.locate(other)!;
  expect(store.forget(other)).toBeNull();
  expect(store.generation()).toBe(before);
  const bytes = readFileSync(at.path);
  bytes[at.offset]! ^= 1;
  writeFileSync(at.path, bytes);
  expect(store.forget(other)).toMatch(/is not what its name says/);
  expect(store.generation()).not.toBe(before);
  expect(store.isKnownWhole(name)).toBe(false);
  store.close();
});

test('a pack that is gone or cut short is noticed when the store is opened; one that comes back changes nothing again', () => {
  for (const damage of [(path: string) => rmSync(path), (path: string) => truncateSync(path, 10)]) {
    const { open, name, pack } = seen();
    const content = readFileSync(pack);
    damage(pack);
    let store = open();
    expect(store.isKnownWhole(name)).toBe(false);
    const generation = store.generation();
    store.close();
    store = open();
    expect(store.generation()).toBe(generation);
    store.close();
    writeFileSync(pack, content);
    store = open();
    expect(store.generation()).toBe(generation);
    store.close();
    damage(pack);
    store = open();
    expect(store.generation()).not.toBe(generation);
    store.close();
  }
});

test('a loose blob that is gone or cut short is noticed at each look', () => {
  for (const damage of [(path: string) => rmSync(path), (path: string) => truncateSync(path, 10)]) {
    const { open, name, parts } = seen();
    const store = open();
    expect(store.isKnownWhole(name)).toBe(true);
    damage(store.locate(parts[1]!)!.path);
    expect(store.isKnownWhole(name)).toBe(false);
    store.close();
  }
});

test('what was looked up before garbage was collected does not count after it', () => {
  const { open, name, parts } = seen();
  const store = open();
  store.forget(name);
  const collector = open();
  collector.db.exec('DELETE FROM whole');
  expect(store.isKnownWhole(name)).toBe(false);
  const places = parts.map(d => store.locate(d)!);
  collect(collector, new Records(collector.db), { roots: new Map(), size: 0, paid: false, dryRun: false });
  collector.close();
  store.markWhole(name, places);
  store.close();
  const next = open();
  expect(next.isKnownWhole(name)).toBe(false);
  next.close();
});
