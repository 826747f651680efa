/** Which nodes a save may start: those that are cheap, and those that were asked for. */
import type { Leave } from '../engine/build.ts';
import { type Engine, namedNodes } from '../engine/engine.ts';
import { differences, type Fingerprint } from '../engine/fingerprint.ts';
import type { GraphNode } from '../load/graph.ts';

export interface Wishes {
  /** Nodes that were named. */
  readonly names: readonly string[];
  /** Whether everything is asked for, whatever it costs. */
  readonly train: boolean;
  /** Seconds: a node whose last run took longer is not cheap. */
  readonly slow: number;
}

/** Why a node was left as it is. */
export interface Left {
  readonly name: string;
  readonly because: string;
  readonly asked: boolean;
}

/** Leaves what is not cheap, of which `onLeft` hears; without it what was asked for is built all the same. */
export const leaveDear = (
  engine: Engine,
  { names, train, slow }: Wishes,
  onLeft: ((left: Left) => void) | null,
): Leave => {
  const named = new Set(namedNodes(engine.graph, names).map(n => n.name));
  const isAsked = ({ name }: GraphNode) => train || named.has(name);
  return async (node, print) => {
    const because = await dear(engine, node, print, slow);
    if (because === null || (!onLeft && isAsked(node))) return null;
    onLeft?.({ name: node.name, because, asked: isAsked(node) });
    return because;
  };
};

/** Why a node is not cheap to make; null when it is. */
const dear = async (engine: Engine, node: GraphNode, print: Fingerprint, slow: number): Promise<string | null> => {
  if (node.section === 'trainer') return 'a training';
  if ((node.section as string) === 'exports') return 'an export';
  const history = await engine.records.history(engine.graph.id, node.name);
  const last = history && (await engine.records.get(history.key));
  // Of a stage that works row by row, other input means another run over the rows that changed.
  const byRow = Object.hasOwn(node.outputs, 'rejects');
  const isOther = (): boolean =>
    !last || !byRow || differences(last.document, print.document).some(d => !/^(files|inputs)/.test(d.path));
  if ((node.says?.dear || node.elsewhere) && isOther()) return 'each of its rows is dear';
  return last && last.seconds > slow && isOther() ? `its last run took ${Math.round(last.seconds)} s` : null;
};
