/** Sights of many paths as one block of numbers. */
import type { Sight } from './sight.ts';

/** Five numbers each, one after another. */
export const fromSights = (sights: readonly Sight[]): Uint8Array => {
  const columns = new BigUint64Array(sights.length * 5);
  let at = 0;
  for (const { dev, ino, size, mtimeNs, ctimeNs } of sights) {
    columns[at++] = dev;
    columns[at++] = ino;
    columns[at++] = size;
    columns[at++] = mtimeNs;
    columns[at++] = ctimeNs;
  }
  return new Uint8Array(columns.buffer);
};

export class Sights {
  readonly length: number;
  readonly #columns: BigUint64Array;
  readonly #words: Uint32Array;
  readonly #one = new BigUint64Array(5);
  readonly #oneWords = new Uint32Array(this.#one.buffer);

  /** `bytes` as `fromSights` made them, from a multiple of 8 on. */
  constructor(bytes: Uint8Array) {
    this.length = Math.floor(bytes.byteLength / 40);
    this.#columns = new BigUint64Array(bytes.buffer, bytes.byteOffset, this.length * 5);
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, this.length * 10);
  }

  at(index: number): Sight {
    const c = this.#columns;
    const i = index * 5;
    return {
      dev: c[i]!,
      ino: c[i + 1]!,
      size: c[i + 2]!,
      // Before 1970.
      mtimeNs: BigInt.asIntN(64, c[i + 3]!),
      ctimeNs: BigInt.asIntN(64, c[i + 4]!),
    };
  }

  /** As `isSame(this.at(index), sight)`, but no object is made for each of a hundred thousand. */
  isAt(index: number, { dev, ino, size, mtimeNs, ctimeNs }: Sight): boolean {
    const one = this.#one;
    one[0] = dev;
    one[1] = ino;
    one[2] = size;
    one[3] = mtimeNs;
    one[4] = ctimeNs;
    for (let i = 0; i < 10; i++) if (this.#oneWords[i] !== this.#words[index * 10 + i]) return false;
    return true;
  }
}
