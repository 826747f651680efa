/** The keys that nodes have as things stand, each as far as it follows from files and from results that the store has. */
import { relative } from 'node:path';
import type { Files } from '../../cache/files.ts';
import type { NodeRecord, Records } from '../../cache/records.ts';
import type { Store } from '../../cache/store.ts';
import type { InputFile } from '../../stages/contract.ts';
import { type Failure, FailureError } from '../failure.ts';
import type { Graph, GraphNode } from '../load/graph.ts';
import { type Artifact, artifactsOf, isWhole, modelsAreSound } from './artifact.ts';
import { type Fingerprint, fingerprint } from './fingerprint.ts';
import { lookAtFiles } from './inputs.ts';
import { judge } from './judge.ts';
import { type Pinned, pinnedRecord } from './lock/pinned.ts';

export interface KeysContext {
  readonly graph: Graph;
  readonly store: Store;
  readonly records: Records;
  readonly files: Files;
  /** What the lock file pins. */
  readonly pinned?: Pinned;
  /** As a build does: takes a result for none when rows of it failed for a while, and are to be tried again. */
  readonly retries?: boolean;
  /** Nodes that are to run though they have been made. */
  readonly anew?: ReadonlySet<string>;
}

export interface KnownNode {
  readonly node: GraphNode;
  /** Null when its files cannot be had. */
  readonly files: Readonly<Record<string, readonly InputFile[]>> | null;
  /** Null when a result before it is not known, or its files cannot be had; then `own` says what is known. */
  readonly print: Fingerprint | null;
  /** Its fingerprint without inputs. */
  readonly own: Fingerprint | null;
  /** Its result, where the store has it whole. */
  readonly record: NodeRecord | null;
  /** Of a result that does not stand the judgement (too many rejects …), or of files. */
  readonly failures: readonly Failure[];
  /** Nodes before it whose result is not known. */
  readonly waiting: readonly string[];
}

/** `nodes` in the graph's order, closed under what they depend on. Reads files and records, writes nothing. */
export const knownKeys = async (c: KeysContext, nodes: readonly GraphNode[]): Promise<Map<string, KnownNode>> => {
  const out = new Map<string, KnownNode>();
  const artifacts = new Map<string, Readonly<Record<string, Artifact>>>();
  const recipe = relative(process.cwd(), c.graph.path);
  for (const node of nodes) {
    const waiting = needsOf(node).filter(n => !artifacts.has(n));
    const none = { node, files: null, print: null, own: null, record: null, failures: [], waiting };
    let files: Readonly<Record<string, readonly InputFile[]>>;
    try {
      files = lookAtFiles(node, c.graph.folder, c.files);
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      out.set(node.name, { ...none, failures: error.failures });
      continue;
    }
    if (waiting.length > 0) {
      out.set(node.name, { ...none, files, own: fingerprint(node, files, {}) });
      continue;
    }
    const inputs = Object.fromEntries(
      Object.entries(node.inputs).map(([port, { from }]) => [port, from.map(r => artifacts.get(r.node)![r.output]!)]),
    );
    const print = fingerprint(node, files, inputs);
    const record = await c.records.get(print.key);
    const pins = c.anew?.has(node.name) ? null : c.pinned?.(print.key);
    const pinned = pins ? pinnedRecord({ store: c.store, node, print, pins }, record) : null;
    const again = c.anew?.has(node.name) === true || (c.retries === true && (record?.tallies.again ?? 0) > 0);
    const stored = pinned ?? (record && !again && isWhole(c.store, record) ? record : null);
    const whole = stored && modelsAreSound(c.store, stored, c.files) ? stored : null;
    const failure = whole && judge(node, whole, c.store, recipe);
    if (whole && !failure)
      artifacts.set(
        node.name,
        artifactsOf(node, whole, { key: print.key, store: c.store, folder: c.graph.folder, files }),
      );
    out.set(node.name, { node, files, print, own: print, record: whole, failures: failure ? [failure] : [], waiting });
  }
  return out;
};

/** The nodes that a node reads from, each once. */
export const needsOf = (node: GraphNode): string[] => [
  ...new Set(Object.values(node.inputs).flatMap(i => i.from.map(r => r.node))),
];
