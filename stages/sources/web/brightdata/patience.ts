/** How long one waits for a collection, and between two looks at it. */
import { setTimeout as pause } from 'node:timers/promises';
import { Trouble } from '../trouble.ts';

/** Seconds before the second look, if the service does not say; twice as many before each further one, up to the most. */
const FIRST = 1;
const MOST = 10;
/** Whatever the service says. */
const LEAST = 0.02;

export class OutOfPatience extends Trouble {}

export class Patience {
  readonly #id: string;
  readonly #wait: number;
  readonly #end: number;
  #next = FIRST;

  /** `wait` in seconds, from now on. */
  constructor(id: string, wait: number) {
    this.#id = id;
    this.#wait = wait;
    this.#end = performance.now() + wait * 1000;
  }

  /** Waits as long as the service says, or as one does. Rejects with OutOfPatience where that would take too long. */
  async pause(told: number | null): Promise<void> {
    const seconds = Math.max(LEAST, told ?? this.#next);
    this.#next = Math.min(MOST, this.#next * 2);
    if (performance.now() + seconds * 1000 > this.#end) {
      const minutes = Math.round(this.#wait / 60);
      const reason = `collection ${this.#id} is not ready after ${minutes} minutes: the next build goes on with it`;
      throw new OutOfPatience('transient', reason);
    }
    await pause(seconds * 1000);
  }
}
