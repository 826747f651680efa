/** Our globs name the files that Node's own name, and note the folders that they looked into. */
import { globSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Files } from '../../cache/files.ts';
import { expand } from '../../src/engine/glob.ts';
import { type Project, project } from '../rig/project.ts';

const files = (p: Project) => new Files(p.path('.finetune/files.bin'));

/** What of the names is a file. */
const real = (folder: string, names: readonly string[]): string[] =>
  [...new Set(names)].filter(n => statSync(join(folder, n), { throwIfNoEntry: false })?.isFile()).sort();

const name = fc.constantFrom('a', 'b.md', 'ab', 'c.txt', '.d', 'x-1', 'y (2).md', 'Z.md', '.e.md', 'ä.md');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/'));
const part = fc.constantFrom(
  ...['**', '**', '*', '*.md', '?', '?.*', 'a', 'b.md', '.d', '.*', 'a*', '*[a-c]*', '*[!a]', '*.{md,txt}', '{a,b}*'],
  ...['x-1', 'y (2).md', '{a,{b.md,c.txt}}', '**.md', 'a{b', '*{*}*', 'c.t[xy]t', '*[z-a]'],
);
const pattern = fc
  .tuple(fc.constantFrom('', '', './'), fc.array(part, { minLength: 1, maxLength: 4 }))
  .map(([start, parts]) => start + parts.join('/'))
  // Node goes into folders with a leading dot where the part after `**` happens to match them, and `name/**` is at times
  // the file `name` itself.
  .filter(glob => !/\*\*\/(.*\/)?\./.test(glob) && !/(^|\/)[^*?[/]+\/\*\*(\/\*\*)*$/.test(glob));

test('a pattern names the same files as with Node, on any tree', () => {
  fc.assert(
    fc.property(
      fc.array(path, { maxLength: 12 }),
      fc.array(pattern, { minLength: 1, maxLength: 8 }),
      (paths, globs) => {
        // A name cannot be a file and a folder.
        const tree = paths.filter(f => !paths.some(other => other.startsWith(`${f}/`)));
        const p = project(Object.fromEntries(tree.map(f => [`tree/${f}`, f])));
        for (const glob of globs) {
          const expected = real(p.path('tree'), globSync(glob, { cwd: p.path('tree') }));
          expect(real(p.path('tree'), expand(glob, p.path('tree'), files(p))), glob).toEqual(expected);
        }
        p.remove();
      },
    ),
    { numRuns: 100 },
  );
});

test('braces may hold folders, and a path may begin above', () => {
  const p = project({ 'in/a/x.md': '', 'in/b/x.md': '', 'in/c/x.md': '', 'up.md': '' });
  expect(expand('{a,b}/*.md', p.path('in'), files(p))).toEqual(['a/x.md', 'b/x.md']);
  expect(expand('a/**', p.path('in'), files(p))).toEqual(['a/x.md']);
  expect(expand('a/x.md/**', p.path('in'), files(p))).toEqual([]);
  expect(expand('../*.md', p.path('in'), files(p))).toEqual(['../up.md']);
  expect(real(p.path('in'), expand('*/{x,y}.md', p.path('in'), files(p)))).toEqual(['a/x.md', 'b/x.md', 'c/x.md']);
});

test('a link to a file is one; a link to a folder is followed only by its name', () => {
  const p = project({ 'in/a.md': 'a', 'far/deep/b.md': 'b' });
  symlinkSync(p.path('in/a.md'), p.path('in/l.md'));
  symlinkSync(p.path('far'), p.path('in/far'));
  symlinkSync(p.path('nothing'), p.path('in/broken.md'));
  const named = (glob: string) => real(p.path('in'), expand(glob, p.path('in'), files(p)));
  expect(named('**/*.md')).toEqual(['a.md', 'l.md']);
  expect(named('*/*/*.md')).toEqual([]);
  expect(named('far/**/*.md')).toEqual(['far/deep/b.md']);
});

test('every folder that was looked into is noted, and nothing is where a pattern is too rare for us', () => {
  const p = project({ 'in/a/x.md': '', 'in/b/y.txt': '', 'in/.c/z.md': '' });
  const seen = files(p);
  expand('**/*.md', p.path('in'), seen);
  expect([...seen.noted()!.keys()].sort()).toEqual([p.path('in'), p.path('in/a'), p.path('in/b')]);
  expect(expand('@(a|b)/*.md', p.path('in'), seen)).toEqual(['a/x.md']);
  expect(seen.noted()).toBe(null);
});
