/** The checked graph of a recipe: plain data, made only when every check has passed; nothing later validates again. */
import type { Place } from '../failure.ts';
import type { ArtifactType, Port, Section, UserStageSays } from '../stages.ts';
import type { Scalar } from './matrix.ts';
import type { Resources } from './resources.ts';
import type { Value } from './value.ts';

export interface Reference {
  readonly node: string;
  readonly output: string;
}

/** An option that names files, for the engine to resolve and digest at each build. */
export interface FileOption {
  /** One file; globs; or a folder of which the files matching `globs` count. */
  readonly kind: 'file' | 'files' | 'folder';
  readonly option: string;
  readonly values: readonly string[];
  readonly globs?: readonly string[];
  /** Folder that names are relative to, where it is not the recipe's. */
  readonly root?: string;
  readonly place: Place;
}

export interface GraphNode {
  /** As in the recipe; of a variant `adapter@r=8`. */
  readonly name: string;
  readonly section: Section;
  /** As in the recipe: `sentences`, `./my-clean.ts`. */
  readonly uses: string;
  /** `transforms/sentences`, or the user's path. */
  readonly stage: string;
  /** URL of the module that does the work. */
  readonly module: string;
  /** A built-in stage's version; a user's stage has the digest of its code instead. */
  readonly version: number | string;
  /** Facts about this machine that the result depends on, in the key: Node's major, versions of packages. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Of a user's stage. */
  readonly says?: UserStageSays;
  /** Digests of the files of a user's stage, by absolute path. */
  readonly code: Readonly<Record<string, string>>;
  /** Defaults filled in; secrets are placeholders; file options are left out of it. */
  readonly options: { readonly [key: string]: Value };
  /** Names of options that are not part of the key: where and how fast the work is done. */
  readonly unkeyed?: readonly string[];
  /** Whether rows are asked for elsewhere (an option names a server): its rows are dear, and another run may give others. */
  readonly elsewhere?: true;
  readonly files: readonly FileOption[];
  readonly inputs: Readonly<Record<string, { readonly port: Port; readonly from: readonly Reference[] }>>;
  readonly outputs: Readonly<Record<string, ArtifactType>>;
  readonly defaultOutput: string | null;
  readonly threads: 'one' | 'all';
  /** Share of rows that must not be rejected, 0 to 1; not part of the key. */
  readonly mostly: number;
  /** Of a variant: the entry that it is of, and its value on each axis. */
  readonly variant?: { readonly of: string; readonly axes: Readonly<Record<string, Scalar>> };
  /** What it needs of the machine while it runs; not part of the key. */
  readonly resources?: Resources;
  readonly place: Place;
}

export interface Graph {
  readonly name: string;
  /** Absolute path of the recipe, and its path relative to the project. */
  readonly path: string;
  readonly id: string;
  /** Folder that the recipe's paths are relative to. */
  readonly folder: string;
  /** Every node after all that it depends on; else in the recipe's order. */
  readonly nodes: readonly GraphNode[];
}

/** The nodes named and all that they depend on, in the graph's order. */
export const closure = (graph: Graph, names: readonly string[]): GraphNode[] => {
  const wanted = new Set(names);
  for (const node of graph.nodes.toReversed()) {
    if (!wanted.has(node.name)) continue;
    for (const { from } of Object.values(node.inputs)) for (const r of from) wanted.add(r.node);
  }
  return graph.nodes.filter(n => wanted.has(n.name));
};
