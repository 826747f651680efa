/** The stage contract: the shapes through which the engine and a stage meet. Neither imports the other. */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The named values of one row. */
export interface Fields {
  readonly [name: string]: Json;
}

/**
 * One row of a dataset. `id` is stable under edits elsewhere: a path, a declared key, or a content hash; a child's is
 * `parent/hash(fields)` plus `~n` for its n-th repetition. `parent` is the id of the row it was cut from, or null.
 */
export interface Row {
  readonly id: string;
  readonly parent: string | null;
  readonly fields: Fields;
}

/**
 * Where a row comes from, kept beside the rows and outside their digest: positions move under edits that leave the rows
 * themselves equal. `start` and `end` are offsets (UTF-16 units) in the parent's text; `line` counts from 1.
 */
export interface Lineage {
  readonly from?: readonly string[];
  readonly start?: number;
  readonly end?: number;
  readonly path?: string;
  readonly line?: number;
  /** What it took to get it from elsewhere (tokens of a language model): whole numbers, added up over all of the output. */
  readonly spent?: Readonly<Record<string, number>>;
}

/** What a row stage does with the row (or group) in hand; calls count in order. */
export interface Emit {
  /** The row itself with these fields: same id, same parent. */
  keep(row: Row, fields?: Fields, at?: Lineage): void;
  /** A new row below `parent` (an id); its id is `parent/hash(fields)`. */
  child(parent: string, fields: Fields, at?: Lineage): void;
  /** Could not be processed: counts against `mostly`. `transient` ones (a time-out) are tried again by the next build. */
  reject(row: Row, reason: string, transient?: boolean, at?: Lineage): void;
  /** Removed on purpose. */
  drop(row: Row, reason: string, at?: Lineage): void;
}

/** A model folder: `folder` is absolute, `files` maps names in it to BLAKE3 digests. */
export interface ModelInput {
  readonly type: 'model';
  readonly folder: string;
  readonly files: Readonly<Record<string, string>>;
}

/** A file of a tree, in the store. */
export interface StoredFile {
  /** With "/". */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  content(): Uint8Array;
  copyTo(path: string): void;
}

/** A folder in the store (an adapter), readable at `folder`, which is shared: nobody may change what is in it. */
export interface TreeInput {
  readonly type: 'tree';
  readonly folder: string;
  /** For who needs copies of its own; in the main thread only. */
  files?(): Iterable<StoredFile>;
}

/** A dataset: iterate it once or more; memory stays bounded by a few chunks (about 128 rows each). */
export interface RowsInput extends AsyncIterable<Row> {
  readonly type: 'rows';
  readonly count: number;
}

/** What a node measured. */
export interface MetricsInput {
  readonly type: 'metrics';
  readonly value: Fields;
}

export type Input = RowsInput | ModelInput | TreeInput | MetricsInput;

/** A file that an option marked `"file"` or `"files"` in its schema resolved to. */
export interface InputFile {
  /** Name that is the same on every machine: relative to the recipe's folder, or to the stage's `root` option. */
  readonly name: string;
  readonly path: string;
  readonly digest: string;
  readonly size: number;
}

/** What every stage is given before it sees rows. */
export interface Setup<Options> {
  /** As in the recipe, defaults filled in; `"file"` options are still the name, look it up in `files`. */
  readonly options: Options;
  /** Input files by option name. */
  readonly files: Readonly<Record<string, readonly InputFile[]>>;
  /**
   * All inputs by port but the rows that the stage looks at: models, trees, and rows that these are held against (of a port that
   * is a list, all of them, ids prefixed by the inputs' names). When one of them changes, every row is worked on again.
   */
  readonly inputs: Readonly<Record<string, Input>>;
}

/** A part of a row's text as people are shown it. */
export interface Stretch {
  readonly text: string;
  readonly marked: boolean;
}

/** For stages that ask others: a server, or a model that takes its time. */
export interface Outside {
  /**
   * The answer to a question that costs time or money: the one kept of an earlier build, or that another row is just being
   * given, or else what `ask` gives, which is safe from a kill before this resolves. `question` says all that the answer
   * depends on, and no secret. What `ask` throws reaches the caller and is not kept.
   */
  answer<A extends Json>(question: Json, ask: () => Promise<A>): Promise<A>;
  /** Adds to counts of this build (calls, tokens), over all workers; see `counted`. */
  count(more: Readonly<Record<string, number>>): void;
  /** A line that the user should see even if all goes well. */
  warn(line: string): void;
  /** Aborted when the build is given up. */
  readonly signal: AbortSignal;
}

