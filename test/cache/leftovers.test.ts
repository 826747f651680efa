/** What killed processes and old builds leave behind is cleared away, and nothing that somebody still uses. */
import { readdirSync, utimesSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { tryClaim } from '../../cache/claims.ts';
import { beginLease, liveLeases } from '../../cache/lease.ts';
import { Store } from '../../cache/store.ts';
import { sweep, tidy } from '../../cache/sweep.ts';
import { type Project, project } from '../rig/project.ts';

const KEY = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);
const DAY = 86_400_000;
const NONE = { trees: new Set<string>(), busy: false };

/** Makes files look so many days old. */
const age = (p: Project, days: number, ...names: string[]): void => {
  const at = new Date(Date.now() - days * DAY);
  for (const name of names) utimesSync(p.path(name), at, at);
};

/** The store of a project, closed when the test ends. */
const storeOf = (p: Project): Store => {
  const store = new Store(p.path('.finetune'));
  onTestFinished(() => store.close());
  return store;
};

test('scratch folders go unless their process lives', () => {
  const p = project({});
  const lease = beginLease(p.path('.finetune'));
  p.write({
    [`.finetune/scratch/${lease.id}/rows`]: 'x',
    [`.finetune/scratch/${lease.id.replace(/.$/, '_')}/rows`]: 'x',
    '.finetune/scratch/abcdef-1/rows': 'x',
  });
  sweep(p.path('.finetune'));
  expect(readdirSync(p.path('.finetune/scratch'))).toEqual([lease.id]);
  lease.end();
  sweep(p.path('.finetune'));
  expect(readdirSync(p.path('.finetune/scratch'))).toEqual([]);
});

describe('old things go', () => {
  test('checkpoints that nobody goes on with, unless somebody does', async () => {
    const p = project({});
    const store = storeOf(p);
    const none = { ...NONE, db: store.db };
    const files = [`work/${KEY}/checkpoint`, `work/${OTHER}/checkpoint`, `work/${'ef'.repeat(32)}/checkpoint`];
    p.write(Object.fromEntries(files.map(f => [`.finetune/${f}`, 'weights'])));
    const old = files.slice(0, 2).flatMap(f => [`.finetune/${f}`, `.finetune/${f.split('/').slice(0, 2).join('/')}`]);
    age(p, 20, ...old);
    const release = tryClaim(store, KEY)!;
    expect(tidy(p.path('.finetune'), { ...none, dryRun: true })).toBe(7);
    expect(tidy(p.path('.finetune'), none)).toBe(7);
    expect(readdirSync(p.path('.finetune/work')).sort()).toEqual([KEY, 'ef'.repeat(32)]);
    release();
    expect(tidy(p.path('.finetune'), none)).toBe(7);
  });

  test('half-written files, graphs, logs and what later runs go on from', () => {
    const p = project({});
    const none = { ...NONE, db: storeOf(p).db };
    const own = p.files('.finetune');
    const files = ['a.tmp', 'blobs/new.1.tmp', 'graphs/1.json', 'graphs/1.json.tmp', 'logs/x.log', 'rows/y.scan'];
    const all = Object.fromEntries(files.map(f => [`.finetune/${f}`, 'x']));
    p.write(all);
    expect(tidy(p.path('.finetune'), none)).toBe(0);
    age(p, 31, ...Object.keys(all));
    expect(tidy(p.path('.finetune'), none)).toBe(6);
    expect(p.files('.finetune')).toEqual(own);
  });

  test('pages of a node that nobody has built for three months', () => {
    const p = project({});
    const none = { ...NONE, db: storeOf(p).db };
    const [kept, old] = ['.finetune/kept/new/pages.db', '.finetune/kept/old/pages.db'];
    p.write({ [kept]: 'x', [old]: 'x' });
    age(p, 31, kept, '.finetune/kept/new');
    age(p, 91, old, '.finetune/kept/old');
    expect(tidy(p.path('.finetune'), none)).toBe(1);
    expect([p.has(kept), p.has(old)]).toEqual([true, false]);
  });

  test('unpacked trees that no last build has, when nobody can be reading them', () => {
    const p = project({});
    p.write({ [`.finetune/trees/${KEY}/a`]: 'x', [`.finetune/trees/${OTHER}/a`]: 'x' });
    const options = { trees: new Set([KEY]), db: storeOf(p).db, busy: true };
    expect(tidy(p.path('.finetune'), options)).toBe(0);
    expect(tidy(p.path('.finetune'), { ...options, busy: false })).toBe(1);
    expect(readdirSync(p.path('.finetune/trees'))).toEqual([KEY]);
  });
});

describe('leases', () => {
  test('say what their process holds, for as long as it lives', () => {
    const { folder } = project({});
    const lease = beginLease(folder);
    lease.hold('key', [KEY]);
    lease.hold('blob', [OTHER, KEY]);
    const [held] = liveLeases(folder);
    expect(held).toMatchObject({ id: lease.id, keys: new Set([KEY]), blobs: new Set([OTHER, KEY]) });
    expect(Math.abs(Date.now() - held!.since)).toBeLessThan(60_000);
    expect(liveLeases(folder, lease.id)).toEqual([]);
    lease.end();
    expect(liveLeases(folder)).toEqual([]);
  });

  test('of dead processes are cleared away', () => {
    const p = project({});
    p.write({ 'leases/1-a.lock': '', 'leases/1-a': `key ${KEY}\n`, 'leases/1-b': 'key half' });
    expect(liveLeases(p.folder)).toEqual([]);
    expect(readdirSync(p.path('leases'))).toEqual([]);
  });
});
