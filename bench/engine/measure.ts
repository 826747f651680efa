/** Runs of commands, timed from outside, and their medians. */
import { spawnSync } from 'node:child_process';

export interface Run {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Seconds after which it is given up. */
  readonly limit?: number;
}

/** Seconds from start to end; null when it was given up. Throws when it fails. */
export const seconds = (
  command: readonly [string, ...string[]],
  { cwd, env = {}, limit = 600 }: Run,
): number | null => {
  const [program, ...args] = command;
  const begun = performance.now();
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: limit * 1000,
    killSignal: 'SIGKILL',
  });
  const taken = (performance.now() - begun) / 1000;
  if ((error as { code?: string } | undefined)?.code === 'ETIMEDOUT') return null;
  if (status !== 0)
    throw new Error(`${command.join(' ')} (${signal ?? status}): ${stdout.slice(-2000)}${stderr.slice(-2000)}`);
  return taken;
};

export const median = (all: readonly number[]): number => {
  const sorted = all.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** "0.021 s", "1.42 s", "161 s": three digits. */
export const inSeconds = (s: number): string => `${s < 1 ? s.toFixed(3) : s.toPrecision(3)} s`;
