/**
 * The checked graph of a recipe, kept from the last build: a recipe that has not changed is neither parsed nor checked
 * again, and neither `yaml` nor `ajv` is even loaded.
 */
import { readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { canonical, digest } from '../../cache/digest.ts';
import { makeFolder, writeDurably } from '../../cache/durable.ts';
import { readSealed, seal } from '../../cache/sealed.ts';
import { stamp } from '../stages.ts';
import { packageVersion } from '../version.ts';
import type { Graph } from './graph.ts';
import type { LoadOptions } from './recipe.ts';

/** Raised when the shape of a graph, or what loading makes of a recipe, changes within a version. */
const FORMAT = 3;

/** As `loadRecipe`; `folder` is where graphs are kept. What is kept there is only ever a shortcut. */
export const loadGraphFrom = async (folder: string, options: LoadOptions): Promise<Graph> => {
  const file = join(
    folder,
    `${digest(canonical([options.path, options.profiles ?? [], options.set ?? []])).slice(0, 24)}.bin`,
  );
  const of = state(options);
  const known = of === null ? null : read(file, of);
  if (known) return known;
  const { loadRecipe } = await import('./recipe.ts');
  const graph = await loadRecipe(options);
  // Whoever edits the recipe while it is read would else get this graph for another text.
  if (of === null || state(options) !== of) return graph;
  const code: Record<string, string> = Object.assign({}, ...graph.nodes.map(n => n.code));
  try {
    makeFolder(folder);
    writeDurably(file, seal([of, JSON.stringify(code), JSON.stringify(graph)].map(text => Buffer.from(text))));
  } catch {
    // A store that cannot be written fails later, with a message; a graph can always be made again.
  }
  return graph;
};

/** Null when the recipe cannot be read: then loading it says why. */
const state = (options: LoadOptions): string | null => {
  const recipe = contentDigest(options.path);
  if (recipe === null) return null;
  // Places in the graph are relative to the working folder, and modules' URLs are absolute.
  return canonical([
    FORMAT,
    packageVersion(),
    recipe,
    options.path,
    relative(process.cwd(), options.path),
    options.project,
    options.shared ?? false,
    stamp(),
    process.versions.node,
  ]);
};

const contentDigest = (path: string): string | null => {
  try {
    return statSync(path).isFile() ? digest(readFileSync(path)) : null;
  } catch {
    return null;
  }
};

/** The graph that was kept of this very state, with the user's stages as they were then. */
const read = (file: string, state: string): Graph | null => {
  const [of, code, graph] = readSealed(file) ?? [];
  if (!code || !graph || of?.toString() !== state) return null;
  const digests = Object.entries(JSON.parse(code.toString()) as Record<string, string>);
  return digests.every(([path, d]) => contentDigest(path) === d) ? (JSON.parse(graph.toString()) as Graph) : null;
};
