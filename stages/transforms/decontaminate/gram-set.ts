/** A set of 64-bit hashes, each with the row that it is of: 17 bytes an entry, so that large evaluation sets fit into every worker. */

/** More are not counted. */
const MOST = 255;

export class GramSet {
  #mask = (1 << 12) - 1;
  #high = new Int32Array(1 << 12);
  #low = new Int32Array(1 << 12);
  /** The first row that has it, plus one; 0 is an empty place. */
  #first = new Int32Array(1 << 12);
  #last = new Int32Array(1 << 12);
  #rows = new Uint8Array(1 << 12);
  size = 0;

  /** To be called for the hashes of one row after those of another. */
  add(high: number, low: number, row: number): void {
    if (this.size * 2 > this.#mask) this.#grow();
    const at = this.#find(high, low);
    if (this.#first[at] === 0) {
      this.#high[at] = high;
      this.#low[at] = low;
      this.#first[at] = row + 1;
      this.#rows[at] = 1;
      this.size++;
    } else if (this.#last[at] !== row && this.#rows[at]! < MOST) this.#rows[at]!++;
    this.#last[at] = row;
  }

  /** The first row that has a hash; -1 for one that no row has, or `common` rows and more. */
  get(high: number, low: number, common: number): number {
    const at = this.#find(high, low);
    return this.#rows[at]! < common ? this.#first[at]! - 1 : -1;
  }

  #find(high: number, low: number): number {
    let at = high & this.#mask;
    while (this.#first[at] !== 0 && (this.#high[at] !== high || this.#low[at] !== low)) at = (at + 1) & this.#mask;
    return at;
  }

  #grow(): void {
    const [high, low, first, last, rows] = [this.#high, this.#low, this.#first, this.#last, this.#rows];
    const size = first.length * 2;
    this.#mask = size - 1;
    this.#high = new Int32Array(size);
    this.#low = new Int32Array(size);
    this.#first = new Int32Array(size);
    this.#last = new Int32Array(size);
    this.#rows = new Uint8Array(size);
    for (let i = 0; i < first.length; i++) {
      if (first[i] === 0) continue;
      const at = this.#find(high[i]!, low[i]!);
      this.#high[at] = high[i]!;
      this.#low[at] = low[i]!;
      this.#first[at] = first[i]!;
      this.#last[at] = last[i]!;
      this.#rows[at] = rows[i]!;
    }
  }
}
