/** What is watched is what the build reads: neither less nor more, and never what the build itself writes. */
import { lstatSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Files } from '../../cache/files.ts';
import { expand, readings } from '../../src/engine/glob.ts';
import { openFilter } from '../../src/watch/filter.ts';
import { readsOf } from '../../src/watch/reads.ts';
import { takeSnapshot } from '../../src/watch/snapshot.ts';
import { project, RECIPE } from '../rig/project.ts';

const NAMES = ['a', 'b', 'ab', '.c', 'x.md', 'y.md', '.z.md', 'a b'];
const PARTS = [
  'a',
  'b',
  '*',
  '**',
  '?',
  '{a,b}',
  '*.md',
  '.c',
  '.*',
  '[ab]*',
  '[!a]',
  '{a,b/x}.md',
  '{a/b,**/y.md}',
  '+(a|b)',
];

/** Something that is neither a folder nor a link. */
const FILE = { isDirectory: () => false, isSymbolicLink: () => false };

test('a file counts where a pattern finds it, and a folder where one can', () => {
  const path = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }).map(names => names.join('/'));
  const pattern = fc.array(fc.constantFrom(...PARTS), { minLength: 1, maxLength: 4 }).map(parts => parts.join('/'));
  const p = project({});
  let round = 0;
  fc.assert(
    fc.property(fc.array(path, { minLength: 1, maxLength: 12 }), pattern, (paths, glob) => {
      const root = `${round++}/deep`;
      for (const [i, name] of paths.entries()) {
        // Where a file of that name is a folder already, or the other way round, there is one less.
        const above = paths.slice(0, i).some(other => other.startsWith(`${name}/`) || name.startsWith(`${other}/`));
        if (!above) p.write({ [join(root, name)]: '' });
      }
      const folder = p.path(root);
      const found = new Set(expand(glob, folder, new Files(p.path('none'))).map(name => join(folder, name)));
      const { counts } = openFilter({ folder: p.folder, files: [], globs: [{ folder, pattern: glob }], written: [] });
      const rare = readings(glob) === null;
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        const at = join(entry.parentPath, entry.name);
        const isFound = found.has(at);
        if (entry.isDirectory()) {
          const holds = [...found].some(f => f.startsWith(`${at}/`));
          if (holds) expect(counts(at, entry) && counts(at, null), at).toBe(true);
        } else if (rare) expect(counts(at, entry) || !isFound, at).toBe(true);
        else expect(counts(at, entry), at).toBe(isFound);
        if (isFound)
          for (let up = dirname(at); up.length >= p.folder.length; up = dirname(up))
            expect(counts(up, null), up).toBe(true);
      }
    }),
    { numRuns: 100 },
  );
});

describe('a link to a folder', () => {
  test('counts where its name is written out, and not where a pattern meets it', () => {
    const p = project({ 'real/x.md': '' });
    symlinkSync(p.path('real'), p.path('link'));
    const link = lstatSync(p.path('link'));
    const of = (pattern: string) =>
      openFilter({ folder: p.folder, files: [], globs: [{ folder: p.folder, pattern }], written: [] }).counts(
        p.path('link'),
        link,
      );
    expect([of('**/*.md'), of('*/x.md'), of('{link,more}/*.md')]).toEqual([false, false, true]);
  });
});

describe('what a build writes', () => {
  const read = async (files: Record<string, string>) => {
    const p = project(files);
    const engine = await p.open();
    const reads = readsOf(engine.graph, engine.graph.nodes, engine.project);
    const { counts } = openFilter(reads);
    const ids = () => takeSnapshot(engine, engine.graph.nodes, reads.written).id;
    return { p, engine, ids, counts: (name: string) => counts(p.path(name), FILE) };
  };

  test('does not count, even where a pattern goes over everything', async () => {
    const recipe = RECIPE.replace('docs/**/*.md', '**/*.md');
    const { p, engine, ids, counts } = await read({ 'finetune.yaml': recipe, 'docs/a.md': 'One. Two.' });
    const names = [
      'docs/a.md',
      'other/b.md',
      'finetune.yaml',
      'out/adapter/README.md',
      '.finetune/x.md',
      '.git/x.md',
      'x.txt',
    ];
    expect(names.filter(counts)).toEqual(['docs/a.md', 'other/b.md', 'finetune.yaml']);
    const before = ids();
    p.write({ 'out/adapter/README.md': 'An adapter.' });
    expect(ids()).toBe(before);
    p.write({ 'other/b.md': 'Three.' });
    expect(ids()).not.toBe(before);
    engine.close();
  });

  test('counts where a path leads into it, as to what another recipe has made', async () => {
    const recipe = RECIPE.replace('docs/**/*.md', 'out/other/**/*.md');
    const { engine, counts } = await read({ 'finetune.yaml': recipe, 'out/other/a.md': 'One. Two.' });
    expect(['out/other/a.md', 'out/adapter/a.md', 'docs/a.md'].filter(counts)).toEqual(['out/other/a.md']);
    engine.close();
  });
});
