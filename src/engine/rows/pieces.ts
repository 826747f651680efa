/**
 * Datasets in the making. A worker cuts the rows it computes into pieces; the main thread joins the pieces of all workers,
 * and stretches of an earlier result, in order. Only a piece at a border has to be joined: whole chunks are compressed
 * where they were made, and those of an earlier result are named again, not even read.
 *
 *   task 1:  [whole][whole][open …      earlier result:  … end][whole][whole] …
 *                            └────────── one chunk ───────┘
 */

import { type PackedBlob, pack } from '../../../cache/blob.ts';
import {
  type ChunkRef,
  chunkLines,
  decodeRow,
  encodeLineage,
  encodeManifest,
  encodeRow,
  endHash,
  endsChunk,
} from '../../../cache/dataset.ts';
import { digest } from '../../../cache/digest.ts';
import type { Lineage, Row } from '../../../stages/contract.ts';

/** Rows as encoded lines. `ends` says that the chunk is complete after them. */
export interface OpenPiece {
  readonly rows: number;
  readonly ends: boolean;
  /** `endHash` of the last row's id. */
  readonly end: number;
  readonly lines: Uint8Array;
  /** Null when no row of the piece has any. */
  readonly lineage: Uint8Array | null;
}

/** A complete chunk. */
export interface WholePiece {
  readonly rows: number;
  readonly end: number;
  readonly blob: PackedBlob;
  readonly lineage: PackedBlob | null;
}

export type Piece = OpenPiece | WholePiece;

const NOTHING = 'null\n';

/** Cuts rows into pieces. The first piece and the last are open, since they may belong to a chunk begun or ended elsewhere. */
export class PieceMaker {
  #pieces: Piece[] = [];
  #lines: string[] = [];
  #lineage: string[] = [];
  #placed = false;
  #first = true;
  #end = 0;

  add(row: Row, at: Lineage | null): void {
    this.addLine(row.id, encodeRow(row), at === null ? NOTHING : encodeLineage(at));
  }

