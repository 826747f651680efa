/** Notices a recipe that never comes to rest since a node of it writes what another one reads. */
import { statSync } from 'node:fs';

/** When a build ran, Unix milliseconds; `to` is infinite while it does. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Echo {
  /** Milliseconds to wait before building a change of `files`, given when the last build ran. */
  delay(files: readonly string[], last: Span): number;
}

/** Times in a row that changes came while a build ran: of the same files, and of any. */
const SAME = 3;
const ANY = 10;
/** Milliseconds until such a change is built: the first time, and at most. */
const FIRST = 5000;
const LAST = 600_000;
/** Of so many files as well as of one it can be seen when they were written. */
const LOOK_AT = 20;

export const openEcho = (): Echo => {
  let last = '';
  let same = 0;
  let any = 0;
  return {
    delay: (files, span) => {
      const now = files.join('\0');
      const during = files.slice(0, LOOK_AT).every(path => changedDuring(path, span));
      same = !during ? 0 : now === last ? same + 1 : 1;
      any = during ? any + 1 : 0;
      last = now;
      const over = Math.max(same - SAME, any - ANY);
      return over < 0 ? 0 : Math.min(FIRST * 2 ** over, LAST);
    },
  };
};

/** When a file went away nobody knows: then what counts is that it was missed during the build. */
const changedDuring = (path: string, { from, to }: Span): boolean => {
  const at = statSync(path, { throwIfNoEntry: false })?.ctimeMs;
  return at === undefined ? to === Infinity : at >= from && at <= to;
};
