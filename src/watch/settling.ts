/** Waits until a burst of changes is over: briefly after a single save, longer while somebody keeps writing. */

/** Milliseconds of quiet after a first change. Longer than a tick of any clock that stamps files. */
const SHORTEST = 25;
/** And while changes keep coming: chokidar tells of one file that is being written every 50 ms. */
const LONGEST = 200;
/** A change that soon after the last burst belongs to it. */
const AFTERSHOCK = 300;
/** Nobody waits longer than this for a writer that never rests. */
const PATIENCE = 2000;

export interface Settling {
  readonly pending: boolean;
  note(): void;
  close(): void;
}

export const openSettling = (settled: () => void): Settling => {
  let timer: NodeJS.Timeout | null = null;
  let first = 0;
  let last = -Infinity;
  let quiet = SHORTEST;
  const fire = (): void => {
    timer = null;
    last = performance.now();
    settled();
  };
  return {
    get pending() {
      return timer !== null;
    },
    note: () => {
      const now = performance.now();
      if (timer === null) {
        first = now;
        quiet = now - last < AFTERSHOCK ? Math.min(quiet * 2, LONGEST) : SHORTEST;
      } else if (now - first >= PATIENCE) return;
      else clearTimeout(timer);
      timer = setTimeout(fire, quiet);
    },
    close: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
};
