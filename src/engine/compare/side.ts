/** What is compared: the nodes of a build, of a git revision, or of the recipe as it stands, each with its result. */
import { digest } from '../../../cache/digest.ts';
import type { NodeRecord } from '../../../cache/records.ts';
import type { Graph } from '../../load/graph.ts';
import type { KnownNode } from '../keys.ts';
import { wiringOf } from '../wiring.ts';

export interface SideNode {
  readonly name: string;
  readonly key: string | null;
  /** Its fingerprint; without inputs where results before it are not known. */
  readonly document: string | null;
  /** What it reads: `rows=text.rows`; null where nobody remembers. */
  readonly wiring: string | null;
  readonly record: NodeRecord | null;
  /** Why there is no result to compare. */
  readonly lacks: string | null;
}

export interface Side {
  /** "build 12", "HEAD~1 (2aabc84)", "now". */
  readonly name: string;
  /** When it was built or committed, Unix seconds; null for now. */
  readonly at: number | null;
  /** In the recipe's order. */
  readonly nodes: ReadonlyMap<string, SideNode>;
}

/** What is known of a node besides what its files say. */
export interface Beside {
  /** Why the key that follows from its files is not the one meant; null where it is. */
  untrue(node: string): string | null;
  /** The result that the lock file names. */
  locked(node: string): NodeRecord | null;
}

/** Of nodes whose keys have been looked up. */
export const sideOf = (
  name: string,
  at: number | null,
  graph: Pick<Graph, 'nodes'>,
  known: ReadonlyMap<string, KnownNode>,
  beside: Beside = { untrue: () => null, locked: () => null },
): Side => {
  const wiring = wiringOf(graph);
  const nodes = new Map<string, SideNode>();
  for (const { node, print, own, record: found, failures } of known.values()) {
    const untrue = beside.untrue(node.name);
    const record = (untrue === null ? found : null) ?? beside.locked(node.name);
    const document = record?.document ?? (untrue === null ? (print ?? own)?.document : own?.document);
    nodes.set(node.name, {
      name: node.name,
      key: record ? digest(record.document) : untrue === null ? (print?.key ?? null) : null,
      document: document ?? null,
      wiring: wiring[node.name] ?? '',
      record,
      lacks: record ? null : (untrue ?? failures[0]?.message ?? 'not built'),
    });
  }
  return { name, at, nodes };
};