/**
 * A stage that looks at each row alone. Runs in worker threads, chunks in parallel; with an option that its schema marks
 * `elsewhere` (a server's address) in the main thread, many rows at once, since it only waits.
 */
export interface RowsStage<Options = unknown, State = unknown> {
  readonly kind: 'rows';
  /** Once in each worker; what it returns reaches every `map`. */
  setup?(setup: Setup<Options>, outside: Outside): State | Promise<State>;
  /**
   * May be asynchronous: then the rows of a chunk are given at once. Trouble with a row is `emit.reject`; a thrown
   * StageError fails the node, any other error is a bug of the stage.
   */
  map(row: Row, emit: Emit, state: State, options: Options): void | Promise<void>;
  /** Numbers of one emitted row, always under the same names: the engine adds them up over the whole output. */
  tally?(emitted: Row, options: Options): Readonly<Record<string, number>>;
  /** For people who look at an emitted row: its text in stretches, of which some are marked (what carries loss). */
  stretches?(emitted: Row, state: State, options: Options): Promise<readonly Stretch[]>;
  /**
   * Says that a call costs time or money (a language model, an embedding): what it gave is then kept for each row, whatever
   * becomes of the build, and found again anywhere by the stage, its version, its options and the row's fields.
   */
  readonly dear?: boolean;
  /** Judges the sums of `tally` and of what was `spent`: a note for the build's table, or throws `StageError`, which fails the node. */
  verdict?(totals: Readonly<Record<string, number>>, options: Options): { readonly note: string };
  /** What `Outside.count` has counted in this build, in a few words: shown live, and beside the result of the build that counted. */
  counted?(counts: Readonly<Record<string, number>>, options: Options): string;
}

/** A stage that looks at neighbouring rows with the same `parent` together (rows without one are groups of their own). */
export interface GroupStage<Options = unknown, State = unknown> {
  readonly kind: 'group';
  setup?(setup: Setup<Options>, outside: Outside): State | Promise<State>;
  map(rows: readonly Row[], emit: Emit, state: State, options: Options): void | Promise<void>;
}

/** A stage that keeps one row for each key: the first in order. Rows with key null are kept. */
export interface KeyedStage<Options = unknown> {
  readonly kind: 'keyed';
  key(row: Row, options: Options): string | null;
  /** Reason written to the dropped rows. */
  readonly reason: string;
}

/**
 * A stage that deals rows to named outputs. Rows that share any group name go to the same side, transitively; the side
 * is drawn by hash(seed, group), so a row moves only when its group changes.
 */
export interface PartitionStage<Options = unknown> {
  readonly kind: 'partition';
  /** Output name to share; shares are relative to their sum. */
  sides(options: Options): Readonly<Record<string, number>>;
  seed(options: Options): number | string;
  groups(row: Row, options: Options): readonly string[];
}

/** What is compared of a row in place of its text: see `IndexStage`. */
export interface Sketch {
  /** One number a band: rows that agree in any of them are looked at together. */
  readonly bands: Uint32Array;
  /** What `similar` compares. */
  readonly bytes: Uint8Array;
}

/**
 * A stage that removes rows which are nearly equal (locality-sensitive hashing). Two rows are joined when they share a
 * band and `similar` says so; of all rows joined, transitively, one stays. Sketches are kept, so that only changed rows are
 * sketched again.
 */
export interface IndexStage<Options = unknown, State = unknown> {
  readonly kind: 'index';
  /** Once in each worker; what it returns reaches every `sketch`. */
  setup?(setup: Setup<Options>, outside: Outside): State | Promise<State>;
  /** Lengths of a sketch's parts, the same for all rows; `bytes` is left out where only the sketches themselves know. */
  shape(options: Options): { readonly bands: number; readonly bytes?: number };
  /**
   * Null for a row that has too little to compare: it stays. Its arrays may be used again for the next row; not those of a
   * promise. As with `RowsStage`, it runs in the main thread where an `elsewhere` option is set.
   */
  sketch(row: Row, state: State, options: Options): Sketch | null | Promise<Sketch | null>;
  similar(a: Uint8Array, b: Uint8Array, options: Options): boolean;
  /** The row with the greatest rank stays, of equal ranks the first in order; without it, the first in order. */
  rank?(row: Row, options: Options): number;
  /** Reason written to the dropped rows. */
  readonly reason: string;
  /** As of a `RowsStage`. */
  counted?(counts: Readonly<Record<string, number>>, options: Options): string;
}

/**
 * A stage that puts rows in an order drawn by hash(seed, repetition, row id), and may take fewer of an input than there
 * are, or all of them several times: one new row is one insertion.
 */
