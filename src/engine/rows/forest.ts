/** Disjoint sets (union-find with path halving; the smaller number is the root), each with its least value. */

export class Forest {
  #parent: Int32Array;
  #least: Float64Array;
  #shared: Uint8Array;
  #count: number;

  /** Starts with so many sets of one. */
  constructor(count = 0) {
    const size = Math.max(1024, count);
    this.#parent = Int32Array.from({ length: size }, (_, i) => i);
    this.#least = new Float64Array(size).fill(2);
    this.#shared = new Uint8Array(size);
    this.#count = count;
  }

  /** A set of its own. */
  add(): number {
    if (this.#count === this.#parent.length) this.#grow();
    this.#parent[this.#count] = this.#count;
    return this.#count++;
  }

  root(of: number): number {
    const parent = this.#parent;
    let i = of;
    while (parent[i] !== i) {
      parent[i] = parent[parent[i]!]!;
      i = parent[i]!;
    }
    return i;
  }

  /** The root of both. */
  union(a: number, b: number): number {
    const [x, y] = [this.root(a), this.root(b)];
    if (x === y) return x;
    const [low, high] = x < y ? [x, y] : [y, x];
    this.#parent[high] = low;
    this.#least[low] = Math.min(this.#least[low]!, this.#least[high]!);
    this.#shared[low] = 1;
    this.#shared[high] = 1;
    return low;
  }

  /** Whether it has never been joined to another. */
  alone(of: number): boolean {
    return this.#shared[of] === 0;
  }

  lower(of: number, value: number): void {
    const root = this.root(of);
    if (value < this.#least[root]!) this.#least[root] = value;
  }

  least(of: number): number {
    return this.#least[this.root(of)]!;
  }

  #grow(): void {
    const size = this.#parent.length * 2;
    const parent = new Int32Array(size);
    parent.set(this.#parent);
    const least = new Float64Array(size).fill(2);
    least.set(this.#least);
    const shared = new Uint8Array(size);
    shared.set(this.#shared);
    this.#parent = parent;
    this.#least = least;
    this.#shared = shared;
  }
}
