/** After a build: what it was goes into the history, and what it stands on into the lock file, where either is news. */
import { Builds } from '../../../cache/builds.ts';
import type { Emit, NodeSummary } from '../../events.ts';
import { FailureError, systemFailure } from '../../failure.ts';
import type { Engine } from '../engine.ts';
import { type BuildLock, isDone, pinsNothing, settingsOf, stampOf } from './stamp.ts';

export interface Settled {
  readonly engine: Engine;
  readonly lock: BuildLock;
  readonly nodes: readonly NodeSummary[];
  readonly emit: Emit;
}

/** Never throws for what disks do: the build itself is done. */
export const settle = async (settled: Settled): Promise<void> => {
  const { engine, lock, nodes, emit } = settled;
  try {
    const builds = new Builds(engine.store.db);
    const settings = settingsOf(lock);
    const mark = builds.mark(engine.graph.id, settings);
    const now = new Map(nodes.flatMap(n => (isDone(n) ? [[n.name, n.key!] as const] : [])));
    if (now.size === 0) return;
    // Of nodes that this build was not for, or that failed, the last result still stands.
    const last = mark?.number ?? builds.numbers(engine.graph.id)[0];
    const isPart = now.size < engine.graph.nodes.length && last !== undefined;
    const before = isPart ? builds.get(engine.graph.id, last) : null;
    const keys = new Map<string, string>();
    for (const { name } of engine.graph.nodes) {
      const key = now.get(name) ?? before?.keys[name];
      if (key !== undefined) keys.set(name, key);
    }
    const stamp = stampOf(keys, pinsNothing(lock) ? null : lock.file);
    // What was made again may be another result under the same key.
    const isIdle = nodes.every(n => n.state !== 'built');
    if (isIdle && (mark?.stamp === stamp || (pinsNothing(lock) && mark?.stamp.startsWith(stamp)))) return;
    const { repin } = await import('./repin.ts');
    await repin({ ...settled, builds, settings, mark, keys });
  } catch (error) {
    const failure = error instanceof FailureError ? error.failures[0] : systemFailure(error, 'writing the lock file');
    if (!failure) throw error;
    const words = [failure.message, failure.advice].filter(Boolean).join('; ');
    emit({ type: 'warn', node: null, message: `${lock.file.shown} is left as it was: ${words}` });
  }
};
