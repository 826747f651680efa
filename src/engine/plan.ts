/** What a build would do, why, and what it would cost, without doing any of it. */
import { Builds } from '../../cache/builds.ts';
import type { NodeRecord } from '../../cache/records.ts';
import type { Failure } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import type { Engine } from './engine.ts';
import { type Estimate, estimate } from './estimate.ts';
import { type Difference, differences, inWords } from './fingerprint.ts';
import { type KnownNode, knownKeys } from './keys.ts';
import type { Pinned } from './lock/pinned.ts';

export interface PlannedNode {
  readonly name: string;
  /**
   * `maybe`: something before it is built first; if that comes out as before, this is cached. `blocked`: it fails as it
   * is, or something before it does.
   */
  readonly state: 'cached' | 'build' | 'maybe' | 'blocked';
  readonly why: string;
  readonly key: string | null;
  /** Of the last run, seconds; null when it never ran. */
  readonly lastSeconds: number | null;
  /** What its next run would cost; null when it is cached or blocked. */
  readonly estimate: Estimate | null;
  /** All that differs from its last result; empty when it is cached or never ran. */
  readonly differences: readonly Difference[];
  readonly failures: readonly Failure[];
}

/** What the lock file knows of results that this store may never have had. */
export interface PlanLock {
  readonly pinned: Pinned;
  /** What the pinned result of a node took; null where none is. */
  seconds(node: string): number | null;
}

/** Looks at files and records; writes nothing. `nodes` are in the graph's order, closed under what they depend on. */
export const plan = async (
  engine: Engine,
  nodes: readonly GraphNode[],
  lock: PlanLock = { pinned: () => null, seconds: () => null },
  refresh: ReadonlySet<string> = new Set(),
): Promise<readonly PlannedNode[]> => {
  const { graph, records, store } = engine;
  const { pinned } = lock;
  const builds = new Builds(store.db);
  const known = await knownKeys({ ...engine, retries: true, pinned, anew: refresh }, nodes);
  const out = new Map<string, PlannedNode>();
  const shares = new Map<string, number>();
  const counts = new Map<string, number>();
  const count = (name: string, record: NodeRecord | null) => {
    for (const [output, o] of Object.entries(record?.outputs ?? {}))
      if (o.type === 'rows') counts.set(`${name}.${output}`, o.rows);
  };
  for (const node of nodes) {
    const k = known.get(node.name)!;
    const history = k.record ? null : await records.history(graph.id, node.name);
    const last = k.record ?? (history && (await records.get(history.key)));
    const said = judged(k, last, { lastKey: history?.key ?? null, pinned, out, asked: refresh.has(node.name) });
    const elsewhere = last ? null : lock.seconds(node.name);
    const worked = said.state === 'build' || said.state === 'maybe';
    count(node.name, last);
    const guess = worked
      ? await estimate({
          elsewhere,
          recipe: graph.id,
          builds,
          store,
          known: k,
          last,
          differences: said.differences,
          shares,
          counts,
        })
      : null;
    shares.set(node.name, guess ? guess.share : 0);
    const { share: _, ...cost } = guess ?? { share: null };
    out.set(node.name, {
      name: node.name,
      key: k.print?.key ?? null,
      lastSeconds: last?.seconds ?? elsewhere,
      estimate: guess && (cost as Estimate),
      ...said,
    });
  }
  return [...out.values()];
};

type Said = Pick<PlannedNode, 'state' | 'why' | 'differences' | 'failures'>;

const judged = (
  { print, own, record, failures, waiting }: KnownNode,
  last: NodeRecord | null,
  {
    lastKey,
    pinned,
    out,
    asked,
  }: {
    readonly lastKey: string | null;
    readonly pinned: Pinned;
    readonly out: ReadonlyMap<string, PlannedNode>;
    readonly asked: boolean;
  },
): Said => {
  const none = { differences: [], failures: [] };
  if (failures.length > 0) {
    // Of a result that does not stand: the build says more, at its place. Of a file: nothing can be built before it is there.
    const first = failures[0]!;
    return record
      ? { ...none, state: 'blocked', why: `${first.reason}: ${first.message.split('\n')[0]}` }
      : { ...none, state: 'blocked', why: first.message, failures };
  }
  const blocked = waiting.find(n => out.get(n)?.state === 'blocked');
  if (blocked !== undefined) return { ...none, state: 'blocked', why: `${blocked} cannot be built` };
  if (!print) {
    const after = `after ${waiting.join(', ')}`;
    if (!last) return { ...none, state: 'build', why: 'never built' };
    // Its own options, files or code may have changed, too: then only a result from before that can spare the run.
    const all = own ? differences(last.document, own.document).filter(d => !d.path.startsWith('inputs')) : [];
    return { ...none, state: 'maybe', why: all.length > 0 ? `${inShort(all)}; ${after}` : after, differences: all };
  }
  if (record) return { ...none, state: 'cached', why: 'up to date' };
  if (asked) return { ...none, state: 'build', why: 'asked for again (--refresh)' };
  const all = last && lastKey !== print.key ? differences(last.document, print.document) : [];
  const why =
    last && lastKey === print.key
      ? (last.tallies.again ?? 0) > 0
        ? `${last.tallies.again} rows failed for a while, and are tried again`
        : 'its result is no longer whole in the store'
      : all.length > 0
        ? inShort(all)
        : pinned(print.key)
          ? 'its pinned result is not in this store'
          : 'never built';
  return { ...none, state: 'build', why, differences: all };
};

const inShort = (all: readonly Difference[]): string => {
  const more = all.length > 3 ? `; and ${all.length - 3} more` : '';
  return all.map(inWords).slice(0, 3).join('; ') + more;
};
