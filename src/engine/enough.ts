/** Whether this machine can run what a build will certainly have to run: told before anything is done. */
import { FailureError } from '../failure.ts';
import { closure, type GraphNode } from '../load/graph.ts';
import type { Engine } from './engine.ts';
import { thisMachine } from './machine.ts';
import { notEnough } from './slots.ts';

/**
 * Throws FailureError with every node that asks for more than there is and is sure to run. One that has been made is found
 * in the store anywhere; one that may be is judged when its turn comes.
 */
export const throwIfNotEnough = async (
  engine: Engine,
  nodes: readonly GraphNode[],
  { jobs, env }: { readonly jobs: number; readonly env: NodeJS.ProcessEnv },
): Promise<void> => {
  const asking = nodes.filter(n => n.resources);
  if (asking.length === 0) return;
  const machine = thisMachine(jobs, env);
  const failures = new Map(asking.map(n => [n.name, notEnough(n, machine)] as const).filter(([, f]) => f !== null));
  if (failures.size === 0) return;
  const [{ plan }, { readLockFile }, { pinnedBy }] = await Promise.all([
    import('./plan.ts'),
    import('./lock/lock-file.ts'),
    import('./lock/pinned.ts'),
  ]);
  const pinned = pinnedBy(readLockFile(engine.graph.path));
  const planned = await plan(engine, closure(engine.graph, [...failures.keys()]), { pinned, seconds: () => null });
  const sure = planned.filter(p => p.state === 'build').flatMap(p => failures.get(p.name) ?? []);
  if (sure.length > 0) throw new FailureError(sure);
};
