/**
 * What garbage collection never removes, and why: results of the last builds of each recipe that still exists, those that a
 * lock file beside it names, and those with a tag. (Running builds are the store's own affair: `cache/lease.ts`.)
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Builds } from '../../cache/builds.ts';
import { projects } from '../../cache/projects.ts';
import type { Records } from '../../cache/records.ts';
import type { Roots } from '../../cache/results.ts';
import type { Store } from '../../cache/store.ts';
import { tags } from '../../cache/tags.ts';

/** A node that has not been part of a recipe's builds for so long is not part of it any more. */
const GONE_S = 30 * 86_400;

/** `folder` is that of the project at hand. */
export const findRoots = (store: Store, records: Records, folder: string): Roots => {
  const roots = new Map<string, string[]>();
  const add = (key: string | null, why: string): void => {
    if (key === null) return;
    const known = roots.get(key) ?? [];
    if (!known.includes(why)) roots.set(key, [...known, why]);
  };
  const folders = [...new Set([folder, ...projects(store.db)])];
  const histories = records.histories();
  const builds = new Builds(store.db);
  // A store that several projects share knows recipes by their absolute paths.
  const recipes = [...new Set([...histories.map(h => h.recipe), ...builds.recipes()])].filter(recipe =>
    folders.some(f => existsSync(resolve(f, recipe))),
  );
  const usedOf = store.db.prepare('SELECT used FROM uses WHERE key = ?');
  const used = (key: string): number => (usedOf.get(key) as { used: number } | undefined)?.used ?? 0;
  for (const recipe of recipes) {
    const nodes = histories.filter(h => h.recipe === recipe).map(h => h.history);
    const newest = Math.max(...nodes.map(h => used(h.key)));
    for (const { key, previous } of nodes) {
      if (newest - used(key) > GONE_S) continue;
      add(key, 'last build');
      add(previous, 'previous build');
    }
    for (const [i, number] of builds.numbers(recipe).slice(0, 2).entries())
      for (const key of Object.values(builds.get(recipe, number)?.keys ?? {}))
        add(key, i === 0 ? 'last build' : 'previous build');
  }
  for (const { path, shown } of lockFiles(folders, recipes)) for (const key of keysIn(path)) add(key, shown);
  for (const [name, keys] of tags(store.db)) for (const key of keys) add(key, `tag ${name}`);
  return roots;
};

/** `x.lock` beside a recipe `x.yaml`, in the folders of all recipes that have been built. */
const lockFiles = (folders: readonly string[], recipes: readonly string[]): { path: string; shown: string }[] => {
  const out = new Map<string, string>();
  for (const folder of folders) {
    for (const part of new Set(recipes.map(r => dirname(r)))) {
      const at = resolve(folder, part);
      const names = existsSync(at) ? readdirSync(at) : [];
      for (const name of names) {
        const stem = name.replace(/\.lock$/, '');
        if (stem !== name && (names.includes(`${stem}.yaml`) || names.includes(`${stem}.yml`)))
          out.set(join(at, name), join(part, name));
      }
    }
  }
  return [...out].map(([path, shown]) => ({ path, shown }));
};

const keysIn = (path: string): string[] => {
  try {
    return readFileSync(path, 'utf8').match(/\b[0-9a-f]{64}\b/g) ?? [];
  } catch {
    // Gone meanwhile, or a folder of that name.
    return [];
  }
};
