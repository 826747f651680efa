/** What each node of a graph reads, as a text: `rows=text.rows`, `model=base.model train=chat.rows`. */
import type { Graph } from '../load/graph.ts';

export const wiringOf = (graph: Pick<Graph, 'nodes'>): Record<string, string> =>
  Object.fromEntries(
    graph.nodes.map(n => [
      n.name,
      Object.entries(n.inputs)
        .map(([port, { from }]) => `${port}=${from.map(r => `${r.node}.${r.output}`).join(',')}`)
        .join(' '),
    ]),
  );
