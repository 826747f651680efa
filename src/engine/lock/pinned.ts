/** Results that the lock file pins: the one that counts under its key, wherever it has been made, as long as the store has it. */
import type { NodeRecord, StoredOutput } from '../../../cache/records.ts';
import type { Store } from '../../../cache/store.ts';
import type { GraphNode } from '../../load/graph.ts';
import { isWhole, rowsSource } from '../artifact.ts';
import type { Fingerprint } from '../fingerprint.ts';
import type { LockEntry, LockFile } from './lock-file.ts';
import { isPinned, originsIn, type Pins } from './pins.ts';

/** What is pinned under a key, or null. */
export type Pinned = (key: string) => Pins | null;

export const pinnedBy = (lock: LockFile): Pinned => {
  const byKey = new Map(lock.entries.flatMap(e => (e.key === null ? [] : [[e.key, e.pins] as const])));
  return key => byKey.get(key) ?? null;
};

/** What the lock file says that names from elsewhere mean, to a node with this key. */
export type Origins = (node: string, key: string) => Readonly<Record<string, string>>;

/** A node's own line counts for more than another's: one may have been asked again alone. */
export const originsBy = ({ entries }: LockFile): Origins => {
  if (entries.every(e => Object.keys(originsIn(e.pins)).length === 0)) return () => ({});
  return (node, key) => {
    const weight = (e: LockEntry): number => (e.node === node ? (e.key === key ? 2 : 1) : 0);
    return Object.assign({}, ...entries.toSorted((a, b) => weight(a) - weight(b)).map(e => originsIn(e.pins)));
  };
};

export interface Wanted {
  readonly store: Store;
  readonly node: GraphNode;
  readonly print: Fingerprint;
  readonly pins: Pins;
}

/**
 * The record of the pinned result, also where the store has another under the same key (`found`); null when the store
 * does not have it whole.
 */
export const pinnedRecord = (wanted: Wanted, found: NodeRecord | null): NodeRecord | null => {
  const { store, print, pins } = wanted;
  if (found && isPinned(found, pins)) return isWhole(store, found) ? found : null;
  const outputs = outputsOf(wanted);
  if (!outputs) return null;
  const record: NodeRecord = {
    document: print.document,
    outputs,
    // All else that is recorded under the key speaks of another result.
    tallies: talliesOf(outputs),
    computed: null,
    warnings: [],
    note: null,
    alignment: null,
    seconds: Number(pins.seconds ?? 0),
    made: Math.floor(Date.now() / 1000),
    failure: null,
  };
  return isWhole(store, record) ? record : null;
};

/** What a source has seen is what came out of it; of another stage nobody knows more. */
const talliesOf = (outputs: Readonly<Record<string, StoredOutput>>): Record<string, number> => {
  const rows = Object.entries(outputs).flatMap(([name, o]) => (o.type === 'rows' ? [[name, o.rows] as const] : []));
  const { rejects = 0, dropped = 0 } = Object.fromEntries(rows);
  const seen = rows.reduce((sum, [, n]) => sum + n, 0);
  return { ...(rejects ? { rejects } : {}), ...(dropped ? { dropped } : {}), seen };
};

/** Null where an output is not pinned, or a dataset is not there to be counted. */
const outputsOf = ({ store, node, pins }: Wanted): Record<string, StoredOutput> | null => {
  const outputs: Record<string, StoredOutput> = {};
  for (const [name, type] of Object.entries(node.outputs)) {
    const digest = pins[`result.${name}`];
    if (digest === undefined) return null;
    if (type !== 'rows') outputs[name] = { type, digest };
    else {
      const rows = countRows(store, digest);
      if (rows === null) return null;
      outputs[name] = { type, digest, rows, lineage: null };
    }
  }
  return outputs;
};

const countRows = (store: Store, digest: string): number | null => {
  try {
    return rowsSource(store, digest)?.count ?? null;
  } catch {
    // A blob that is damaged, or no dataset at all: the lock file is edited by people, and merged.
    return null;
  }
};
