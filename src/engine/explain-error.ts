/** Turns what a stage or the store threw into failures in the user's terms; only a bug brings a stack, for the log. */
import { BlobCorrupt } from '../../cache/blob.ts';
import { isDamage } from '../../cache/salvage.ts';
import { StageError } from '../../stages/contract.ts';
import { type Failure, FailureError, systemFailure } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import { WorkerFailure } from './pool.ts';
import type { WorkerError } from './protocol.ts';
import { toWorkerError } from './worker-error.ts';

export interface Explained {
  readonly failures: readonly Failure[];
  /** For the node's log. */
  readonly stack: string | null;
  /** A blob that is not what its name says. */
  readonly corrupt: string | null;
}

export const explainError = (error: unknown, node: GraphNode): Explained => {
  const plain = (failures: readonly Failure[]): Explained => ({ failures, stack: null, corrupt: null });
  if (error instanceof FailureError) return plain(error.failures);
  const doing = `building ${node.name}`;
  if (isDamage(error)) {
    const message = `the store's index is damaged (${(error as Error).message})`;
    const advice = 'run the same command again: what can be read of it is saved first, and the rest built again';
    return plain([{ reason: 'store-corrupt', message, advice }]);
  }
  const told: WorkerError = error instanceof WorkerFailure ? error.error : toWorkerError(error);
  const system = systemFailure(error instanceof WorkerFailure ? { code: told.reason, path: told.path } : error, doing);
  if (system && !(error instanceof StageError) && !(error instanceof BlobCorrupt)) return plain([system]);
  const { crash, reason, message, advice, stack, blob } = told;
  const place = told.place ?? node.place;
  if (blob) {
    const what = { reason: 'store-corrupt', message: `${message}; it has been set aside` };
    return {
      failures: [{ ...what, advice: 'build again: what it belongs to is made anew', place }],
      stack: null,
      corrupt: blob,
    };
  }
  if (!crash) return plain([{ reason, message, place, ...(advice ? { advice } : {}) }]);
  const what = { reason: 'stage-crashed', message: `${node.uses} broke: ${message}` };
  return {
    failures: [{ ...what, advice: 'this is a bug of the stage; its stack is in the log', place }],
    stack: stack ?? null,
    corrupt: null,
  };
};
