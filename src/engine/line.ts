/** A line before something of which there is only so much: first come, first served, all of what one asks for at once. */

interface Stock<T> {
  readonly free: number;
  take(n: number): readonly T[];
  give(n: number, taken: readonly T[]): void;
}

export interface Taken<T> {
  /** The things themselves, where they are not an amount. */
  readonly taken: readonly T[];
  /** Gives it back; once. */
  release(): void;
}

export class Line<T> {
  readonly #stock: Stock<T>;
  readonly #queue: { readonly n: number; go(taken: readonly T[]): void }[] = [];

  private constructor(stock: Stock<T>) {
    this.#stock = stock;
  }

  static ofAmount(all: number): Line<number> {
    let free = all;
    return new Line<number>({
      get free() {
        return free;
      },
      take: n => {
        free -= n;
        return [];
      },
      give: n => {
        free += n;
      },
    });
  }

  /** The first ones are given first: what runs alone runs on the same one each time. */
  static ofThings<T>(all: readonly T[]): Line<T> {
    const free = [...all];
    return new Line<T>({
      get free() {
        return free.length;
      },
      take: n => free.splice(0, n),
      give: (_, taken) => {
        free.push(...taken);
        free.sort((a, b) => all.indexOf(a) - all.indexOf(b));
      },
    });
  }

  /** Never resolves for more than there is: whoever asks has looked. Rejects when `signal` aborts first. */
  async take(n: number, signal: AbortSignal): Promise<Taken<T>> {
    signal.throwIfAborted();
    const taken = this.#queue.length === 0 && this.#stock.free >= n ? this.#stock.take(n) : await this.#turn(n, signal);
    let released = false;
    return {
      taken,
      release: () => {
        if (released) return;
        released = true;
        this.#stock.give(n, taken);
        this.#serve();
      },
    };
  }

  #turn(n: number, signal: AbortSignal): Promise<readonly T[]> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#queue.splice(this.#queue.indexOf(entry), 1);
        reject(signal.reason);
        // Whoever stood behind may ask for less.
        this.#serve();
      };
      const go = (taken: readonly T[]): void => {
        signal.removeEventListener('abort', leave);
        resolve(taken);
      };
      const entry = { n, go };
      this.#queue.push(entry);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Taken here and not when the one who waits wakes up: somebody else may come in between. */
  #serve(): void {
    for (let first = this.#queue[0]; first && first.n <= this.#stock.free; first = this.#queue[0]) {
      this.#queue.shift();
      first.go(this.#stock.take(first.n));
    }
  }
}
