/** Wakes the one who waits: once, however often it was rung meanwhile. */

export class Bell {
  #isRung = false;
  #waiting: (() => void) | null = null;

  /** Whether it was rung since somebody last waited. */
  get isRung(): boolean {
    return this.#isRung;
  }

  ring(): void {
    this.#isRung = true;
    this.#waiting?.();
    this.#waiting = null;
  }

  async wait(): Promise<void> {
    if (!this.#isRung)
      await new Promise<void>(resolve => {
        this.#waiting = resolve;
      });
    this.#isRung = false;
  }
}
