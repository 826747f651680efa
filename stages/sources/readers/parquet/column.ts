/** The values of one leaf of a Parquet schema in one row group, a few rows at a time: memory stays at a page. */
import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { type ColumnChunk, columnRange, type SchemaTree } from './footer.ts';
import { type Page, PageDecoder, pageHeader } from './pages.ts';

/** Headers take some 30 bytes, more where they hold statistics. */
const HEADER = 256;
const MAX_HEADER = 16 * 2 ** 20;

export class Column {
  readonly #fd: number;
  readonly #pages: PageDecoder;
  #at: number;
  readonly #end: number;
  /** Values that are still to come; lists have as many as items. */
  #left: number;
  /** Decoded and not yet taken; the last row may go on in the next page. */
  #rows: unknown[] = [];
  #taken = 0;

  constructor(fd: number, plain: SchemaTree, chunk: ColumnChunk) {
    const { start, end } = columnRange(chunk);
    this.#fd = fd;
    this.#at = start;
    this.#end = end;
    this.#left = Number(chunk.meta_data!.num_values);
    this.#pages = new PageDecoder(plain, chunk);
  }

  /** The next `n` rows. Throws when the file does not hold them. */
  take(n: number): unknown[] {
    // A row of lists is complete when the next one has begun.
    const enough = this.#pages.isFlat ? n : n + 1;
    while (this.#rows.length - this.#taken < enough && this.#at < this.#end) this.#next();
    if (this.#rows.length - this.#taken < n) throw new Error('it ends before its last row');
    const rows = this.#rows.slice(this.#taken, this.#taken + n);
    this.#taken += n;
    return rows;
  }

  #next(): void {
    // What has been taken is let go of once a page, not once a call.
    this.#rows.splice(0, this.#taken);
    this.#taken = 0;
    const page = this.#header();
    const { crc } = page.header;
    const at = this.#at + page.length;
    if (page.body < 0 || at + page.body > this.#end) throw new Error('a page reaches beyond its column');
    this.#at = at + page.body;
    if (page.kind === 'other') return;
    // What a damaged number says would be made room for.
    this.#left -= page.kind === 'data' ? page.values : 0;
    if (this.#left < 0) throw new Error('a page has more values than its column');
    const body = this.#read(at, page.body);
    if (crc !== undefined && crc32(body) !== crc >>> 0) throw new Error('a page does not have its checksum');
    this.#pages.add(page, body, this.#rows);
  }

  #header(): Page {
    for (let size = HEADER; ; size *= 8) {
      const bytes = this.#read(this.#at, Math.min(size, this.#end - this.#at));
      try {
        return pageHeader(bytes);
      } catch (error) {
        // Cut off, or damaged: that only more of it can tell.
        if (bytes.length < size || size > MAX_HEADER) throw error;
      }
    }
  }

  #read(at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let have = 0; have < length; ) {
      const n = readSync(this.#fd, bytes, have, length - have, at + have);
      if (n === 0) throw new Error('the file ends before its last column');
      have += n;
    }
    return bytes;
  }
}
