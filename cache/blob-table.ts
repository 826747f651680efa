/** The whole index in memory, 53 bytes a blob: for work that looks at all of it. */
import type { DatabaseSync } from 'node:sqlite';

const DIGEST = 32;
/** Bytes of a digest that are a number exactly. */
const PREFIX = 6;

export class BlobTable {
  readonly count: number;
  readonly #digests: Buffer;
  /** Ascending, as the digests are. */
  readonly #prefixes: Float64Array;
  /** Bytes on disk. */
  readonly lengths: Float64Array;
  readonly packs: Int32Array;
  /** Set on what is to be kept. */
  readonly marks: Uint8Array;

  constructor(db: DatabaseSync) {
    const { n } = db.prepare('SELECT count(*) AS n FROM blobs').get() as { n: number };
    // Others may add some while we read; those are none of our business.
    const all = db.prepare('SELECT digest, length, pack FROM blobs ORDER BY digest LIMIT ?').iterate(n);
    this.#digests = Buffer.allocUnsafe(n * DIGEST);
    this.#prefixes = new Float64Array(n);
    this.lengths = new Float64Array(n);
    this.packs = new Int32Array(n);
    this.marks = new Uint8Array(n);
    let i = 0;
    for (const row of all) {
      const { digest, length, pack } = row as unknown as { digest: Uint8Array; length: number; pack: number };
      this.#digests.set(digest.subarray(0, DIGEST), i * DIGEST);
      this.#prefixes[i] = this.#digests.readUIntBE(i * DIGEST, PREFIX);
      this.lengths[i] = length;
      this.packs[i] = pack;
      i++;
    }
    this.count = i;
  }

  digest(index: number): Buffer {
    return this.#digests.subarray(index * DIGEST, (index + 1) * DIGEST);
  }

  /** -1 for one that is not there. */
  indexOf(digest: string): number {
    const prefix = Number.parseInt(digest.slice(0, 2 * PREFIX), 16);
    let from = 0;
    for (let to = this.count; from < to; ) {
      const middle = (from + to) >>> 1;
      if (this.#prefixes[middle]! < prefix) from = middle + 1;
      else to = middle;
    }
    for (; from < this.count && this.#prefixes[from] === prefix; from++)
      if (this.digest(from).toString('hex') === digest) return from;
    return -1;
  }

  /** Marks blobs that are not marked; returns their indexes. */
  mark(digests: Iterable<string>): number[] {
    const out: number[] = [];
    for (const digest of digests) {
      const i = this.indexOf(digest);
      if (i === -1 || this.marks[i] === 1) continue;
      this.marks[i] = 1;
      out.push(i);
    }
    return out;
  }
}
