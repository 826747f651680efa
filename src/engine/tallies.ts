/** What a node's counts say: the stage's own verdict on them, the rows for the table, and the note beside it. */
import type { NodeRecord } from '../../cache/records.ts';
import { type Stage, StageError } from '../../stages/contract.ts';
import type { GraphNode } from '../load/graph.ts';
import { countsOf } from './rows/run-check.ts';

/** The stage's note about its totals, or the failure that it sees in them. */
export const verdict = (
  stage: Stage,
  tallies: Readonly<Record<string, number>>,
  options: unknown,
  rows: number,
): Pick<NodeRecord, 'note' | 'failure'> & { readonly warnings: readonly string[] } => {
  const nothing = { note: null, failure: null, warnings: [] };
  try {
    if (stage.kind === 'check') {
      const counts = countsOf(tallies);
      return counts.rows === 0 ? nothing : { ...stage.verdict(counts, options), failure: null };
    }
    // Of no rows there is nothing to say: that all were rejected or dropped is the failure then.
    if (stage.kind !== 'rows' || !stage.verdict || rows === 0) return nothing;
    return { ...nothing, note: stage.verdict(tallies, options).note };
  } catch (error) {
    if (!(error instanceof StageError)) throw error;
    return {
      note: null,
      warnings: [],
      failure: { reason: error.reason, message: error.message, ...(error.advice ? { advice: error.advice } : {}) },
    };
  }
};

/** Rows of the default output; of a split, of all sides. */
export const countRows = (node: GraphNode, record: NodeRecord): number | null => {
  const main = node.defaultOutput === null ? undefined : record.outputs[node.defaultOutput];
  if (main) return main.type === 'rows' ? main.rows : null;
  return Object.values(record.outputs).reduce((n, o) => n + (o.type === 'rows' ? o.rows : 0), 0);
};

/** A few words beside the counts: "train 651, eval 67", "12 dropped". */
export const notes = ({ note, tallies: { rejects = 0, dropped = 0 }, outputs }: NodeRecord): string => {
  const sides =
    outputs.rows || Object.values(outputs).some(o => o.type !== 'rows')
      ? ''
      : Object.entries(outputs)
          .toSorted(([, a], [, b]) => (b.type === 'rows' ? b.rows : 0) - (a.type === 'rows' ? a.rows : 0))
          .map(([n, o]) => `${n} ${o.type === 'rows' ? o.rows : 0}`)
          .join(', ');
  return [note, sides, dropped > 0 ? `${dropped} dropped` : '', rejects > 0 ? `${rejects} rejected` : '']
    .filter(Boolean)
    .join(', ');
};
