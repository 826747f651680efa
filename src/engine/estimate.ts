/** What a node's next run will cost: the rows that it has to compute, and the time, by what its runs before have taken. */
import type { Builds } from '../../cache/builds.ts';
import type { NodeRecord } from '../../cache/records.ts';
import type { Store } from '../../cache/store.ts';
import type { GraphNode } from '../load/graph.ts';
import { dirtyRows, rowChanges } from './compare/row-changes.ts';
import type { Difference } from './fingerprint.ts';
import { keyName } from './inputs.ts';
import type { KnownNode } from './keys.ts';
import { primaryPort } from './rows/primary-port.ts';

export interface Estimate {
  /** Rows to compute; null where rows are not the unit, or nobody can know. */
  readonly rows: number | null;
  /** Rows of its inputs. */
  readonly of: number | null;
  /** Files to read again, of a source. */
  readonly files: { readonly changed: number; readonly of: number } | null;
  /** Whether `rows` has been counted in its inputs, and not guessed from the shares of what is before them. */
  readonly sure: boolean;
  /** Null when it has never run. */
  readonly seconds: number | null;
}

export interface EstimateInput {
  readonly recipe: string;
  readonly builds: Builds;
  readonly store: Store;
  readonly known: KnownNode;
  readonly last: NodeRecord | null;
  /** What it took where it was made, if not here. */
  readonly elsewhere: number | null;
  readonly differences: readonly Difference[];
  /** Share of each node before it that changes: 0 to 1. */
  readonly shares: ReadonlyMap<string, number>;
  /** Rows that a node's outputs hold, by `node.output`; of the last result where the next one is not known. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Of a node that is not cached, and the share of its result that will be new. */
export const estimate = async (input: EstimateInput): Promise<Estimate & { readonly share: number }> => {
  const { known, last, elsewhere, builds, recipe } = input;
  const { node } = known;
  const before = last ? { seconds: last.seconds, rows: last.computed } : null;
  const there = elsewhere === null ? null : { seconds: elsewhere, rows: null };
  const cost = builds.cost(recipe, node.name) ?? before ?? there;
  const files = node.section === 'sources' ? changedFiles(input) : null;
  const primary = isByRow(node) ? primaryPort(node) : null;
  const of = Object.entries(node.inputs)
    .flatMap(([port, i]) => (i.port.type === 'rows' && (primary === null || port === primary) ? i.from : []))
    .map(r => input.counts.get(`${r.node}.${r.output}`) ?? null)
    .reduce<number | null>((sum, n) => (sum === null || n === null ? null : sum + n), 0);
  const total = Object.keys(node.inputs).length === 0 ? null : of;
  if (!isByRow(node) || !last) {
    const seconds = trainingSeconds(node, last, total) ?? cost?.seconds ?? null;
    return { rows: isByRow(node) ? total : null, of: total, files, sure: false, seconds, share: 1 };
  }
  const { share, rows } = files ? { share: files.share, rows: null } : await changedShare(input, total);
  const computed = rows ?? (total === null ? null : Math.ceil(share * total));
  const part = computed !== null && cost?.rows ? computed / cost.rows : share;
  return {
    rows: computed,
    of: total,
    files: files && { changed: files.changed, of: files.of },
    sure: rows !== null,
    seconds: cost && cost.seconds * part,
    share,
  };
};

/** Whether only changed rows are computed again; trainings and evaluations begin anew. */
const isByRow = (node: GraphNode): boolean =>
  node.section !== 'trainer' &&
  node.section !== 'evaluators' &&
  Object.values(node.outputs).includes('rows') &&
  Object.values(node.outputs).every(type => type === 'rows' || type === 'metrics');

/** Of a training: the last one's time, by the rows that its steps take; null where one of the two is counted otherwise. */
const trainingSeconds = (node: GraphNode, last: NodeRecord | null, rows: number | null): number | null => {
  if (node.section !== 'trainer' || !last) return null;
  const { options } = JSON.parse(last.document) as { options: GraphNode['options'] };
  const [before, now] = [rowsTrained(options, rows), rowsTrained(node.options, rows)];
  return before && now ? (last.seconds * now) / before : null;
};

const rowsTrained = ({ steps, epochs, batch }: GraphNode['options'], rows: number | null): number | null => {
  if (typeof steps === 'number' && typeof batch === 'number') return steps * batch;
  return typeof epochs === 'number' && rows !== null ? epochs * rows : null;
};

/** Of a source: by the bytes of the files that are new or changed since its last result. */
const changedFiles = ({ known, last, differences }: EstimateInput) => {
  const all = known.node.files.flatMap(option =>
    (known.files?.[option.option] ?? []).map(f => ({
      path: `files.${option.option}.${keyName(option, f)}`,
      size: f.size,
    })),
  );
  if (all.length === 0) return null;
  const anew = !last || differences.some(d => !d.path.startsWith('files.'));
  const different = new Set(differences.map(d => d.path));
  const changed = anew ? all : all.filter(f => different.has(f.path));
  const bytes = (files: readonly { size: number }[]) => files.reduce((n, f) => n + f.size, 0);
  const share = bytes(all) === 0 ? 1 : bytes(changed) / bytes(all);
  return { changed: changed.length, of: all.length, share };
};

/** Of a node that reads rows: all of them when it has itself changed; else those of its inputs that are new. */
const changedShare = async (
  { known, store, last, differences, shares }: EstimateInput,
  total: number | null,
): Promise<{ share: number; rows: number | null }> => {
  // Rows that are only held against others change every row, as an option does.
  const primary = `inputs.${primaryPort(known.node)}`;
  if (differences.some(d => d.path !== primary && (!d.path.startsWith('inputs') || isRows(known.node, d.path))))
    return { share: 1, rows: total };
  if (known.print && differences.length === 0) {
    // Rows to be tried again; or else a result that has been lost.
    const again = last?.tallies.again ?? 0;
    return again > 0 ? { share: total ? again / total : 1, rows: again } : { share: 1, rows: total };
  }
  if (known.print) {
    const rows = await newRows(store, differences);
    if (rows !== null) return { share: total ? Math.min(1, rows / total) : 1, rows };
  }
  const parts = Object.entries(known.node.inputs).flatMap(([name, { from }]) =>
    from.map(r => {
      const share = shares.get(r.node) ?? 1;
      // Another model, or other rows to be held against, is another for every row.
      return share > 0 && name !== primaryPort(known.node) ? 1 : share;
    }),
  );
  return { share: Math.max(0, ...parts), rows: null };
};

/** Whether a difference is one of rows. */
const isRows = ({ inputs }: GraphNode, path: string): boolean => inputs[path.split('.')[1] ?? '']?.port.type === 'rows';

/** Above this many rows in new chunks all of them are taken for new ones, rather than read. */
const READ = 20_000;

/** Rows of the inputs that are new or changed; null when an input is not rows, or no longer in the store. */
const newRows = async (store: Store, differences: readonly Difference[]): Promise<number | null> => {
  let rows = 0;
  for (const { before, after } of differences) {
    if (typeof before !== 'string' || typeof after !== 'string') return null;
    try {
      const dirty = dirtyRows(store, before, after);
      if (!dirty) return null;
      const changes = dirty.before + dirty.after > READ ? null : await rowChanges(store, before, after, { most: 0 });
      rows += changes ? changes.added + changes.changed : dirty.after;
    } catch {
      // A model's or an adapter's digest names no dataset.
      return null;
    }
  }
  return rows;
};
