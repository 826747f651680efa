/** `finetune cache`: what the store holds and why, and making room in it. */
import { describe, expect, test } from 'vitest';
import { tryLock } from '../../cache/lock.ts';
import { parseSize } from '../../src/engine/store-size.ts';
import { type Project, pages, project, RECIPE } from '../rig/project.ts';

const docs = pages(20, 8);
const VERSIONS = 5;

/** The same pages with other words in all of them. */
const version = (i: number) =>
  Object.fromEntries(
    Object.entries(docs).map(([name, text]) => [name, text.replaceAll('sentence', `phrase ${i} or sentence`)]),
  );

/** Five versions of the pages, each built: only the last two builds keep what they made. */
const versions = async (): Promise<Project> => {
  const p = project({ 'finetune.yaml': RECIPE });
  for (let i = 0; i < VERSIONS; i++) {
    p.write(version(i));
    expect((await p.buildHere()).ok).toBe(true);
  }
  return p;
};

interface Line {
  readonly type: string;
  readonly node: string;
  readonly key: string;
  readonly protectedBy: readonly string[];
  readonly bytes: number;
}

const lines = async (p: Project, ...args: string[]): Promise<Line[]> => {
  const { stdout, code } = await p.run(['cache', ...args, '--json']);
  expect(code).toBe(0);
  return stdout
    .trim()
    .split('\n')
    .map(l => JSON.parse(l) as Line);
};

const results = async (p: Project): Promise<Line[]> => (await lines(p, 'ls')).filter(l => l.type === 'result');

test('ls says what each result is, takes, and is kept by', async () => {
  const p = project({ 'finetune.yaml': RECIPE, ...docs });
  await p.build();
  p.edit('finetune.yaml', '{ min: 10 }', '{ min: 45 }');
  await p.build();
  const { stdout, code } = await p.run(['cache', 'ls']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^node +recipe +stage +made +took +size +kept by\n/);
  expect(stdout).toMatch(
    /\ngood +finetune.yaml +transforms\/filter +\d{4}-\d\d-\d\d \d\d:\d\d +[\d.]+ s +[\d.]+ KB +last build\n/,
  );
  expect(stdout).toMatch(/\ngood .* previous build\n/);
  expect(stdout).toMatch(/\n\d+ results, [\d.]+ KB on disk \(what several share counts once\)\n$/);
  const all = await results(p);
  expect(all.every(r => r.bytes > 0 && r.protectedBy.length > 0)).toBe(true);
  expect((await lines(p, 'ls')).at(-1)).toMatchObject({ type: 'total', results: all.length });
});

describe('gc', () => {
  test('with the store within its size removes nothing; with none left, all but the last two builds', async () => {
    const p = await versions();
    const before = await results(p);
    expect(before.filter(r => r.node === 'good').length).toBe(VERSIONS);
    expect((await p.run(['cache', 'gc'])).stdout).toMatch(/^removed 0 results, 0 blobs; /);
    const dry = await p.run(['cache', 'gc', '--size', '0', '--dry-run']);
    expect(dry.stdout).toMatch(/^node +recipe +made +last used +size\n/);
    expect(await results(p)).toEqual(before);
    const { stdout, code } = await p.run(['cache', 'gc', '--size', '0']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nremoved \d+ results, \d+ blobs; [\d.]+ KB given back to the disk\n/);
    expect(stdout).toMatch(/\nthe store takes .* of 0.0 KB; .* of last builds, lock files and tags\n$/);
    const after = await results(p);
    expect(after.filter(r => r.node === 'good').length).toBe(2);
    expect((await p.run(['cache', 'verify'])).code).toBe(0);
    expect(new Set(Object.values((await p.build()).states))).toEqual(new Set(['cached']));
    p.write(version(3));
    expect(new Set(Object.values((await p.build()).states))).toEqual(new Set(['cached']));
    p.write(version(0));
    expect((await p.build()).states).toMatchObject({ docs: 'built', good: 'built' });
  });

  test('keeps what a lock file names, and what has a tag', async () => {
    const p = await versions();
    const old = (await results(p)).filter(r => r.protectedBy.length === 0);
    const first = old.find(r => r.node === 'good')!;
    p.write({ 'other.yaml': RECIPE, 'other.lock': `version 1\nx key=${first.key} result.rows=${first.key}\n` });
    p.write(version(1));
    await p.build();
    expect((await p.run(['cache', 'tag', 'v1'])).stdout).toMatch(
      /^v1: \d+ results will stay until finetune cache untag v1\n$/,
    );
    for (const i of [4, 3]) {
      p.write(version(i));
      await p.build();
    }
    await p.run(['cache', 'gc', '--size', '0']);
    const left = await results(p);
    expect(left.find(r => r.key === first.key)?.protectedBy).toContain('other.lock');
    expect(left.filter(r => r.protectedBy.includes('tag v1')).length).toBeGreaterThan(5);
    expect((await p.run(['cache', 'untag', 'v1'])).code).toBe(0);
    expect((await p.run(['cache', 'untag', 'v1'])).code).toBe(2);
    await p.run(['cache', 'gc', '--size', '0']);
    expect((await results(p)).length).toBeLessThan(left.length);
  });

  test('happens by itself after a build that has made the store too large, and is said', async () => {
    const p = await versions();
    const size = (await lines(p, 'size')).at(-1)!.bytes;
    p.write(version(VERSIONS));
    const env = { FINETUNE_STORE_SIZE: String(Math.floor(size * 0.95)) };
    const built = await p.build([], { env });
    expect(built.code).toBe(0);
    const told = built.events.flatMap(e => (e.type === 'warn' ? [e.message] : []));
    expect(told).toEqual([
      expect.stringMatching(
        /^the store had grown beyond its .*: \d+ results that had not been used for longest are gone, /,
      ),
    ]);
    expect((await results(p)).filter(r => r.node === 'good').length).toBeLessThan(VERSIONS + 1);
    expect(new Set(Object.values((await p.build([], { env })).states))).toEqual(new Set(['cached']));
  });

  test('does not go on beside another one, and says so', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...docs });
    await p.build();
    const release = tryLock(p.path('.finetune/gc.lock'))!;
    const { code, stderr } = await p.run(['cache', 'gc']);
    release();
    expect(code).toBe(2);
    expect(stderr).toMatch(/^store-busy: another process is collecting garbage in this store\n/);
    expect((await p.run(['cache', 'gc'])).code).toBe(0);
  });

  test('takes sizes as people write them', async () => {
    expect(['10GB', '500 MB', '1.5t', '0', '12k'].map(parseSize)).toEqual([10e9, 500e6, 1.5e12, 0, 12e3]);
    expect(['', 'x', '-1', '10 XB', '1e3'].map(parseSize)).toEqual([null, null, null, null, null]);
    const { code, stderr } = await project({}).run(['cache', 'gc', '--size', 'big']);
    expect(code).toBe(2);
    expect(stderr).toBe('usage: --size takes a size such as 10GB, not "big"\n\n');
  });
});

test('a store that was never used answers all the same', async () => {
  const p = project({});
  for (const action of ['size', 'ls', 'gc', 'verify']) {
    const { code, stderr } = await p.run(['cache', action]);
    expect([action, code, stderr]).toEqual([action, 0, '']);
  }
  for (const args of [
    ['tag', 'v1'],
    ['publish', 'share'],
  ]) {
    const { code, stderr } = await p.run(['cache', ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^not-built: finetune.yaml has not been built\n/);
  }
});
