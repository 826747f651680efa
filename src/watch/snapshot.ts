/** What a build would be of, by content: the graph's nodes with their options, their code and their files. */
import { canonical, digest } from '../../cache/digest.ts';
import type { InputFile } from '../../stages/contract.ts';
import type { Engine } from '../engine/engine.ts';
import { keyName, lookAtFiles } from '../engine/inputs.ts';
import { type Failure, FailureError } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import { isWithin } from './reads.ts';

export interface Snapshot {
  /** Equal where nothing differs that a build would notice. */
  readonly id: string;
  readonly nodes: readonly GraphNode[];
  /** State of each node apart from what it is given by others. */
  readonly states: ReadonlyMap<string, string>;
  /** Digest of every file that was looked at, the recipe among them, by path. */
  readonly files: ReadonlyMap<string, string>;
}

/** Without the files in `written`, folders that builds write to. Throws FailureError with every file that cannot be had. */
export const takeSnapshot = (
  { graph, files }: Engine,
  nodes: readonly GraphNode[],
  written: readonly string[],
): Snapshot => {
  const failures: Failure[] = [];
  const states = new Map<string, string>();
  const seen = new Map([[graph.path, files.look(graph.path).digest]]);
  for (const node of nodes) {
    try {
      const all = lookAtFiles(node, graph.folder, files);
      const found = Object.fromEntries(
        Object.entries(all).map(([option, of]) => [option, of.filter(f => !written.some(w => isWithin(f.path, w)))]),
      );
      for (const { path, digest } of Object.values(found).flat()) seen.set(path, digest);
      for (const [path, digest] of Object.entries(node.code)) seen.set(path, digest);
      states.set(node.name, stateOf(node, found));
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      failures.push(...error.failures);
    }
  }
  if (failures.length > 0) throw new FailureError(failures);
  return { id: digest(canonical(Object.fromEntries(states))), nodes, states, files: seen };
};

/** Without places: a comment above a node moves it and changes nothing. */
const stateOf = (node: GraphNode, found: Readonly<Record<string, readonly InputFile[]>>): string =>
  digest(
    canonical({
      ...node,
      place: null,
      resources: node.resources && { ...node.resources, place: null },
      files: node.files.map(option => ({
        ...option,
        place: null,
        found: (found[option.option] ?? []).map(file => [keyName(option, file), file.digest]),
      })),
    }),
  );

/** Files that were changed, added or removed between two snapshots; all of them against none. */
export const changedFiles = (before: Snapshot, after: Snapshot): string[] => {
  const changed = [...after.files].filter(([path, d]) => before.files.get(path) !== d).map(([path]) => path);
  const gone = [...before.files.keys()].filter(path => !after.files.has(path));
  return [...changed, ...gone].sort();
};

/** Nodes of `before` whose result nobody needs any more: they changed, they have gone, or they follow from such a one. */
export const staleNodes = (before: Snapshot, after: Snapshot): Set<string> => {
  const stale = new Set<string>();
  for (const { name, inputs } of before.nodes) {
    const follows = Object.values(inputs).some(i => i.from.some(r => stale.has(r.node)));
    if (follows || before.states.get(name) !== after.states.get(name)) stale.add(name);
  }
  return stale;
};
