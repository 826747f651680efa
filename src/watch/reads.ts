/** Everything that a recipe's graph reads, and what lies among it that a build writes. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, isAbsolute, join, normalize, resolve, sep } from 'node:path';
import { MAGIC } from '../engine/glob.ts';
import type { Project } from '../engine/project.ts';
import type { FileOption, Graph, GraphNode } from '../load/graph.ts';

export interface Reads {
  /** The recipe's folder. */
  readonly folder: string;
  /** Absolute paths; nothing has to be there. */
  readonly files: readonly string[];
  readonly globs: readonly Glob[];
  /** Folders that builds write to: nothing in them is a change. */
  readonly written: readonly string[];
}

/** The files below an absolute folder whose paths from there match. */
export interface Glob {
  readonly folder: string;
  readonly pattern: string;
}

/** Sections whose results are copied to `out/<node>`. */
const PLACED = new Set(['trainer', 'exports']);

export const readsOf = (graph: Graph, nodes: readonly GraphNode[], { store, out }: Project): Reads => {
  const all = [
    ...nodes.flatMap(n => Object.keys(n.code)),
    ...nodes.flatMap(n => n.files.flatMap(f => ofOption(f, graph.folder))),
  ];
  const files = all.filter(r => typeof r === 'string');
  const globs = all.filter(r => typeof r !== 'string');
  // A pattern that goes over everything also meets `out`; a path that leads into it is meant.
  const isMeant = [...files, ...globs.map(g => g.folder)].some(path => isWithin(path, out));
  const placed = nodes.filter(n => PLACED.has(n.section)).map(n => join(out, n.name));
  return {
    folder: graph.folder,
    files: unique([graph.path, ...files], path => path),
    globs: unique(globs, g => `${g.folder}\0${g.pattern}`),
    written: [store, ...(isMeant ? placed : [out])],
  };
};

/**
 * What a recipe that cannot be loaded reads: what the graph before it read, and the user's code that its text mentions,
 * since the mistake may be mended there.
 */
export const readsOfBroken = (recipe: string, before: Reads | null): Reads => ({
  folder: dirname(recipe),
  files: unique([recipe, ...looseCode(recipe), ...(before?.files ?? [])], path => path),
  globs: before?.globs ?? [],
  written: before?.written ?? [],
});

export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === sep ? sep : folder + sep);

const ofOption = (option: FileOption, recipeFolder: string): (string | Glob)[] => {
  const root = option.root === undefined ? recipeFolder : resolve(recipeFolder, option.root);
  switch (option.kind) {
    case 'file':
      return option.values.map(value => resolve(recipeFolder, value));
    case 'files':
      return option.values.map(value => globOf(value, root));
    case 'folder':
      return option.values.flatMap(value =>
        (option.globs ?? ['**']).map(glob => globOf(glob, resolve(recipeFolder, value))),
      );
  }
};

/** The folders that a pattern names come off it. */
const globOf = (value: string, root: string): string | Glob => {
  const parts = normalize(value).split(sep);
  const first = parts.findIndex(part => MAGIC.test(part));
  if (first === -1) return resolve(root, value);
  const before = parts.slice(0, first).join(sep);
  const rest = parts.slice(first);
  // A way back up after a pattern leads to anywhere below.
  const pattern = rest.includes('..') ? '**' : rest.join('/');
  return { folder: resolve(root, isAbsolute(value) ? before || sep : before), pattern };
};

const unique = <T>(all: readonly T[], key: (one: T) => string): T[] => [
  ...new Map(all.map(one => [key(one), one])).values(),
];

/** A relative path in quotes or as a plain YAML value. */
const MENTION = /(?<![\w./])\.{1,2}\/[^\s'"`,}\])#]+/g;
/** A project's own stages are a handful of files. */
const MOST = 200;

/** The files of code that a text mentions by a relative path, and those that they mention, there or not. */
const looseCode = (recipe: string): string[] => {
  const found = new Set<string>();
  const queue = [recipe];
  for (let path = queue.pop(); path !== undefined && found.size < MOST; path = queue.pop()) {
    for (const [mention] of textOf(path).matchAll(MENTION)) {
      const next = resolve(dirname(path), mention);
      if (!/^\.[cm]?[jt]s$/.test(extname(next)) || found.has(next)) continue;
      found.add(next);
      queue.push(next);
    }
  }
  return [...found];
};

const textOf = (path: string): string => {
  try {
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  } catch {
    return '';
  }
};
