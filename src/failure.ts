/** Expected errors as values: a reason, words for people, and a place in a file of theirs where there is one. */

export interface Place {
  /** As the user would write it: relative to the working folder where it is below it. */
  readonly path: string;
  /** From 1. */
  readonly line?: number;
  /** From 1, in UTF-16 units. */
  readonly column?: number;
  /** Length of the marked text on that line, in UTF-16 units. */
  readonly length?: number;
  /** The line's text, for showing it under the message. */
  readonly source?: string;
}

/** Every reason a build, a recipe or a command can fail with. A stage adds its own, kebab-case, through `StageError`. */
export type Reason =
  // the recipe
  | 'recipe-missing'
  | 'recipe-unreadable'
  | 'yaml-syntax'
  | 'yaml-too-large'
  | 'duplicate-key'
  | 'duplicate-name'
  | 'invalid-name'
  | 'unknown-key'
  | 'unknown-stage'
  | 'unknown-reference'
  | 'unknown-output'
  | 'wrong-type'
  | 'missing-input'
  | 'cycle'
  | 'invalid-option'
  | 'invalid-interpolation'
  | 'secret-not-allowed'
  | 'unknown-path'
  | 'unknown-profile'
  | 'user-stage'
  | 'invalid-matrix'
  | 'unknown-variant'
  | 'too-many-nodes'
  // running
  | 'not-enough-resources'
  | 'secret-missing'
  | 'file-missing'
  | 'file-unreadable'
  | 'input-changed'
  | 'stage-crashed'
  | 'rejects'
  | 'empty-side'
  | 'empty-output'
  | 'interrupted'
  // the store
  | 'disk-full'
  | 'read-only'
  | 'store-version'
  | 'store-corrupt'
  // the command line
  | 'usage'
  | 'unknown-node'
  | 'not-built'
  | (string & {});

export interface Failure {
  readonly reason: Reason;
  /** What went wrong and why, one or a few lines. */
  readonly message: string;
  readonly place?: Place;
  /** What to do about it. */
  readonly advice?: string;
}

/** Carries one or more failures up to the command that reports them; never a bug. */
export class FailureError extends Error {
  readonly failures: readonly Failure[];
  constructor(failures: readonly Failure[]) {
    super(failures.map(f => f.message).join('\n'));
    this.failures = failures;
  }
}

export const fail = (reason: Reason, message: string, more: { advice?: string; place?: Place } = {}): never => {
  throw new FailureError([{ reason, message, ...more }]);
};

/** A system error in the words of the person whose disk it is, or null when it is not one we expect. */
export const systemFailure = (error: unknown, doing: string): Failure | null => {
  const { code, path } = (error ?? {}) as { code?: string; path?: string };
  const at = path ? `: ${path}` : '';
  // SQLite's primary code: the upper bits say more than anybody wants to know.
  const extended = (error as { errcode?: number } | null)?.errcode;
  const errcode = extended === undefined ? undefined : extended & 0xff;
  if (code === 'ENOSPC' || code === 'EDQUOT' || errcode === 13) {
    return {
      reason: 'disk-full',
      message: `no space left on the disk while ${doing}${at}`,
      advice: 'free some space and run the same command again: what is finished is kept',
    };
  }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM' || errcode === 8) {
    return {
      reason: 'read-only',
      message: `no permission to write while ${doing}${at}`,
      advice: 'make the folder writable, or put the store elsewhere with FINETUNE_STORE=<folder>',
    };
  }
  if (errcode === 11 || errcode === 26) {
    return {
      reason: 'store-corrupt',
      message: `the store's database is damaged (${(error as Error).message})`,
      advice: 'run the same command again: what can be read of it is saved first, and the rest built again',
    };
  }
  if (errcode === 5) {
    return {
      reason: 'store-busy',
      message: `another process has kept the store's database locked while ${doing}`,
      advice: 'run the same command again',
    };
  }
  if (code === 'EIO' || errcode === 10)
    return { reason: 'file-unreadable', message: `the disk reported an error while ${doing}${at}` };
  if (code === 'EMFILE' || code === 'ENFILE') {
    return {
      reason: 'file-unreadable',
      message: `too many open files while ${doing}`,
      advice: 'raise the limit (ulimit -n)',
    };
  }
  return null;
};
