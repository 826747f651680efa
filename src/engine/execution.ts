/** What it takes to run one node's stage, and what comes of it. */
import type { FileState } from '../../cache/files.ts';
import type { NodeRecord, StoredOutput } from '../../cache/records.ts';
import type { Store } from '../../cache/store.ts';
import type { InputFile, Stage } from '../../stages/contract.ts';
import type { GraphNode } from '../load/graph.ts';
import type { Artifact } from './artifact.ts';
import type { Pool } from './pool.ts';
import type { RowMemo } from './row-memo.ts';

export interface Execution {
  readonly node: GraphNode;
  readonly key: string;
  /** The fingerprint's. */
  readonly document: string;
  /** With secrets in place. */
  readonly options: unknown;
  readonly secrets: readonly string[];
  readonly files: Readonly<Record<string, readonly InputFile[]>>;
  readonly inputs: Readonly<Record<string, readonly Artifact[]>>;
  readonly store: Store;
  readonly pool: Pool;
  readonly threads: number;
  readonly gpus: readonly string[] | null;
  readonly signal: AbortSignal;
  /** Forced: nothing of earlier runs is used. */
  readonly fresh: boolean;
  /** What came from elsewhere is asked for again. */
  readonly refresh: boolean;
  /** Folder of what came from elsewhere. */
  readonly kept: string;
  /** What the lock file says that names from elsewhere mean. */
  readonly origins: Readonly<Record<string, string>>;
  /** Digest and size of a file. */
  look(path: string): FileState;
  /** The last run with this print. */
  base(print: string): Promise<NodeRecord | null>;
  readonly memo: RowMemo;
  /** Put before the command line of programs that are not ours. */
  readonly tracer: readonly string[];
  progress(done: number, total: number | null, unit: string, note?: string): void;
  measure(values: Readonly<Record<string, number>>): void;
  log(line: string): void;
  warn(line: string): void;
}

export interface Executed {
  readonly outputs: Readonly<Record<string, StoredOutput>>;
  /** Blob that says which input gave which rows; null where rows are not the unit. */
  readonly alignment: string | null;
  /** Names what a later run can go on from. */
  readonly print: string;
  readonly computed: number;
  readonly tallies: Readonly<Record<string, number>>;
  readonly origins: Readonly<Record<string, string>>;
  /** What this run had to ask for elsewhere, in words; null for nothing. */
  readonly counted: string | null;
  readonly stage: Stage;
}