  /** A row that is encoded already, with its line breaks; `lineage` too. */
  addLine(id: string, line: string, lineage: string): void {
    this.#lines.push(line);
    this.#lineage.push(lineage);
    if (lineage !== NOTHING) this.#placed = true;
    this.#end = endHash(id);
    if (endsChunk(this.#end, line.length)) this.#cut(true);
  }

  /** What has been completed since the last call; with `last`, also the open rest. */
  take(last: boolean): Piece[] {
    if (last && this.#lines.length > 0) this.#cut(false);
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  #cut(ends: boolean): void {
    const rows = this.#lines.length;
    const lines = exact(this.#lines.join(''));
    const lineage = this.#placed ? exact(this.#lineage.join('')) : null;
    const end = this.#end;
    if (ends && !this.#first)
      this.#pieces.push({ rows, end, blob: packExact(lines), lineage: lineage && packExact(lineage) });
    else this.#pieces.push({ rows, ends, end, lines, lineage });
    this.#first = false;
    this.#lines = [];
    this.#lineage = [];
    this.#placed = false;
  }
}

/** Bytes with a buffer of their own: a view into a larger one would be copied to another thread with all of it. */
const exact = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

const packExact = (content: Uint8Array): PackedBlob => {
  const blob = pack(content);
  return { ...blob, bytes: blob.bytes === content ? content : new Uint8Array(blob.bytes) };
};

export const transferable = (pieces: readonly Piece[]): ArrayBuffer[] =>
  pieces.flatMap(p =>
    ('blob' in p ? [p.blob.bytes, p.lineage?.bytes] : [p.lines, p.lineage])
      .filter(b => b)
      .map(b => b!.buffer as ArrayBuffer),
  );

/** A dataset that an earlier run made, as far as it is needed to go on from it. */
export interface Earlier {
  readonly chunks: readonly ChunkRef[];
  /** Number of the first row of each chunk, and at the end the number of rows. */
  readonly starts: Float64Array;
  readonly open: boolean;
  readonly lineage: readonly ChunkRef[] | null;
  read(digest: string): Uint8Array;
}

/** The chunk that row `row` is in. */
export const chunkAt = (starts: Float64Array, row: number): number => {
  let low = 0;
  let high = starts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= row) low = middle;
    else high = middle - 1;
  }
  return low;
};

/** Joins pieces, in order, into a dataset of the store. */
export class DatasetWriter {
  readonly #put: (blob: PackedBlob) => void;
  readonly #chunks: ChunkRef[] = [];
  /** Null where the chunk has no lineage. */
  readonly #lineage: (ChunkRef | null)[] = [];
  #placed = false;
  #open: OpenPiece[] = [];
  #endsOpen = false;
  rows = 0;

  constructor(put: (blob: PackedBlob) => void) {
    this.#put = put;
  }

  add(piece: Piece): void {
    this.rows += piece.rows;
    if ('blob' in piece) {
      if (this.#open.length > 0) throw new Error('a whole chunk after an open one');
      this.#keep(piece.rows, piece.end, piece.blob, piece.lineage);
    } else {
      this.#open.push(piece);
      if (piece.ends) this.#join(true);
    }
  }

  /** Rows `from` up to before `to` of an earlier result: chunks that lie wholly within are only named again. */
  copy(old: Earlier, from: number, to: number): void {
    if (from >= to) return;
    for (let i = chunkAt(old.starts, from); i < old.chunks.length && old.starts[i]! < to; i++) {
      const [first, after] = [old.starts[i]!, old.starts[i + 1]!];
      const chunk = old.chunks[i]!;
      const ends = !(old.open && i === old.chunks.length - 1);
      if (from <= first && after <= to && ends && this.#open.length === 0) {
        this.rows += chunk.rows;
        this.#chunks.push(chunk);
        const beside = old.lineage?.[i] ?? null;
        if (beside && beside.digest !== nothing(chunk.rows)) this.#placed = true;
        this.#lineage.push(beside);
        continue;
      }
      const a = Math.max(from, first) - first;
      const b = Math.min(to, after) - first;
      const beside = old.lineage ? chunkLines(old.read(old.lineage[i]!.digest)).slice(a, b) : [];
      const lineage = beside.some(line => line !== 'null') ? asLines(beside) : null;
      const lines = chunkLines(old.read(chunk.digest)).slice(a, b);
      const end = b === chunk.rows ? chunk.end : endHash(decodeRow(lines.at(-1)!).id);
      // In the middle of a chunk nothing ends.
      this.add({ rows: b - a, ends: ends && b === chunk.rows, end, lines: asLines(lines), lineage });
    }
  }

  /** The dataset's manifest, put into the store, and that of its lineage; named by their digests. */
  finish(): { readonly digest: string; readonly rows: number; readonly lineage: string | null } {
    if (this.#open.length > 0) this.#join(false);
    const digest = this.#manifest(this.#chunks);
    if (!this.#placed) return { digest, rows: this.rows, lineage: null };
    const lineage = this.#chunks.map(({ rows, end }, i) => {
      const known = this.#lineage[i];
      if (known) return known;
      const blob = pack(Buffer.from(NOTHING.repeat(rows)));
      this.#put(blob);
      return { digest: blob.digest, rows, bytes: blob.size, end };
    });
    return { digest, rows: this.rows, lineage: this.#manifest(lineage) };
  }

  /** Its chunks, of rows and of lineage, in order. */
  get parts(): readonly ChunkRef[] {
    return [...this.#chunks, ...this.#lineage.filter(c => c !== null)];
  }

  #manifest(chunks: readonly ChunkRef[]): string {
    const blob = pack(encodeManifest({ rows: this.rows, chunks, open: this.#endsOpen }));
    this.#put(blob);
    return blob.digest;
  }

  #join(ends: boolean): void {
    const rows = this.#open.reduce((n, p) => n + p.rows, 0);
    const { end } = this.#open.at(-1)!;
    const placed = this.#open.some(p => p.lineage);
    const lines = pack(concat(this.#open.map(p => p.lines)));
    const lineage = placed ? pack(concat(this.#open.map(p => p.lineage ?? Buffer.from(NOTHING.repeat(p.rows))))) : null;
    this.#open = [];
    this.#keep(rows, end, lines, lineage);
    this.#endsOpen = !ends;
  }

  #keep(rows: number, end: number, blob: PackedBlob, lineage: PackedBlob | null): void {
    this.#put(blob);
    this.#chunks.push({ digest: blob.digest, rows, bytes: blob.size, end });
    if (!lineage) {
      this.#lineage.push(null);
      return;
    }
    this.#placed = true;
    this.#put(lineage);
    this.#lineage.push({ digest: lineage.digest, rows, bytes: lineage.size, end });
  }
}

const nothings = new Map<number, string>();

/** Digest of the lineage of so many rows that have none: an earlier result may name such a chunk, for the sake of others. */
const nothing = (rows: number): string => {
  let known = nothings.get(rows);
  if (known === undefined) nothings.set(rows, (known = digest(Buffer.from(NOTHING.repeat(rows)))));
  return known;
};

const asLines = (lines: readonly string[]): Uint8Array => Buffer.from(lines.map(l => `${l}\n`).join(''));

const concat = (parts: readonly Uint8Array[]): Uint8Array => (parts.length === 1 ? parts[0]! : Buffer.concat(parts));
