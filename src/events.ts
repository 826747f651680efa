/** Everything that happens during a build, as data: the engine emits events, views draw them. */
import type { Failure } from './failure.ts';

export type NodeState = 'built' | 'cached' | 'failed' | 'skipped' | 'interrupted';

export interface OutputSummary {
  readonly type: 'rows' | 'tree' | 'metrics' | 'model';
  /** Content digest, 64 hex digits. */
  readonly digest: string;
  /** Of a dataset. */
  readonly rows?: number;
}

/** One line of the final table; also the shape in the last `--json` event. */
export interface NodeSummary {
  readonly name: string;
  readonly state: NodeState;
  readonly key: string | null;
  readonly seconds: number;
  /** Rows of the default output (or of all sides of a split); null where there are none. */
  readonly rows: number | null;
  /** Rows really computed by this build; null where rows are not the unit. */
  readonly computed: number | null;
}

/** A node that a build is for. */
export interface BuildNode {
  readonly name: string;
  readonly section: string;
  readonly stage: string;
  /** Of a variant: the node in the recipe that it is of, and its value on each axis. */
  readonly variant?: { readonly of: string; readonly axes: Readonly<Record<string, string | number | boolean>> };
}

export type BuildEvent =
  | {
      readonly type: 'build';
      readonly recipe: string;
      readonly name: string;
      readonly jobs: number;
      readonly nodes: readonly BuildNode[];
    }
  /** A node's work begins; `why` is the first difference from its last result ("never built", "option min: 20 -> 30"). */
  | { readonly type: 'start'; readonly node: string; readonly why: string }
  | {
      readonly type: 'progress';
      readonly node: string;
      readonly done: number;
      readonly total: number | null;
      readonly unit: string;
      readonly note?: string;
    }
  /** A measurement over time: step, loss, lr, tokens … */
  | { readonly type: 'measure'; readonly node: string; readonly values: Readonly<Record<string, number>> }
  | { readonly type: 'warn'; readonly node: string | null; readonly message: string }
  | {
      readonly type: 'done';
      readonly node: string;
      readonly state: 'built' | 'cached';
      readonly key: string;
      readonly seconds: number;
      readonly rows: number | null;
      readonly computed: number | null;
      /** Rows taken over from an earlier result of this node or one like it; left out where there are none. */
      readonly reused?: number;
      readonly outputs: Readonly<Record<string, OutputSummary>>;
      /** A few words for the table: "12 rejects", "41 % of 12,345 tokens trained". */
      readonly note?: string;
      /** Values of the node's `metrics` output. */
      readonly metrics?: Readonly<Record<string, unknown>>;
      /** Folder under `out/`, relative to the working folder, of a `tree` output that people want. */
      readonly out?: string;
    }
  | {
      readonly type: 'failed';
      readonly node: string;
      readonly failure: Failure;
      readonly log?: string;
      readonly seconds: number;
    }
  | { readonly type: 'skipped'; readonly node: string; readonly because: string }
  /** The lock file has been written: nodes whose line is new or another, and those that have none any more. */
  | {
      readonly type: 'lock';
      readonly path: string;
      readonly pinned: readonly string[];
      readonly released: readonly string[];
    }
  /** Mistakes of recipe or usage, all of them; a build never starts then. */
  | { readonly type: 'mistakes'; readonly failures: readonly Failure[] }
  | {
      readonly type: 'summary';
      readonly ok: boolean;
      readonly seconds: number;
      readonly nodes: readonly NodeSummary[];
    };

export type Emit = (event: BuildEvent) => void;

/** What `watch` says beside the events of its builds, which it numbers from 1. */
export type WatchEvent =
  /** From now on no change is missed. */
  | {
      readonly type: 'watch';
      readonly state: 'watching';
      readonly recipe: string;
      readonly nodes: number;
      readonly files: number;
    }
  /** A build begins: the first of all, one of what `changed`, or one of nodes that take long and were asked for. */
  | {
      readonly type: 'watch';
      readonly state: 'build';
      readonly build: number;
      readonly why: 'first' | 'changed' | 'asked';
      /** Files by their paths relative to the working folder, the first few. */
      readonly changed: readonly string[];
      /** How many more changed. */
      readonly more: number;
      /** Nodes that were asked for. */
      readonly asked: readonly string[];
    }
  /** What was saved is as before: nothing is built. */
  | { readonly type: 'watch'; readonly state: 'unchanged'; readonly changed: readonly string[]; readonly more: number }
  /** Changes that came while a build is under way that goes on: they are built after it. */
  | { readonly type: 'watch'; readonly state: 'noted'; readonly changed: readonly string[]; readonly more: number }
  /** A newer change makes this build pointless: it is stopped, and its summary follows. */
  | { readonly type: 'watch'; readonly state: 'superseded'; readonly build: number }
  /** Nodes that are not up to date and that no save builds; those after them are not named. */
  | {
      readonly type: 'watch';
      readonly state: 'left';
      readonly nodes: readonly { readonly name: string; readonly because: string }[];
    }
  /** These files change whenever a build runs: the next one waits. */
  | {
      readonly type: 'watch';
      readonly state: 'echo';
      readonly changed: readonly string[];
      readonly more: number;
      readonly seconds: number;
    }
  | { readonly type: 'watch'; readonly state: 'warn'; readonly message: string }
  /** Nothing runs, and nothing is to be done until the next change. */
  | { readonly type: 'watch'; readonly state: 'idle'; readonly ok: boolean };
