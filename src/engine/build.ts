/** Brings nodes up to date: in dependency order, side by side where they can be, each from the store where it has been made. */
import type { Files } from '../../cache/files.ts';
import type { Records } from '../../cache/records.ts';
import type { Store } from '../../cache/store.ts';
import type { InputFile } from '../../stages/contract.ts';
import type { Emit, NodeState, NodeSummary } from '../events.ts';
import type { Graph, GraphNode } from '../load/graph.ts';
import type { Artifact } from './artifact.ts';
import type { Fingerprint } from './fingerprint.ts';
import { holding } from './holding.ts';
import type { Origins, Pinned } from './lock/pinned.ts';
import { thisMachine } from './machine.ts';
import { NodeBuild } from './node-build.ts';
import { Outs } from './outs.ts';
import type { Pool } from './pool.ts';
import type { Agree } from './repeat.ts';
import { isDamaged, REWINDS } from './rewind.ts';
import { Slots } from './slots.ts';
import type { Trace } from './trace/trace.ts';

export type Leave = (node: GraphNode, print: Fingerprint) => Promise<string | null>;

/** What the options of a node named a moment ago, by option; null when that is too long ago. */
export type Looks = (node: GraphNode) => Readonly<Record<string, readonly InputFile[]>> | null;

export interface BuildContext {
  readonly graph: Graph;
  /** In the graph's order, closed under what they depend on. */
  readonly nodes: readonly GraphNode[];
  readonly store: Store;
  readonly records: Records;
  readonly files: Files;
  /** Without it every node looks for itself. */
  readonly looks?: Looks;
  readonly pool: Pool;
  readonly jobs: number;
  /** Folder for the trainer's results. */
  readonly out: string;
  readonly env: NodeJS.ProcessEnv;
  readonly keepGoing: boolean;
  /** Nodes to run even though they have been made. */
  readonly force: ReadonlySet<string>;
  /** Sources that ask again for what they got from elsewhere. */
  readonly refresh?: ReadonlySet<string>;
  /** What the lock file pins, by key. */
  readonly pinned?: Pinned;
  /** What it says that names from elsewhere mean. */
  readonly origins?: Origins;
  /** Results that would have to be pinned anew fail the build instead. */
  readonly locked?: boolean;
  /** Asked before a training is repeated; without it nobody is asked. */
  readonly agree?: Agree;
  /** Under `--trace`. */
  readonly trace?: Trace;
  readonly signal: AbortSignal;
  /** Why a node that is not in the store is to be left as it is rather than made; null makes it. */
  readonly leave?: Leave;
  readonly emit: Emit;
}

/** How one node of a build ended. */
export interface Result {
  readonly state: NodeState;
  readonly key: string | null;
  readonly seconds: number;
  readonly rows: number | null;
  readonly computed: number | null;
  readonly artifacts: Readonly<Record<string, Artifact>>;
  /** A blob that could not be read: the node may be tried again when what it read has been made again. */
  readonly lost?: string;
}

/** Runs a build; resolves with whether every node is up to date. Every failure has been told as an event by then. */
export const build = async (given: BuildContext): Promise<{ ok: boolean; nodes: NodeSummary[] }> => {
  const context = { ...given, emit: holding(given.store, given.emit) };
  const { nodes, emit, store } = context;
  const slots = new Slots(thisMachine(context.jobs, context.env));
  const outs = new Outs(context.store, context.files, context.out);
  const results = new Map<string, Promise<Result>>();
  let stopped = false;

  const settle = async (node: GraphNode, context: BuildContext, tries = 1): Promise<Result> => {
    const needs = [...new Set(Object.values(node.inputs).flatMap(i => i.from.map(r => r.node)))];
    const inputs = await Promise.all(needs.map(async n => [n, await results.get(n)!] as const));
    const skipped = (because: string): Result => {
      const state = context.signal.aborted ? 'interrupted' : 'skipped';
      if (state === 'skipped') emit({ type: 'skipped', node: node.name, because });
      return { state, key: null, seconds: 0, rows: null, computed: null, artifacts: {} };
    };
    const bad = inputs.find(([, r]) => r.state !== 'built' && r.state !== 'cached');
    if (bad) return skipped(`${bad[0]} ${bad[1].state === 'failed' ? 'failed' : `was ${bad[1].state}`}`);
    if (context.signal.aborted) return skipped('interrupted');
    if (stopped && !context.keepGoing) return skipped('another node failed');
    const result = await new NodeBuild(
      context,
      node,
      new Map(inputs.map(([n, r]) => [n, r.artifacts])),
      slots.of(node),
      outs,
    ).run(tries <= REWINDS);
    if (result.lost !== undefined) {
      const damaged = inputs.filter(([, r]) => isDamaged(store, r.artifacts)).map(([n]) => n);
      const next = damaged.length > 0 ? `${damaged.join(', ')} made again` : 'tried again';
      const message = `a blob of the store (${result.lost.slice(0, 12)}) could not be read: ${next}`;
      emit({ type: 'warn', node: node.name, message });
      for (const name of damaged) results.set(name, remake(name, await results.get(name)!));
      return settle(node, context, tries + 1);
    }
    if (result.state === 'failed') stopped = true;
    return result;
  };
  /** What is still sound of it is found in the store; it counts as what it was before, if it need not be made at all. */
  const remake = async (name: string, before: Result): Promise<Result> => {
    const quiet: Emit = e => (e.type === 'done' && e.state === 'cached') || emit(e);
    const node = nodes.find(n => n.name === name)!;
    const now = await settle(node, { ...context, force: new Set(), refresh: new Set(), emit: quiet });
    if (now.state === 'cached') return { ...before, artifacts: now.artifacts };
    const computed = before.computed === null || now.computed === null ? now.computed : before.computed + now.computed;
    return { ...now, computed, seconds: before.seconds + now.seconds };
  };
  for (const node of nodes) results.set(node.name, settle(node, context));
  // Whatever was made again has been waited for by who needed it.
  await Promise.all(results.values());
  const done = await Promise.all(nodes.map(async n => [n.name, await results.get(n.name)!] as const));
  return {
    ok: done.every(([, r]) => r.state === 'built' || r.state === 'cached'),
    nodes: done.map(([name, { state, key, seconds, rows, computed }]) => ({
      name,
      state,
      key,
      seconds: round(seconds),
      rows,
      computed,
    })),
  };
};

const round = (seconds: number): number => Math.round(seconds * 1000) / 1000;
