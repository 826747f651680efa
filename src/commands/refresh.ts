/** `--refresh node`: which sources are to ask again for what they got from elsewhere. */
import { usage } from '../command.ts';
import { namedNodes } from '../engine/engine.ts';
import { pinsResult } from '../engine/lock/pins.ts';
import type { Graph, GraphNode } from '../load/graph.ts';
import { didYouMean } from '../load/suggest.ts';

const isRefreshable = (node: GraphNode): boolean => node.section === 'sources' && pinsResult(node);

/** Throws FailureError for nodes that get nothing from elsewhere, or that this build is not for. */
export const refreshedNodes = (
  graph: Graph,
  nodes: readonly GraphNode[],
  names: readonly string[],
): ReadonlySet<string> => {
  const asked = namedNodes(graph, names);
  const wrong = asked.find(n => !isRefreshable(n));
  if (wrong?.elsewhere)
    throw usage(
      `--refresh ${wrong.name}: it is no source; its answers are kept, each by its question`,
      `to ask all of them again: --force ${wrong.name}`,
    );
  if (wrong) {
    const others = graph.nodes.filter(isRefreshable).map(n => n.name);
    const hint = others.length === 0 ? '; no source of this recipe does' : didYouMean(wrong.name, others);
    const advice = `what it makes follows from what it reads; to run it again all the same: --force ${wrong.name}`;
    throw usage(`--refresh ${wrong.name}: it gets nothing from elsewhere${hint}`, advice);
  }
  const outside = asked.filter(n => !nodes.includes(n)).map(n => n.name);
  if (outside.length > 0) throw usage(`--refresh ${outside.join(', ')}: not among the nodes that this build is for`);
  return new Set(asked.map(n => n.name));
};
