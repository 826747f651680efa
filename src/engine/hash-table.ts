/** Maps 128-bit hashes to small numbers: 20 bytes an entry where a Map of strings takes 150. */
import { blake3 } from '@napi-rs/blake-hash';

/** BLAKE3 of a text; lone surrogates, which UTF-8 has no bytes for, count as themselves. */
export const hashText = (text: string): Buffer => blake3(text.isWellFormed() ? text : `\u0000${JSON.stringify(text)}`);

export class HashTable {
  #mask = (1 << 12) - 1;
  #words = new Uint32Array(4 << 12);
  #values = new Int32Array(1 << 12).fill(-1);
  size = 0;

  /** The number of `text`, or -1 after having given it `value` (0 or more). */
  getOrSet(text: string, value: number): number {
    const h = hashText(text);
    return this.getOrSetHash(h.readUInt32LE(0), h.readUInt32LE(4), h.readUInt32LE(8), h.readUInt32LE(12), value);
  }

  /** The same for a hash of four 32-bit words. */
  getOrSetHash(a: number, b: number, c: number, d: number, value: number): number {
    if (this.size * 2 > this.#mask) this.#grow();
    const words = this.#words;
    let at = a & this.#mask;
    for (; this.#values[at] !== -1; at = (at + 1) & this.#mask) {
      const w = at * 4;
      if (words[w] === a && words[w + 1] === b && words[w + 2] === c && words[w + 3] === d) return this.#values[at]!;
    }
    const w = at * 4;
    words[w] = a;
    words[w + 1] = b;
    words[w + 2] = c;
    words[w + 3] = d;
    this.#values[at] = value;
    this.size++;
    return -1;
  }

  /** The number of a hash, or -1. */
  get(a: number, b: number, c: number, d: number): number {
    const words = this.#words;
    for (let at = a & this.#mask; this.#values[at] !== -1; at = (at + 1) & this.#mask) {
      const w = at * 4;
      if (words[w] === a && words[w + 1] === b && words[w + 2] === c && words[w + 3] === d) return this.#values[at]!;
    }
    return -1;
  }

  #grow(): void {
    const [words, values] = [this.#words, this.#values];
    const size = values.length * 2;
    this.#mask = size - 1;
    this.#words = new Uint32Array(size * 4);
    this.#values = new Int32Array(size).fill(-1);
    for (let i = 0; i < values.length; i++) {
      if (values[i] === -1) continue;
      let at = words[i * 4]! & this.#mask;
      while (this.#values[at] !== -1) at = (at + 1) & this.#mask;
      this.#words.set(words.subarray(i * 4, i * 4 + 4), at * 4);
      this.#values[at] = values[i]!;
    }
  }
}

/** Counts how often each text has come. */
export class Counter {
  readonly #index = new HashTable();
  #counts = new Int32Array(1024);

  /** 1 for the first time, 2 for the second … */
  next(text: string): number {
    const known = this.#index.getOrSet(text, this.#index.size);
    const at = known === -1 ? this.#index.size - 1 : known;
    if (at >= this.#counts.length) {
      const more = new Int32Array(this.#counts.length * 2);
      more.set(this.#counts);
      this.#counts = more;
    }
    return ++this.#counts[at]!;
  }
}

/**
 * Says which hashes may come more than once, so that only those need a place in a table: two bits for each of 2^n places. Ask
 * after all have been added; of a hash that came once it may rarely say the same.
 */
export class Repeats {
  readonly #once: Uint32Array;
  readonly #again: Uint32Array;
  readonly #mask: number;

  constructor(count: number) {
    const bits = Math.max(10, Math.min(30, Math.ceil(Math.log2(Math.max(1, count))) + 4));
    this.#mask = 2 ** bits - 1;
    this.#once = new Uint32Array(2 ** (bits - 5));
    this.#again = new Uint32Array(2 ** (bits - 5));
  }

  add(hash: number): void {
    const at = hash & this.#mask;
    const bit = 1 << (at & 31);
    const word = at >>> 5;
    if ((this.#once[word]! & bit) !== 0) this.#again[word]! |= bit;
    else this.#once[word]! |= bit;
  }

  has(hash: number): boolean {
    const at = hash & this.#mask;
    return (this.#again[at >>> 5]! & (1 << (at & 31))) !== 0;
  }
}