export interface OrderStage<Options = unknown> {
  readonly kind: 'order';
  seed(options: Options): number | string;
  /** How many rows of each input come out; all of each, once, without it. `inputs` are in the recipe's order. */
  take?(inputs: readonly { readonly name: string; readonly count: number }[], options: Options): readonly number[];
}

/**
 * A stage that sums rows up: partial results a chunk of rows, merged in order, so that only changed chunks are read again. However
 * the chunks are put together (two at a time, neighbours first), the result must be the same.
 */
export interface FoldStage<Options = unknown, Partial extends Json = Json, State = unknown> {
  readonly kind: 'fold';
  /** Once in each worker; what it returns reaches every `part`. */
  setup?(setup: Setup<Options>, outside: Outside): State | Promise<State>;
  /** Plain JSON of these rows alone. */
  part(rows: readonly Row[], options: Options, state: State): Partial | Promise<Partial>;
  merge(a: Partial, b: Partial, options: Options): Partial;
  /** The metrics of all rows; null when there are none. */
  finish(all: Partial | null, options: Options): Fields;
}

/**
 * What a rule says of one row: null, that it is none of its business; true, that it keeps the rule; or why it breaks it. A rule
 * that compares rows gives a key: of rows with equal keys all but the first break it, and `again` is why.
 */
export type Finding = null | true | string | { readonly key: string; readonly again: string };

/** Of one rule: rows that were its business, and those of them that broke it. */
export interface RuleCount {
  readonly seen: number;
  readonly broken: number;
}

export interface CheckCounts {
  readonly rows: number;
  /** Rows that broke a rule which marks them. */
  readonly failing: number;
  readonly rules: readonly RuleCount[];
}

/**
 * A stage that looks whether rows keep rules, each alone or all together, and changes none. Rows that break one are in the output
 * `failing`, with the reasons. Findings are kept, so that only changed rows are looked at again.
 */
export interface CheckStage<Options = unknown, State = unknown> {
  readonly kind: 'check';
  setup?(setup: Setup<Options>, outside: Outside): State | Promise<State>;
  /** Of each rule whether it compares rows, and whether who breaks it is failing (else it is only counted). */
  rules(options: Options): readonly { readonly compares: boolean; readonly marks: boolean }[];
  /** A finding for each rule, in their order. */
  look(row: Row, state: State, options: Options): readonly Finding[];
  /** Whether failing rows stay in the output `rows`, too. */
  keeps(options: Options): boolean;
  /** The metrics of the output that holds them. */
  report(counts: CheckCounts, options: Options): Fields;
  /** A note for the build's table and what the user should see; or throws `StageError`, which fails the node. */
  verdict(counts: CheckCounts, options: Options): { readonly note: string; readonly warnings: readonly string[] };
}

/** What a reader makes of one record or document, in the order of its file. */
export type Read =
  | {
      readonly fields: Fields;
      /** Id where the file decides it: a document, a section. Others get theirs from `key`, or from their content. */
      readonly id?: string;
      /** Counts from 1 in the part that is read. */
      readonly line?: number;
    }
  | { readonly reason: string; readonly line?: number; readonly text?: string }
  /** A line that holds nothing. */
  | null;

/** A stretch of a file, whole lines of it, or all of it. */
export interface ReadPart {
  readonly file: InputFile;
  /** Bytes. */
  readonly start: number;
  readonly end: number;
}

/** A source that reads files, each on its own, or in stretches of whole lines: only changed ones are read again. */
export interface ReadStage<Options = unknown> {
  readonly kind: 'read';
  /** The option that names the files. */
  readonly option: string;
  /** Throws StageError when these files cannot be read with these options at all. */
  check?(files: readonly InputFile[], options: Options): void;
  /** Whether all that the file holds brings an `id` (documents do, records do not). */
  givesIds(file: InputFile, options: Options): boolean;
  /** Whether a file is cut at line ends, and then gives exactly one `Read` a line (null for one without content). */
  byLine(file: InputFile, options: Options): boolean;
  /** Whether a file that is not cut at line ends may fall into parts. */
  hasParts?(file: InputFile, options: Options): boolean;
  /**
   * Those parts, each of which is read on its own (row groups of Parquet); null for a file that is read whole after all. `of`
   * names what its rows depend on besides its bytes and the file's name.
   */
  parts?(
    file: InputFile,
    options: Options,
  ): Promise<readonly { readonly start: number; readonly end: number; readonly of: string }[] | null>;
  read(part: ReadPart, options: Options): AsyncIterable<readonly Read[]>;
  /** Field that holds a record's id; without it the id is made of the content. */
  key?(options: Options): string | undefined;
}

