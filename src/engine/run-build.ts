/** One build of an opened recipe, from its first event to its summary: what `build` does once, and `watch` after each save. */
import type { BuildEvent, Emit } from '../events.ts';
import { type Failure, FailureError } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import { type BuildContext, build, type Looks } from './build.ts';
import type { Engine } from './engine.ts';
import { lookAtFiles } from './inputs.ts';
import { originsBy, pinnedBy } from './lock/pinned.ts';
import { settle } from './lock/settle.ts';
import type { BuildLock } from './lock/stamp.ts';

export type Summary = Extract<BuildEvent, { type: 'summary' }>;

export interface BuildRun
  extends Pick<
    BuildContext,
    | 'nodes'
    | 'looks'
    | 'pool'
    | 'jobs'
    | 'env'
    | 'keepGoing'
    | 'force'
    | 'refresh'
    | 'signal'
    | 'trace'
    | 'leave'
    | 'agree'
  > {
  readonly engine: Engine;
  readonly emit: Emit;
  /** Without it nothing is pinned, and no history written. */
  readonly lock?: BuildLock;
  /** False: what is pinned counts, but neither lock file nor history is written, and the store is not put in order. */
  readonly settles?: boolean;
  /** On the clock of `performance`: what the summary's seconds are counted from. */
  readonly begun: number;
}

/** Resolves with the summary, which has been emitted by then. */
export const runBuild = async ({ engine, begun, lock, settles = true, ...run }: BuildRun): Promise<Summary> => {
  const { graph, store, records, files, project } = engine;
  run.emit({
    type: 'build',
    recipe: graph.id,
    name: graph.name,
    jobs: run.jobs,
    nodes: run.nodes.map(n => ({
      ...{ name: n.name, section: n.section, stage: n.uses },
      ...(n.variant ? { variant: n.variant } : {}),
    })),
  });
  const pins = lock ? { pinned: pinnedBy(lock.file), origins: originsBy(lock.file), locked: lock.locked } : {};
  records.onWarning = message => run.emit({ type: 'warn', node: null, message });
  if (engine.salvaged !== null) records.onWarning(engine.salvaged);
  const { ok, nodes } = await build({ ...run, ...pins, graph, store, records, files, out: project.out });
  if (lock && settles) await settle({ engine, lock, nodes, emit: run.emit });
  if (settles && store.isBusy) {
    const { housekeep } = await import('./housekeep.ts');
    const message = housekeep({ store, records, folder: project.folder, env: run.env });
    if (message) run.emit({ type: 'warn', node: null, message });
  }
  const summary: Summary = { type: 'summary', ok, seconds: Math.round(performance.now() - begun) / 1000, nodes };
  run.emit(summary);
  return summary;
};

/** How long a look at a node's files is good enough to find its result by. */
const FRESH_MS = 1000;

/**
 * Looks at the files of all nodes before anything is done, so that what is missing is told at once. What it has seen is for
 * finding results by, for a moment: a node that has to be made looks again.
 */
export const lookAhead = ({ graph, files }: Engine, nodes: readonly GraphNode[]): Looks => {
  const begun = performance.now();
  const failures: Failure[] = [];
  const seen = new Map<string, ReturnType<Looks>>();
  for (const node of nodes) {
    try {
      seen.set(node.name, lookAtFiles(node, graph.folder, files));
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      failures.push(...error.failures);
    }
  }
  if (failures.length > 0) throw new FailureError(failures);
  return node => (performance.now() - begun < FRESH_MS ? (seen.get(node.name) ?? null) : null);
};
