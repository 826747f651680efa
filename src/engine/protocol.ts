/** The messages between the main thread and its workers. */
import type { BlobLocation } from '../../cache/blob.ts';
import type { Fields, InputFile, ModelInput, TreeInput } from '../../stages/contract.ts';
import type { Piece } from './rows/pieces.ts';
import type { Task } from './rows/tasks.ts';

/** A dataset as a worker reads it: chunk after chunk. */
export interface RowsSource {
  readonly chunks: readonly (BlobLocation & { readonly rows: number })[];
  readonly count: number;
  /** Put before each row's id, for inputs that are lists. */
  readonly prefix: string;
}

/** All that a worker needs to work for one node. */
export interface NodeJob {
  readonly id: number;
  readonly module: string;
  readonly options: unknown;
  /** Values that must not get into a reason or a log. */
  readonly secrets: readonly string[];
  readonly files: Readonly<Record<string, readonly InputFile[]>>;
  /** Models and trees by port. */
  readonly folders: Readonly<Record<string, ModelInput | TreeInput>>;
  /** What other nodes measured, by port. */
  readonly metrics: Readonly<Record<string, Fields>>;
  /** Datasets by port: one, or several where the port takes a list. */
  readonly rows: Readonly<Record<string, readonly RowsSource[]>>;
  /** Folders given out by `folder(output)`, by output. */
  readonly outputFolders: Readonly<Record<string, string>>;
  /** Of the whole process. */
  readonly scratch: string;
  readonly work: string;
  /** Of the node, whatever its options. */
  readonly kept: string;
  readonly refresh: boolean;
  readonly origins: Readonly<Record<string, string>>;
  /** Put before the command line of a program that is not ours. */
  readonly tracer: readonly string[];
  readonly threads: number;
  readonly gpus: readonly string[] | null;
  /** Of a dear stage: names stage, version and options in the keys of what it gave. */
  readonly dear: string | null;
}

/** An error as it crosses threads. `crash` is a bug, with its stack. */
export interface WorkerError {
  readonly crash: boolean;
  readonly reason: string;
  readonly message: string;
  readonly advice?: string;
  readonly place?: { readonly path: string; readonly line?: number; readonly column?: number };
  readonly stack?: string;
  /** Path that a system error is about. */
  readonly path?: string;
  /** Digest of a blob that the store does not have as it should. */
  readonly blob?: string;
}

export type ToWorker =
  | { readonly type: 'open'; readonly job: NodeJob }
  | { readonly type: 'task'; readonly id: number; readonly task: Task }
  /** Everything at once, results streamed: whole stages. */
  | { readonly type: 'stream'; readonly id: number }
  /** Answers `find`: null where the worker is to ask, true where somebody else asks already. */
  | { readonly type: 'found'; readonly question: number; readonly given: readonly (string | true | null)[] }
  /** Answers `wait`: what the other was given, or null. */
  | { readonly type: 'answered'; readonly question: number; readonly given: string | null }
  /** Answers `keep`: it is safe. */
  | { readonly type: 'kept'; readonly question: number }
  /** So many pieces have been taken in. */
  | { readonly type: 'taken'; readonly pieces: number }
  | { readonly type: 'close'; readonly id: number };

export type FromWorker =
  | { readonly type: 'pieces'; readonly id: number; readonly output: string; readonly pieces: readonly Piece[] }
  | { readonly type: 'metrics'; readonly id: number; readonly output: string; readonly value: unknown }
  | { readonly type: 'origin'; readonly id: number; readonly name: string; readonly meaning: string }
  | {
      readonly type: 'progress';
      readonly id: number;
      readonly done: number;
      readonly total: number | null;
      readonly unit: string;
      readonly note?: string;
    }
  | { readonly type: 'measure'; readonly id: number; readonly values: Readonly<Record<string, number>> }
  | { readonly type: 'log'; readonly id: number; readonly line: string }
  | { readonly type: 'warn'; readonly id: number; readonly line: string }
  /** What was given before for rows or questions that are dear, by their keys; then, for those that it was told to ask: */
  | { readonly type: 'find'; readonly question: number; readonly keys: readonly string[] }
  | { readonly type: 'wait'; readonly question: number; readonly key: string }
  | { readonly type: 'keep'; readonly question: number; readonly key: string; readonly given: string }
  | { readonly type: 'leave'; readonly key: string }
  /** What had to be asked for elsewhere (calls, tokens), since the last time. */
  | { readonly type: 'count'; readonly more: Readonly<Record<string, number>> }
  /** A task or stream has ended; `answer` is the task's own, or the stream's totals. */
  | { readonly type: 'done'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: WorkerError };
