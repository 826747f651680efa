/** Before a training is run again: what the lock file forbids, and what the user is asked. */
import type { NodeRecord } from '../../cache/records.ts';
import { FailureError } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import type { BuildContext } from './build.ts';
import { differences, type Fingerprint, inWords } from './fingerprint.ts';
import { originsIn, pinsResult } from './lock/pins.ts';

/** A training that has been done before, under this key or another. */
export interface Repeat {
  readonly node: string;
  /** What it took then. */
  readonly seconds: number;
  /** What has changed since: "option r: 8 -> 16". */
  readonly why: string;
}

/** Whether a training may be repeated; rejects when the build is interrupted meanwhile. */
export type Agree = (repeat: Repeat) => Promise<boolean>;

/** Throws FailureError `lock-drift`, `lock-missing-result` or `not-agreed` where the node must not be run. */
export const throwUnlessAgreed = async (c: BuildContext, node: GraphNode, print: Fingerprint): Promise<void> => {
  if (!pinsResult(node)) return;
  const pins = c.pinned?.(print.key);
  if (c.locked && !(pins && Object.keys(originsIn(pins)).length > 0))
    throw new FailureError([lockedOut(c, node, print.key)]);
  if (!c.agree || node.section !== 'trainer' || c.force.has(node.name)) return;
  const repeat = await lastRun(c, node, print);
  if (!repeat || (await c.agree(repeat))) return;
  throw new FailureError([
    {
      reason: 'not-agreed',
      message: `${node.name} has been trained before and would be trained again: ${repeat.why}`,
      advice: 'to train again: finetune build --yes',
      place: node.place,
    },
  ]);
};

const lockedOut = ({ pinned }: BuildContext, { name, place }: GraphNode, key: string) =>
  pinned?.(key)
    ? {
        reason: 'lock-missing-result',
        message: `the result of ${name} that the lock file pins is not in this store, and --locked makes no other`,
        advice:
          'use the store that has it (FINETUNE_STORE), or build without --locked: it is then made again and pinned anew',
        place,
      }
    : {
        reason: 'lock-drift',
        message: `the lock file pins no result of ${name} as it stands now (key ${key.slice(0, 12)})`,
        advice: 'build without --locked, and commit the lock file',
        place,
      };

/** The run whose result would be replaced: this node's last one, or the pinned one that this store lacks. */
const lastRun = async (c: BuildContext, node: GraphNode, print: Fingerprint): Promise<Repeat | null> => {
  const pins = c.pinned?.(print.key);
  if (pins) {
    const seconds = Number(pins.seconds ?? 0);
    return { node: node.name, seconds, why: 'its pinned result is not in this store' };
  }
  const history = await c.records.history(c.graph.id, node.name);
  for (const key of [history?.key, history?.previous]) {
    const record: NodeRecord | null = key ? await c.records.get(key) : null;
    if (!record) continue;
    const all = key === print.key ? [] : differences(record.document, print.document).map(inWords);
    const why = all.length === 0 ? 'its result is no longer whole in the store' : all.slice(0, 3).join('; ');
    return { node: node.name, seconds: record.seconds, why };
  }
  return null;
};
