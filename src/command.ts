/** What a command is given and gives back, and the words for what was typed wrong. */
import { FailureError } from './failure.ts';

/** Exit codes: 0 done, 1 a node failed, 2 recipe or usage wrong, 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 130;

export interface Flags {
  readonly recipe: string;
  readonly profile: readonly string[];
  readonly set: readonly string[];
  readonly force: readonly string[];
  readonly refresh: readonly string[];
  readonly 'keep-going': boolean;
  readonly trace: boolean;
  readonly jobs: string | undefined;
  readonly rows: string | undefined;
  readonly format: string | undefined;
  readonly train: boolean;
  readonly slow: string | undefined;
  readonly 'dry-run': boolean;
  readonly locked: boolean;
  readonly yes: boolean;
  readonly 'ask-after': string | undefined;
  readonly size: string | undefined;
  readonly paid: boolean;
  readonly json: boolean;
  readonly plain: boolean;
}

export interface Call {
  readonly names: readonly string[];
  readonly flags: Flags;
  readonly env: NodeJS.ProcessEnv;
}

export interface Command {
  run(call: Call): Promise<ExitCode>;
}

export const usage = (message: string, advice?: string): FailureError =>
  new FailureError([{ reason: 'usage', message, ...(advice ? { advice } : {}) }]);

/** A flag that takes a whole number from 1. */
export const wholeNumber = (flag: string, value: string | undefined, otherwise: number): number => {
  if (value === undefined) return otherwise;
  if (!/^[1-9]\d{0,8}$/.test(value)) throw usage(`--${flag} takes a whole number from 1, not "${value}"`);
  return Number(value);
};
