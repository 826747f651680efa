/** Puts the store in order while nobody saves: hundreds of small builds leave it scattered, and it has a size to keep. */
import type { Engine } from '../engine/engine.ts';
import { housekeep } from '../engine/housekeep.ts';

/** Milliseconds of rest before it begins: somebody who thinks for a moment is not to wait for it. */
const REST = 5000;

export class Tidying {
  readonly #onDue: () => void;
  #isUntidy = false;
  #isDue = false;
  #timer: NodeJS.Timeout | null = null;

  /** `onDue` is to lead to `tidy`. */
  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  /** A build has made something. */
  made(): void {
    this.#isUntidy = true;
  }

  /** Nothing is to be done, from now on. */
  rest(): void {
    if (!this.#isUntidy) return;
    this.#timer ??= setTimeout(() => {
      this.#isDue = true;
      this.#onDue();
    }, REST).unref();
  }

  /** Something is to be done after all. */
  stirred(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isDue = false;
  }

  /** What people should know of it, or null. */
  tidy({ store, records, project }: Engine, env: NodeJS.ProcessEnv): string | null {
    if (!this.#isDue) return null;
    this.stirred();
    this.#isUntidy = false;
    return housekeep({ store, records, folder: project.folder, env });
  }
}
