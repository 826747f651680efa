/** Nodes by what a person types: a node, one of its variants, or some of them (`loss`, `loss@r=8`, `loss@r=8.metrics`). */
import type { Graph, GraphNode } from './graph.ts';
import { type KnownAxes, parseReference, parseSelection } from './selection.ts';
import { didYouMean } from './suggest.ts';

export interface Selected {
  /** In the graph's order; at least one. */
  readonly nodes: readonly GraphNode[];
  readonly output: string | null;
}

/** What a text means in this graph, or in words why nothing. */
export const select = (graph: Graph, text: string): Selected | string => {
  const exact = graph.nodes.find(n => n.name === text);
  if (exact) return { nodes: [exact], output: null };
  const { node, rest, output } = parseReference(text);
  const nodes = graph.nodes.filter(n => n.name === node || n.variant?.of === node);
  if (nodes.length === 0) return `the recipe has no node "${node}"${didYouMean(node, entryNames(graph))}`;
  if (rest === null) return { nodes, output };
  const selection = parseSelection(node, rest, axesOf(nodes));
  if (typeof selection === 'string') return selection;
  const chosen = nodes.filter(n =>
    [...selection.axes].every(([axis, text]) => text === null || textsOf(n).get(axis) === text),
  );
  if (chosen.length === 0) return `${node} has no variant "${rest}"`;
  return { nodes: chosen, output: selection.output ?? output };
};

/** Names as in the recipe: of variants their entry's. */
export const entryNames = (graph: Graph): string[] => [...new Set(graph.nodes.map(n => n.variant?.of ?? n.name))];

/** The values in a variant's name, by axis: names hold them as they are written on the command line. */
const textsOf = ({ name, variant }: GraphNode): Map<string, string> => {
  const axes = Object.keys(variant?.axes ?? {});
  const texts = name.slice((variant?.of.length ?? 0) + 1).split(',');
  return new Map(axes.map((axis, i) => [axis, texts[i]!.slice(axis.length + 1)]));
};

const axesOf = (nodes: readonly GraphNode[]): KnownAxes => {
  const known = new Map<string, Map<string, { value: string | number | boolean; text: string }>>();
  for (const node of nodes) {
    const texts = textsOf(node);
    for (const [axis, value] of Object.entries(node.variant?.axes ?? {})) {
      if (!known.has(axis)) known.set(axis, new Map());
      known.get(axis)!.set(texts.get(axis)!, { value, text: texts.get(axis)! });
    }
  }
  return new Map([...known].map(([axis, values]) => [axis, [...values.values()]]));
};
