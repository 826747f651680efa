/** Loads a recipe: reads, interpolates, checks, and gives the graph, or every mistake in the file at once. */
import { dirname, relative, sep } from 'node:path';
import { type Failure, FailureError, type Place } from '../failure.ts';
import { SECTIONS, type Section } from '../stages.ts';
import { connect, unknownNode } from './connect.ts';
import { type Entry, type LoadContext, readEntry } from './entry.ts';
import { expand } from './expand.ts';
import type { Graph, GraphNode } from './graph.ts';
import { type Draft, draftNodes } from './node.ts';
import { readRecipe } from './read.ts';
import { parseReference } from './selection.ts';
import { settings } from './settings.ts';
import { nearest } from './suggest.ts';
import { checkTop, resolveVars, TOP } from './top.ts';
import { isMap, type Map_, type Value } from './value.ts';
import { parseYaml } from './yaml.ts';

export interface LoadOptions {
  /** Absolute. */
  readonly path: string;
  /** Folder that the store and the recipe's id are relative to; absolute. */
  readonly project: string;
  /** Whether the store may be another project's too. */
  readonly shared?: boolean;
  readonly profiles?: readonly string[];
  /** `path=value` as typed. */
  readonly set?: readonly string[];
}

export const NAME = /^[a-z][a-z0-9_-]*$/;

/** Throws FailureError with every mistake found, in the file's order. */
export const loadRecipe = async (options: LoadOptions): Promise<Graph> => {
  const shown = relative(process.cwd(), options.path) || options.path;
  const source = parseYaml(readRecipe(options.path, shown), shown);
  const failures: Failure[] = [...source.failures];
  // What a file that is too large or too deep lacks is no mistake of its own.
  if (failures.some(f => f.reason === 'yaml-too-large')) throw new FailureError(inOrder(failures));
  const done = () => {
    if (failures.length > 0) throw new FailureError(inOrder(failures));
  };
  const fail = (f: Failure) => void failures.push(f);
  if (!isMap(source.value)) {
    if (failures.length === 0)
      fail({
        reason: 'wrong-type',
        message: `${source.value === null ? 'the recipe is empty: it' : 'a recipe'} is a map with version, sources, transforms, …`,
        place: { path: shown, line: 1 },
      });
    done();
  }
  const recipe = source.value as Map_;
  const places = settings(recipe, source, options, fail);
  const place = (path: readonly (string | number)[], key?: boolean): Place => {
    for (let n = path.length; n > 0; n--) {
      const set = places.get(path.slice(0, n).join('.'));
      if (set) return set;
    }
    return source.place(path, key);
  };

  checkTop(recipe, fail, place);
  const vars = resolveVars(recipe.vars, fail, place);
  const context: LoadContext = { vars, folder: dirname(options.path), place, fail };
  const names = new Map<string, string>();
  const entries: Entry[] = [];
  for (const [section, name, raw] of named(recipe, names, context))
    entries.push(await readEntry(section, name, raw, context));
  if (names.size === 0 && SECTIONS.every(s => recipe[s] === undefined || recipe[s] === null || isMap(recipe[s])))
    fail({ reason: 'missing-input', message: 'the recipe has no nodes', place: place([]) });
  // Nodes of a section whose name is misspelt are there all the same: only the section is the mistake.
  for (const [key, nodes] of Object.entries(recipe)) {
    if (TOP.includes(key) || !isMap(nodes) || !nearest(key, SECTIONS)) continue;
    for (const name of Object.keys(nodes)) if (!names.has(name)) names.set(name, key);
  }
  const drafts: Draft[] = [];
  const all = expand(entries, context);
  if (failures.some(f => f.reason === 'too-many-nodes')) done();
  for (const expanded of all) {
    const { entry, variants } = expanded;
    const made = draftNodes(expanded, context);
    for (const d of made) drafts.push(d);
    if (made.length > 0) continue;
    for (const { from } of variants) checkNames(from, [entry.section, entry.name, 'from'], names, place, fail);
  }
  const nodes: GraphNode[] = connect(drafts, names, place, fail);
  done();
  // On a store that several projects share, a recipe is told by where it lies.
  const id = options.shared ? options.path : relative(options.project, options.path).split(sep).join('/');
  const name =
    typeof recipe.name === 'string' ? recipe.name : relative(options.project, options.path).replace(/\.ya?ml$/, '');
  return { name, path: options.path, id, folder: dirname(options.path), nodes };
};

/** Every entry of every section, by the first that takes a name; `names` gets the section of each. */
const named = (
  recipe: Map_,
  names: Map<string, string>,
  { place, fail }: LoadContext,
): [section: Section, name: string, raw: Value][] => {
  const out: [Section, string, Value][] = [];
  for (const section of SECTIONS) {
    const entries = recipe[section];
    if (entries === undefined || entries === null) continue;
    if (!isMap(entries)) {
      fail({ reason: 'wrong-type', message: `${section} must be a map of nodes by name`, place: place([section]) });
      continue;
    }
    for (const [name, raw] of Object.entries(entries)) {
      const at = [section, name];
      if (!NAME.test(name)) {
        const message = `"${name}" is not a name: small letters, digits, "_" and "-", a letter first`;
        fail({ reason: 'invalid-name', message, place: place(at, true) });
      }
      const taken = names.get(name);
      if (taken === undefined) {
        names.set(name, section);
        out.push([section, name, raw]);
      } else {
        const message = `the name "${name}" is taken: ${taken} has a node of that name`;
        fail({ reason: 'duplicate-name', message, place: place(at, true) });
      }
    }
  }
  return out;
};

/** Of an entry whose stage is unknown at least the names that it refers to can be judged. */
const checkNames = (
  from: Value | undefined,
  at: readonly (string | number)[],
  names: ReadonlyMap<string, string>,
  place: (path: readonly (string | number)[]) => Place,
  fail: (f: Failure) => void,
): void => {
  if (typeof from === 'object' && from !== null) {
    for (const [k, v] of Object.entries(from))
      checkNames(v, [...at, Array.isArray(from) ? Number(k) : k], names, place, fail);
    return;
  }
  if (typeof from !== 'string') return;
  const failure = unknownNode(parseReference(from).node, names, place(at));
  if (failure) fail(failure);
};

const inOrder = (failures: readonly Failure[]): Failure[] => {
  const seen = new Set<string>();
  return failures
    .filter(f => {
      const same = JSON.stringify([f.message, f.place?.path, f.place?.line, f.place?.column]);
      return !seen.has(same) && seen.add(same);
    })
    .sort((a, b) => (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0));
};