/** Of `rejects`, rows whose field `transient` is true (a time-out) are tried again by the next build. */
export interface RowsWriter {
  /** A finished row: `id` must be unique in the output. Await it: it resolves when there is room. */
  write(row: Row, at?: Lineage): Promise<void>;
}

/** What a stage that sees everything at once is given. */
export interface WholeContext<Options> {
  readonly options: Options;
  readonly files: Readonly<Record<string, readonly InputFile[]>>;
  /** By port name; a port that is a list is an array, its row ids prefixed by the engine. */
  readonly inputs: Readonly<Record<string, Input>>;
  /** Writer of a dataset output (`rows`, `rejects`, `dropped`, …). */
  rows(output: string): RowsWriter;
  /** An empty folder; what is in it when `run` returns is the output (type `tree`). */
  folder(output: string): string;
  /** What is in this folder of the stage's own now is the output (type `tree`); what is left of it afterwards is the stage's. */
  take(output: string, folder: string): void;
  /** Numbers worth a line in the build's table and in comparisons; must be plain JSON (type `metrics`). */
  metrics(output: string, value: Fields): void;
  /** Row id of a record that brings none: hash of its fields plus `~n` for the n-th repetition. */
  contentId(fields: Fields): string;
  /** Folder of this process on the store's disk, for all its nodes, removed when the build has ended. It may not be there yet. */
  readonly scratch: string;
  /** Private folder that survives a killed build and is given again to the next one with the same key: checkpoints. */
  readonly work: string;
  /**
   * Private folder of this node, given again to every later run of it whatever its options: for what came from elsewhere
   * (pages). It may be lost at any time, and another build may be at work in it, too.
   */
  readonly kept: string;
  /** What came from elsewhere is to be asked for again (`--refresh`). */
  readonly refresh: boolean;
  /** What the lock file says that names from elsewhere mean: those that `origin` has told. */
  readonly origins: Readonly<Record<string, string>>;
  /**
   * Tells what a name from elsewhere means (a repository's branch: its commit). It is written into the lock file, and given to
   * later runs, so that they get the same; and who has such a line can have its result again, where it is not in the store.
   */
  origin(name: string, meaning: string): void;
  /** Folder of the user's for models, shared by all projects. It may not be there yet. */
  readonly models: string;
  /** The model that lies in this folder below `models` is the output (type `model`): all files in it. In the main thread only. */
  model(output: string, folder: string): void;
  /** Aborted on Ctrl-C or when the build is given up. Save and return soon (within seconds); throw afterwards. */
  readonly signal: AbortSignal;
  /** Put before the command line of a program that is not ours, so that what it opens is seen: under `--trace` only. */
  readonly tracer?: readonly string[];
  /** Number of threads this node may use. */
  readonly threads: number;
  /** The GPUs that are this node's alone, as CUDA_VISIBLE_DEVICES names them; null where it asked for none. */
  readonly gpus: readonly string[] | null;
  /** Shown live; `done` of `total` in `unit`. Cheap to call often. */
  progress(done: number, total: number | null, unit: string, note?: string): void;
  /** A measurement over time (training step, loss …), sent as an event. */
  measure(values: Readonly<Record<string, number>>): void;
  /** A line into the node's log file. */
  log(line: string): void;
  /** A line that the user should see even if all goes well. */
  warn(line: string): void;
}

export interface WholeStage<Options = unknown> {
  readonly kind: 'whole';
  /** `worker` (the default): in a worker thread, for work that computes. `main`: for work that only waits on a child process. */
  readonly runs?: 'main' | 'worker';
  run(context: WholeContext<Options>): Promise<void>;
}

export type Stage<Options = unknown, State = unknown> =
  | RowsStage<Options, State>
  | GroupStage<Options, State>
  | KeyedStage<Options>
  | PartitionStage<Options>
  | IndexStage<Options, State>
  | OrderStage<Options>
  | FoldStage<Options, Json, State>
  | CheckStage<Options, State>
  | ReadStage<Options>
  | WholeStage<Options>;

/** An expected failure of a whole node: what, where, why, and what to do. */
export class StageError extends Error {
  readonly reason: string;
  readonly advice: string | undefined;
  /** Path (as the user wrote it) and line of the file at fault, where there is one. */
  readonly place: { readonly path: string; readonly line?: number; readonly column?: number } | undefined;

  constructor(
    reason: string,
    message: string,
    more: { advice?: string; place?: { path: string; line?: number; column?: number } } = {},
  ) {
    super(message);
    this.reason = reason;
    this.advice = more.advice;
    this.place = more.place;
  }
}
