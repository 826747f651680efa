/** What garbage collection never removes: the last builds of recipes that there are, lock files beside them, tags. */
import { expect, test } from 'vitest';
import { addProject } from '../../cache/projects.ts';
import { Records } from '../../cache/records.ts';
import { Store } from '../../cache/store.ts';
import { setTag } from '../../cache/tags.ts';
import { findRoots } from '../../src/engine/roots.ts';
import { type Project, project } from '../rig/project.ts';
import { make } from '../rig/results.ts';

const DAY = 86_400;
const now = (): number => Math.floor(Date.now() / 1000);

const open = (p: Project) => {
  const store = new Store(p.path('.finetune'));
  return { store, records: new Records(store.db) };
};

/** Builds a node of a recipe by hand, so many days ago; returns the key. */
const built = async (
  { store, records }: ReturnType<typeof open>,
  recipe: string,
  node: string,
  text: string,
  days = 0,
): Promise<string> => {
  const { key } = await make(store, records, `${recipe} ${node} ${text}`, [text]);
  await records.remember(recipe, node, key);
  store.db.prepare('UPDATE uses SET used = ? WHERE key = ?').run(now() - days * DAY, key);
  return key;
};

test('the last two results of each node are roots, by the names that people know', async () => {
  const p = project({ 'finetune.yaml': 'version: 1' });
  const s = open(p);
  const keys = [];
  for (const text of ['one', 'two', 'three']) keys.push(await built(s, 'finetune.yaml', 'a', text));
  const roots = findRoots(s.store, s.records, p.folder);
  expect([...roots]).toEqual([
    [keys[2], ['last build']],
    [keys[1], ['previous build']],
  ]);
  s.store.close();
});

test('a recipe that is gone, and a node that left its recipe a month ago, keep nothing', async () => {
  const p = project({ 'finetune.yaml': 'version: 1', 'deep/other.yaml': 'version: 1' });
  const s = open(p);
  const kept = await built(s, 'finetune.yaml', 'a', 'x');
  const early = await built(s, 'finetune.yaml', 'b', 'x', 29);
  await built(s, 'finetune.yaml', 'c', 'x', 31);
  const old = await built(s, 'deep/other.yaml', 'a', 'x', 90);
  await built(s, 'gone.yaml', 'a', 'x');
  expect(new Set(findRoots(s.store, s.records, p.folder).keys())).toEqual(new Set([kept, early, old]));
  s.store.close();
});

test('keys in lock files beside recipes are roots, in every project that has built into the store', async () => {
  const [here, there] = [project({ 'finetune.yaml': 'version: 1' }), project({ 'sub/gpu.yaml': 'version: 1' })];
  const s = open(here);
  addProject(s.store.db, there.folder);
  await built(s, 'finetune.yaml', 'a', 'x');
  await built(s, 'sub/gpu.yaml', 'a', 'x');
  const [a, b, c] = ['a', 'b', 'c'].map(d => d.repeat(64));
  here.write({
    'finetune.lock': `# Made by finetune\nversion 1\nx key=${a} result.rows=${b}\n`,
    'yarn.lock': `integrity ${c}\n`,
  });
  there.write({ 'sub/gpu.lock': `x key=${c}` });
  const roots = findRoots(s.store, s.records, here.folder);
  expect(roots.get(a!)).toEqual(['finetune.lock']);
  expect(roots.get(c!)).toEqual(['sub/gpu.lock']);
  here.write({ 'finetune.lock': null });
  expect(findRoots(s.store, s.records, here.folder).has(a!)).toBe(false);
  s.store.close();
});

test('a tag keeps what it was given to, and nothing else', async () => {
  const p = project({ 'finetune.yaml': 'version: 1' });
  const s = open(p);
  const [a, b] = ['a'.repeat(64), 'b'.repeat(64)];
  setTag(s.store.db, 'v1', [a]);
  setTag(s.store.db, 'v1', [b]);
  expect([...findRoots(s.store, s.records, p.folder)]).toEqual([[b, ['tag v1']]]);
  s.store.close();
});

test('a store elsewhere, which knows recipes by their absolute paths, keeps the same; and what is tagged there', async () => {
  const elsewhere = project({});
  const p = project({
    'finetune.yaml': 'version: 1\nsources:\n  docs: { uses: files, with: { paths: "*.md" } }\n',
    'a.md': 'text\n',
  });
  const env = { FINETUNE_STORE: elsewhere.path('store') };
  expect((await p.build([], { env })).code).toBe(0);
  const listed = async () =>
    (await p.run(['cache', 'ls', '--json'], { env })).stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as { node?: string; protectedBy?: readonly string[] })
      .find(r => r.node === 'docs')!.protectedBy;
  expect(await listed()).toEqual(['last build']);
  expect((await p.run(['cache', 'tag', 'v1'], { env })).code).toBe(0);
  expect(await listed()).toEqual(['last build', 'tag v1']);
  expect((await p.run(['cache', 'gc', '--size', '1B', '--paid'], { env })).code).toBe(0);
  expect(await listed()).toEqual(['last build', 'tag v1']);
  expect((await p.run(['cache', 'publish', 'shared'], { env })).code).toBe(0);
});
