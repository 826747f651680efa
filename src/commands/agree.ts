/** Before a long training is repeated: asks on a terminal, and without one refuses, so that no pipe ever waits. */
import { usage } from '../command.ts';
import type { Agree } from '../engine/repeat.ts';
import { duration } from '../views/numbers.ts';
import { visible } from '../views/printable.ts';

/** Seconds. */
const ASK_AFTER = 600;

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** From how many seconds on a training is not repeated without being asked about: `--ask-after`, else FINETUNE_ASK_AFTER. */
export const askAfter = (flag: string | undefined, env: NodeJS.ProcessEnv): number => {
  const [name, text] = flag === undefined ? ['FINETUNE_ASK_AFTER', env.FINETUNE_ASK_AFTER] : ['--ask-after', flag];
  if (text === undefined || text === '') return ASK_AFTER;
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smh])$/.exec(text) ?? [];
  if (number === undefined) throw usage(`${name} takes a time such as 90s, 10m or 2h, not "${text}"`);
  return Number(number) * UNITS[unit!]!;
};

export interface Asking {
  readonly yes: boolean;
  readonly json: boolean;
  /** Seconds. */
  readonly limit: number;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Takes away what is being drawn, and returns what draws it again. */
  readonly pause: () => () => void;
}

export const agreement = ({ yes, json, limit, env, signal, pause }: Asking): Agree => {
  const isSet = env.CI !== undefined && !['', '0', 'false'].includes(env.CI);
  const canAsk = process.stdin.isTTY === true && process.stderr.isTTY === true && !json && !isSet;
  // Two questions at once would both read the same answer.
  let turn: Promise<unknown> = Promise.resolve();
  return async ({ node, seconds, why }) => {
    if (yes || seconds <= limit) return true;
    if (!canAsk) return false;
    const mine = turn.then(async () => {
      const resume = pause();
      try {
        return await ask(
          `${visible(node)} was trained before, in ${duration(seconds)}; since then: ${visible(why)}\nTrain it again? [y/N] `,
          signal,
        );
      } finally {
        resume();
      }
    });
    turn = mine.catch(() => {});
    return await mine;
  };
};

/** Whether the answer is yes; the end of the input is a no. Rejects when the signal aborts: Ctrl-C. */
const ask = async (question: string, signal: AbortSignal): Promise<boolean> => {
  const { createInterface } = await import('node:readline');
  signal.throwIfAborted();
  // Not as a terminal: then Ctrl-C stays the signal that ends builds.
  const lines = createInterface({ input: process.stdin, terminal: false });
  try {
    process.stderr.write(question);
    return await new Promise<boolean>((resolve, reject) => {
      lines.once('line', line => resolve(/^\s*y(es)?\s*$/i.test(line)));
      lines.once('close', () => resolve(false));
      signal.addEventListener('abort', () => {
        process.stderr.write('\n');
        reject(signal.reason);
      });
    });
  } finally {
    lines.close();
    process.stdin.pause();
    process.stdin.unref();
  }
};
