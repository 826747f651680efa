/** Two sides beside each other, node by node: what of the recipe differs, which rows, which metrics. */
import { BlobCorrupt } from '../../../cache/blob.ts';
import type { NodeRecord, StoredOutput } from '../../../cache/records.ts';
import type { Store } from '../../../cache/store.ts';
import { type Difference, differences } from '../fingerprint.ts';
import { type RowChanges, rowChanges } from './row-changes.ts';
import type { Side, SideNode } from './side.ts';

export interface NodeChange {
  readonly node: string;
  /** The name that it has on the other side, where only the name differs. */
  readonly was?: string;
  /** Only on one side. */
  readonly state: 'changed' | 'added' | 'removed';
  /** Its own: stage, version, environment, options, files; not its inputs. */
  readonly recipe: readonly Difference[];
  /** What it reads, where that is something else now. */
  readonly wiring: { readonly before: string; readonly after: string } | null;
  /** By output, those that differ; null where a dataset is no longer whole in the store. */
  readonly rows: Readonly<Record<string, RowChanges | null>>;
  /** Dotted names, those that differ or that only one side has. */
  readonly metrics: Readonly<Record<string, { readonly before: Metric | null; readonly after: Metric | null }>>;
  /** Trees (adapters) that differ. */
  readonly trees: readonly string[];
  /** Why results cannot be compared, by side. */
  readonly lacks: { readonly before: string | null; readonly after: string | null };
}

export type Metric = number | string | boolean;

export interface CompareOptions {
  readonly store: Store;
  /** Names of nodes, or of all variants of one; empty for all. */
  readonly nodes: readonly string[];
  /** Examples of each kind. */
  readonly most: number;
}

/** Nodes that differ, in the order of the later side; those of the former that are gone come last. */
export const compare = async (before: Side, after: Side, options: CompareOptions): Promise<NodeChange[]> => {
  const out: NodeChange[] = [];
  const was = renamed(before, after);
  const old = new Set(was.values());
  const names = [...after.nodes.keys(), ...[...before.nodes.keys()].filter(n => !after.nodes.has(n) && !old.has(n))];
  for (const name of names) {
    if (options.nodes.length > 0 && !options.nodes.some(n => isMeant(name, n))) continue;
    const a = before.nodes.get(was.get(name) ?? name) ?? null;
    const change = await changeOf(name, a, after.nodes.get(name) ?? null, options);
    if (was.has(name)) out.push({ ...change, was: was.get(name)! });
    else if (isNews(change)) out.push(change);
  }
  return out;
};

/** A node with a matrix stands for all its variants: `loss` for `loss@r=8`. */
export const isMeant = (node: string, name: string): boolean => node === name || node.startsWith(`${name}@`);

/** A node of one side only is another's with a new name when they have the same key. */
const renamed = (before: Side, after: Side): Map<string, string> => {
  const gone = new Map(
    [...before.nodes.values()].flatMap(n => (n.key !== null && !after.nodes.has(n.name) ? [[n.key, n.name]] : [])),
  );
  const fresh = [...after.nodes.values()].filter(n => n.key !== null && !before.nodes.has(n.name) && gone.has(n.key));
  return new Map(fresh.map(n => [n.name, gone.get(n.key!)!]));
};

const changeOf = async (
  node: string,
  a: SideNode | null,
  b: SideNode | null,
  { store, most }: CompareOptions,
): Promise<NodeChange> => {
  const all = a?.document && b?.document ? differences(a.document, b.document) : [];
  const rows: Record<string, RowChanges | null> = {};
  const [old, now] = [a?.record?.outputs ?? {}, b?.record?.outputs ?? {}];
  const both = (a === null || a.record !== null) && (b === null || b.record !== null);
  const outputs = Object.keys({ ...now, ...old }).sort((x, y) => Number(y === 'rows') - Number(x === 'rows'));
  for (const output of both ? outputs : []) {
    const [x, y] = [dataset(old[output]), dataset(now[output])];
    if (x !== y) rows[output] = await rowChanges(store, x, y, { most });
  }
  const trees = Object.keys(now).filter(o => old[o]?.type === 'tree' && old[o].digest !== now[o]!.digest);
  return {
    node,
    state: a && b ? 'changed' : b ? 'added' : 'removed',
    recipe: all.filter(d => !d.path.startsWith('inputs')),
    wiring: a && b ? rewired(a.wiring, b.wiring) : null,
    rows,
    metrics: metricsOf(store, a?.record ?? null, b?.record ?? null),
    trees,
    lacks: { before: a?.lacks ?? null, after: b?.lacks ?? null },
  };
};

const rewired = (before: string | null, after: string | null): NodeChange['wiring'] =>
  before === null || after === null || before === after ? null : { before, after };

/** Of two nodes that nobody has built there is nothing to say but what their recipe says. */
const isNews = ({ state, recipe, wiring, rows, metrics, trees, lacks }: NodeChange): boolean =>
  state !== 'changed' ||
  recipe.length > 0 ||
  wiring !== null ||
  trees.length > 0 ||
  Object.keys(rows).length + Object.keys(metrics).length > 0 ||
  lacks.before !== null ||
  lacks.after !== null;

const dataset = (output: StoredOutput | undefined): string | null => (output?.type === 'rows' ? output.digest : null);

const metricsOf = (store: Store, a: NodeRecord | null, b: NodeRecord | null): NodeChange['metrics'] => {
  const [old, now] = [a, b].map(record => valuesOf(store, record));
  const out: Record<string, { before: Metric | null; after: Metric | null }> = {};
  for (const name of new Set([...Object.keys(now!), ...Object.keys(old!)])) {
    const [before, after] = [old![name] ?? null, now![name] ?? null];
    if (before !== after) out[name] = { before, after };
  }
  return out;
};

const valuesOf = (store: Store, record: NodeRecord | null): Record<string, Metric> => {
  const out: Record<string, Metric> = {};
  const add = (value: unknown, name: string): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      for (const [key, item] of Object.entries(value)) add(item, name === '' ? key : `${name}.${key}`);
    else if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') out[name] = value;
  };
  for (const output of Object.values(record?.outputs ?? {})) {
    const bytes = output.type === 'metrics' ? tryRead(store, output.digest) : null;
    if (bytes) add(JSON.parse(bytes.toString()), '');
  }
  return out;
};

const tryRead = (store: Store, digest: string): Buffer | null => {
  try {
    return store.read(digest);
  } catch (error) {
    if (error instanceof BlobCorrupt) return null;
    throw error;
  }
};
