/** Of a stage's inputs the one whose rows it looks at; others are what they are held against. */
import type { GraphNode } from '../../load/graph.ts';

/** The port whose rows a stage looks at: its first that takes rows. */
export const primaryPort = (node: GraphNode): string | null =>
  Object.keys(node.inputs).find(port => port === 'rows') ??
  Object.entries(node.inputs).find(([, { port }]) => port.type === 'rows')?.[0] ??
  null;
