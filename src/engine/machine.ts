/** What this machine has for a build: cores as `--jobs` says, memory, and GPUs, which are looked for only when asked about. */
import { readdirSync } from 'node:fs';
import { totalmem } from 'node:os';
import { fail } from '../failure.ts';

export interface Machine {
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
  /** As CUDA_VISIBLE_DEVICES names them. */
  gpus(): readonly string[];
}

/** Throws FailureError when FINETUNE_GPUS is not a number. */
export const thisMachine = (jobs: number, env: NodeJS.ProcessEnv): Machine => {
  let found: readonly string[] | null = null;
  return {
    cpu: jobs,
    memory: memoryHere(),
    gpus: () => {
      found ??= gpusHere(env);
      return found;
    },
  };
};

/** Of the container, where it has a limit. */
const memoryHere = (): number => {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
};

/** FINETUNE_GPUS says how many where they cannot be counted (or are not NVIDIA's); CUDA_VISIBLE_DEVICES which. */
const gpusHere = (env: NodeJS.ProcessEnv): readonly string[] => {
  const { FINETUNE_GPUS: count, CUDA_VISIBLE_DEVICES: visible } = env;
  if (count !== undefined && count !== '' && !/^\d{1,4}$/.test(count))
    return fail('usage', `FINETUNE_GPUS is how many GPUs a build may use, a whole number, not "${count}"`);
  const said = count === undefined || count === '' ? null : Number(count);
  // As CUDA reads it: the first name that is none ends the list.
  const listed = visible?.split(',').map(name => name.trim());
  const end = listed?.findIndex(name => name === '' || name === '-1') ?? -1;
  const named = listed === undefined ? null : end === -1 ? listed : listed.slice(0, end);
  if (named !== null && (named.length > 0 || said === null)) return named.slice(0, said ?? named.length);
  return numbered(said ?? counted());
};

const numbered = (n: number): readonly string[] => Array.from({ length: n }, (_, i) => String(i));

/** The driver's list is read in no time; elsewhere (WSL) its tool knows. */
const counted = (): number => {
  try {
    return readdirSync('/proc/driver/nvidia/gpus').length;
  } catch {
    // Loaded only here: a build that asks for no GPU does without.
    const { spawnSync } = process.getBuiltinModule('node:child_process');
    const { stdout } = spawnSync('nvidia-smi', ['-L'], { encoding: 'utf8', timeout: 10_000 });
    return (stdout ?? '').split('\n').filter(line => line.startsWith('GPU ')).length;
  }
};

/** "8GB": decimal, as options take it. */
export const inBytes = (bytes: number): string => {
  const [unit, size] = (
    [
      ['GB', 1e9],
      ['MB', 1e6],
      ['KB', 1e3],
    ] as const
  ).find(([, s]) => bytes >= s) ?? ['B', 1];
  return `${Math.floor((bytes / size) * 10) / 10}${unit}`;
};
