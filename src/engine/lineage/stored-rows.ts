/** One dataset of the store, read by place and by id, a chunk at a time. */
import type { BlobLocation, BlobReader } from '../../../cache/blob.ts';
import { chunkLines, decodeLineage, decodeRow } from '../../../cache/dataset.ts';
import type { Store } from '../../../cache/store.ts';
import type { Lineage, Row } from '../../../stages/contract.ts';
import { located, manifestOf } from '../rows/base.ts';
import { chunkAt } from '../rows/pieces.ts';

/** Chunks that are held decoded. */
const HELD = 24;
/** So many ids are looked for in the bytes of a chunk; more of them in its rows. */
const FEW = 16;

export class StoredRows {
  /** Number of the first row of each chunk, and at the end the number of rows. */
  readonly starts: Float64Array;
  /** Content digests of the chunks. */
  readonly names: readonly string[];
  readonly #rows: readonly BlobLocation[];
  readonly #lineage: readonly BlobLocation[] | null;
  readonly #reader: BlobReader;
  readonly #held = new Map<number, readonly Row[]>();

  /** Throws BlobCorrupt when the dataset is no longer whole in the store. */
  constructor(store: Store, reader: BlobReader, digest: string, lineage: string | null) {
    const { chunks } = manifestOf(store, digest);
    this.#reader = reader;
    this.#rows = chunks.map(c => located(store, c.digest));
    this.#lineage = lineage === null ? null : manifestOf(store, lineage).chunks.map(c => located(store, c.digest));
    this.names = chunks.map(c => c.digest);
    this.starts = new Float64Array(chunks.length + 1);
    for (const [i, c] of chunks.entries()) this.starts[i + 1] = this.starts[i]! + c.rows;
  }

  get count(): number {
    return this.starts.at(-1)!;
  }

  chunkOf(position: number): number {
    return chunkAt(this.starts, position);
  }

  rowsOf(chunk: number): readonly Row[] {
    const known = this.#held.get(chunk);
    if (known) return known;
    const rows = chunkLines(this.#reader.read(this.#rows[chunk]!)).map(decodeRow);
    if (this.#held.size >= HELD) this.#held.delete(this.#held.keys().next().value!);
    this.#held.set(chunk, rows);
    return rows;
  }

  row(position: number): Row {
    const chunk = this.chunkOf(position);
    return this.rowsOf(chunk)[position - this.starts[chunk]!]!;
  }

  place(position: number): Lineage | null {
    if (!this.#lineage) return null;
    const chunk = this.chunkOf(position);
    return decodeLineage(this.#reader.read(this.#lineage[chunk]!))[position - this.starts[chunk]!] ?? null;
  }

  /** Where rows with these ids are; looks into chunk `near` first, and stops when all are found. */
  find(ids: ReadonlySet<string>, near = 0): Map<string, number> {
    const found = new Map<string, number>();
    const needles = ids.size > FEW ? null : [...ids].map(id => Buffer.from(`[${JSON.stringify(id)},`));
    for (const chunk of outwards(near, this.names.length)) {
      if (found.size === ids.size) break;
      const bytes = this.#reader.read(this.#rows[chunk]!);
      if (
        needles &&
        !needles.some(needle => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(needle))
      )
        continue;
      for (const [i, { id }] of this.rowsOf(chunk).entries()) if (ids.has(id)) found.set(id, this.starts[chunk]! + i);
    }
    return found;
  }

  /** Places of rows that `is` says yes to; only chunks whose bytes hold `text` are decoded. */
  *having(text: string, is: (row: Row, place: Lineage | null) => boolean): Generator<number> {
    const needle = Buffer.from(JSON.stringify(text).slice(1, -1));
    for (let chunk = 0; chunk < this.names.length; chunk++) {
      const bytes = [this.#rows[chunk]!, ...(this.#lineage ? [this.#lineage[chunk]!] : [])].map(at =>
        this.#reader.read(at),
      );
      if (!bytes.some(b => Buffer.from(b.buffer, b.byteOffset, b.length).includes(needle))) continue;
      const places = bytes[1] ? decodeLineage(bytes[1]) : [];
      for (const [i, row] of this.rowsOf(chunk).entries())
        if (is(row, places[i] ?? null)) yield this.starts[chunk]! + i;
    }
  }

  *ids(): Generator<[id: string, position: number]> {
    for (let chunk = 0; chunk < this.names.length; chunk++)
      for (const [i, { id }] of this.rowsOf(chunk).entries()) yield [id, this.starts[chunk]! + i];
  }
}

/** All chunks, those around `near` first. */
function* outwards(near: number, count: number): Generator<number> {
  for (let d = 0; d < count; d++) {
    if (near + d < count) yield near + d;
    if (d > 0 && near - d >= 0) yield near - d;
    if (near + d >= count && near - d < 0) return;
  }
}
