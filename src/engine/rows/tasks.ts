/** What workers are asked to do with rows, and what they answer besides the pieces that they send. */

import type { BlobLocation } from '../../../cache/blob.ts';
import type { InputFile } from '../../../stages/contract.ts';
import type { KnownStretch } from './cut-file.ts';

/** A chunk of the input. */
export interface Chunk {
  readonly at: BlobLocation;
  readonly rows: number;
  readonly end: number;
}

/** Neighbouring chunks, and as many after them as are needed to complete a group that begins in the last one. */
export interface Window {
  readonly before: BlobLocation | null;
  readonly own: readonly Chunk[];
  readonly after: readonly BlobLocation[];
  /** Whether the dataset ends with the last of `after`. */
  readonly whole: boolean;
}

/** A part of an earlier run, from which units that have not changed are taken over. */
export interface OldPart {
  readonly before: BlobLocation | null;
  /** Null for a stretch of a file. */
  readonly own: BlobLocation | null;
  readonly after: readonly BlobLocation[];
  readonly codes: Uint8Array;
  /** Number, by stream, of the first row that it gave. */
  readonly starts: readonly number[];
}

/** Chunks of an earlier output; `start` is the number of their first row. */
export interface OldChunk {
  readonly at: BlobLocation;
  readonly lineage: BlobLocation | null;
  readonly start: number;
  readonly rows: number;
}

export interface Old {
  readonly parts: readonly OldPart[];
  /** By stream, in order, those that hold rows of `parts`. */
  readonly streams: readonly (readonly OldChunk[])[];
}

export interface MapTask {
  readonly do: 'map';
  readonly streams: readonly string[];
  readonly window: Window;
  readonly old: Old | null;
}

/** Of one chunk (or stretch of a file): how its units fared. */
export interface Mapped {
  readonly units: number;
  readonly reach: number;
  readonly codes: Uint8Array;
  readonly totals: readonly number[];
  readonly tallies: Readonly<Record<string, number>>;
}

export interface MapAnswer {
  readonly computed: number;
  /** One for each of `own`; null when `after` did not reach far enough. */
  readonly parts: readonly Mapped[] | null;
}

/** What is to be known of each row before a rule can deal with all of them. */
export interface SketchTask {
  readonly do: 'sketch';
  readonly chunks: readonly BlobLocation[];
  /** Chunks of an earlier version, in which rows may be found that have not changed. */
  readonly old: readonly OldSketch[];
}

/** A chunk whose sketches are known. */
export interface OldSketch {
  readonly at: BlobLocation;
  readonly sketch: Uint8Array;
  readonly cold: Uint8Array;
}

export interface SketchAnswer {
  readonly computed: number;
  /** Both parts of the sketch of each chunk; see `sketches.ts`. */
  readonly sketches: readonly { readonly hot: Uint8Array; readonly cold: Uint8Array }[];
}

/** Rows written to the streams that a rule has dealt them to: `deal` holds a stream number a row, or 255 for none. */
export interface DealTask {
  readonly do: 'deal';
  readonly streams: readonly string[];
  /** Written to rows of the stream `dropped`. */
  readonly reason: string | null;
  readonly chunks: readonly { readonly at: BlobLocation; readonly deal: Uint8Array }[];
}

/**
 * Rows written as rules have found them. `marks` holds a word a row: bit 0 says that it is failing, bit k that the k-th rule which
 * compares rows (from 1) is broken.
 */
export interface JudgeTask {
  readonly do: 'judge';
  readonly streams: readonly string[];
  readonly chunks: readonly { readonly at: BlobLocation; readonly marks: Uint32Array }[];
}

export interface FoldTask {
  readonly do: 'fold';
  readonly chunks: readonly BlobLocation[];
}

export interface FoldAnswer {
  readonly computed: number;
  readonly parts: readonly unknown[];
}

/** Where to cut a file into stretches: of whole lines, or as the stage says. */
export interface CutTask {
  readonly do: 'cut';
  readonly file: InputFile;
  readonly byLine: boolean;
  /** Of lines: stretches of an earlier version, of any file. */
  readonly known: readonly KnownStretch[];
}

export interface CutAnswer {
  /** None for a file that is read whole. */
  readonly stretches: readonly {
    readonly start: number;
    readonly end: number;
    readonly digest: string;
  }[];
}

/**
 * A stretch of a file, read for the ids of its records. A scan holds 24 bytes a line (or record): 8 of the line's hash, 16 of
 * the id's, which are 0 where there is none.
 */
export interface ScanTask {
  readonly do: 'scan';
  readonly file: InputFile;
  readonly start: number;
  readonly end: number;
  readonly byLine: boolean;
  /** Scans in which lines may be found that have not changed. */
  readonly old: readonly Uint8Array[];
}

export interface ScanAnswer {
  readonly computed: number;
  readonly scan: Uint8Array;
}

/** A stretch of a file, read into rows. */
export interface ReadTask {
  readonly do: 'read';
  readonly streams: readonly string[];
  readonly file: InputFile;
  readonly start: number;
  readonly end: number;
  readonly byLine: boolean;
  /** Number of lines of the file before it. */
  readonly line: number;
  /** Units whose id has come before, and how often. */
  readonly repeated: readonly (readonly [unit: number, times: number])[];
  readonly old:
    | (Old & {
        readonly scans: readonly Uint8Array[];
        readonly repeated: readonly (readonly (readonly [unit: number, times: number])[])[];
      })
    | null;
}

export interface ReadAnswer {
  readonly computed: number;
  readonly part: Mapped;
}

export type Task = MapTask | SketchTask | DealTask | JudgeTask | FoldTask | CutTask | ScanTask | ReadTask;
