/** The order of a graph's nodes, and the cycles that would leave it without one. */
import type { Failure, Place } from '../failure.ts';
import type { GraphNode } from './graph.ts';
import type { Path } from './value.ts';

/** Depth first in the recipe's order; iterative, since a chain of 10,000 nodes is a graph like any other. */
export const sort = (
  nodes: readonly GraphNode[],
  place: (path: Path, key?: boolean) => Place,
  fail: (failure: Failure) => void,
): GraphNode[] => {
  const byName = new Map(nodes.map(n => [n.name, n]));
  const state = new Map<string, 'open' | 'done'>();
  const depth = new Map<string, number>();
  const out: GraphNode[] = [];
  const needs = (n: GraphNode) => Object.values(n.inputs).flatMap(i => i.from.map(r => r.node));
  for (const root of nodes) {
    const stack: { node: GraphNode; rest: string[]; next: number }[] = [];
    const open = (node: GraphNode) => {
      state.set(node.name, 'open');
      depth.set(node.name, stack.length);
      stack.push({ node, rest: needs(node), next: 0 });
    };
    if (!state.has(root.name)) open(root);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const next = top.rest[top.next++];
      if (next === undefined) {
        state.set(top.node.name, 'done');
        out.push(top.node);
        stack.pop();
        continue;
      }
      const node = byName.get(next);
      if (!node || state.get(next) === 'done') continue;
      if (state.get(next) === 'open') {
        fail({
          reason: 'cycle',
          message: `these nodes wait for each other: ${[...cycle(stack, depth.get(next)!), next].join(' <- ')}`,
          place: place([node.section, node.variant?.of ?? node.name], true),
        });
        continue;
      }
      open(node);
    }
  }
  return out;
};

const LONGEST_CYCLE = 12;

/** The nodes from a place in the stack to its top; of a long way only the ends. */
const cycle = (stack: readonly { readonly node: GraphNode }[], from: number): readonly string[] => {
  const name = ({ node }: { readonly node: GraphNode }) => node.name;
  const length = stack.length - from;
  if (length <= LONGEST_CYCLE) return stack.slice(from).map(name);
  return [...stack.slice(from, from + 6).map(name), `… ${length - 9} more …`, ...stack.slice(-3).map(name)];
};
