/** Why a node was built or would be: what differs between two of its fingerprints, followed through its inputs to the first causes. */
import { Builds } from '../../cache/builds.ts';
import type { NodeRecord } from '../../cache/records.ts';
import type { GraphNode } from '../load/graph.ts';
import { dirtyRows, type RowChanges, rowChanges } from './compare/row-changes.ts';
import type { Engine } from './engine.ts';
import { type Difference, differences } from './fingerprint.ts';
import { type PlannedNode, plan } from './plan.ts';

export interface Cause {
  readonly node: string;
  readonly state: PlannedNode['state'];
  readonly why: string;
  readonly differences: readonly Difference[];
  /** Of its inputs that are rows and have changed, by port (and node, where the port takes a list). */
  readonly rows: Readonly<Record<string, InputRows>>;
  /** Whether something of its own is a reason: an option, a file, its code. */
  readonly first: boolean;
}

export interface InputRows {
  /** At most so many rows came, went or changed: those in chunks that are not the same. */
  readonly most: number;
  /** Null when there are too many to compare them, or when a dataset is no longer whole in the store. */
  readonly changes: RowChanges | null;
}

/** Rows that are read for the sake of an explanation. */
const READ = 200_000;
const EXAMPLES = 3;

/** The node first, then those before it that are reasons, nearest first. `nodes` are all that it depends on. */
export const causes = async (engine: Engine, nodes: readonly GraphNode[], name: string): Promise<Cause[]> => {
  const planned = new Map((await plan(engine, nodes)).map(p => [p.name, p]));
  const byName = new Map(nodes.map(n => [n.name, n]));
  const out: Cause[] = [];
  const seen = new Set<string>();
  const queue: { name: string; pair: Pair | null }[] = [{ name, pair: null }];
  for (let next = queue.shift(); next; next = queue.shift()) {
    if (seen.has(next.name)) continue;
    seen.add(next.name);
    const node = byName.get(next.name)!;
    const p = planned.get(next.name)!;
    const pair = p.state === 'cached' ? (next.pair ?? (await lastPair(engine, node.name))) : null;
    const all = pair ? differences(pair.before.document, pair.after.document) : p.differences;
    const inputs = changedInputs(node, all);
    const before: typeof queue = [];
    for (const i of inputs) before.push({ name: i.from, pair: await pairBehind(engine, i) });
    // What is not known yet: whatever of its inputs is to be built.
    if (p.state === 'maybe')
      for (const { from } of Object.values(node.inputs))
        for (const r of from) if (planned.get(r.node)!.state !== 'cached') before.push({ name: r.node, pair: null });
    out.push({
      node: node.name,
      state: p.state,
      why: inWhy(p, pair, out.length === 0),
      differences: all,
      rows: await rowsOf(engine, inputs),
      first: all.some(d => !d.path.startsWith('inputs')),
    });
    queue.push(...before);
  }
  return out;
};

/** Two results of a node that are compared. */
interface Pair {
  readonly before: NodeRecord;
  readonly after: NodeRecord;
}

const inWhy = (p: PlannedNode, pair: Pair | null, asked: boolean): string => {
  if (p.state === 'blocked') return `cannot be built: ${p.why}`;
  if (p.state === 'cached')
    return !pair
      ? 'up to date; this is its first result'
      : asked
        ? 'up to date; its last result differs from the one before'
        : 'its result differs';
  if (p.state === 'maybe') return `would be looked at ${p.why}`;
  return p.differences.length > 0 ? 'would be built' : `would be built: ${p.why}`;
};

const lastPair = async ({ records, graph }: Engine, name: string): Promise<Pair | null> => {
  const history = await records.history(graph.id, name);
  if (!history?.previous) return null;
  const [before, after] = [await records.get(history.previous), await records.get(history.key)];
  return before && after ? { before, after } : null;
};

/** An input that has changed: contents (digests) then and now, null where there was none. */
interface ChangedInput {
  readonly label: string;
  readonly from: string;
  readonly output: string;
  readonly isRows: boolean;
  readonly before: string | null;
  readonly after: string | null;
}

const changedInputs = (node: GraphNode, all: readonly Difference[]): ChangedInput[] => {
  const out: ChangedInput[] = [];
  for (const [port, { port: kind, from }] of Object.entries(node.inputs)) {
    const mine = all.filter(d => d.path === `inputs.${port}` || d.path.startsWith(`inputs.${port}.`));
    if (mine.length === 0) continue;
    for (const { node: name, output } of from) {
      const [before, after] = [contentOf(mine[0]!.before, name), contentOf(mine[0]!.after, name)];
      if (kind.list && before === after) continue;
      const label = kind.list ? `${port} ${name}` : port;
      const isRows = kind.type === 'rows' && mine[0]!.path === `inputs.${port}`;
      out.push({ label, from: name, output, isRows, before, after });
    }
  }
  return out;
};

/** Of a port's value in a fingerprint: a digest, or in a list that of one name. */
const contentOf = (value: unknown, name: string): string | null => {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return null;
  const part = (value as { name: string; content: unknown }[]).find(p => p.name === name);
  return typeof part?.content === 'string' ? part.content : null;
};

/** The results of the node before that these contents were: not always its last two. */
const pairBehind = async (engine: Engine, input: ChangedInput): Promise<Pair | null> => {
  const { records, graph, store } = engine;
  const history = await records.history(graph.id, input.from);
  const builds = new Builds(store.db);
  const keys = new Set([history?.key, history?.previous].filter(k => typeof k === 'string'));
  let before: NodeRecord | null = null;
  let after: NodeRecord | null = null;
  const look = async (key: string) => {
    const record = await records.get(key);
    const content = record?.outputs[input.output]?.digest;
    if (!record || content === undefined) return;
    if (content === input.before) before ??= record;
    if (content === input.after) after ??= record;
  };
  for (const key of keys) await look(key);
  for (const number of before && after ? [] : builds.numbers(graph.id)) {
    const key = builds.get(graph.id, number)?.keys[input.from];
    if (key !== undefined && !keys.has(key)) await look(key);
    if (key !== undefined) keys.add(key);
    if (before && after) break;
  }
  return before && after ? { before, after } : null;
};

const rowsOf = async ({ store }: Engine, inputs: readonly ChangedInput[]): Promise<Record<string, InputRows>> => {
  const out: Record<string, InputRows> = {};
  for (const { label, isRows, before, after } of inputs) {
    if (!isRows || before === null || after === null) continue;
    const dirty = dirtyRows(store, before, after);
    if (!dirty) continue;
    const most = Math.max(dirty.before, dirty.after);
    const changes =
      dirty.before + dirty.after > READ ? null : await rowChanges(store, before, after, { most: EXAMPLES });
    out[label] = { most, changes };
  }
  return out;
};
