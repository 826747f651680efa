/** Starts a trainer's program on a job file and speaks its side of the contract: events in, signals out. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StageError, type WholeContext } from '../contract.ts';
import { hold } from './holder.ts';
import type { Job, TrainerEvent } from './job.ts';

/** A command that takes the job file's path as its next argument, then `--watch-stdin`. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** The embedded trainer, under the Node that runs us; beside compiled code it is compiled too. */
export const embeddedProgram = (): Program => {
  const main = new URL(`./embedded/main${extname(import.meta.url)}`, import.meta.url);
  return { command: process.execPath, args: ['--disable-warning=ExperimentalWarning', fileURLToPath(main)] };
};

/** Time to save and leave after SIGTERM, milliseconds; then SIGKILL. */
const GRACE = 10_000;

type Context = Pick<WholeContext<unknown>, 'work' | 'signal' | 'log' | 'warn' | 'gpus'>;

/**
 * Runs `job` to its end; `onEvent` sees every event. The child's stdin stays open: when this process dies, its end tells
 * the child to save and leave. Errors: what the child reports as `error`, `trainer-crashed` when it dies without a word,
 * `interrupted` when `context.signal` stopped it.
 */
export const runProgram = async (
  program: Program,
  job: Job,
  context: Context,
  onEvent: (event: TrainerEvent) => void = () => {},
): Promise<void> => {
  const { execa } = await import('execa');
  context.signal.throwIfAborted();
  await mkdir(context.work, { recursive: true });
  // A killed build's trainer may still be saving in this folder.
  (await hold(job.output, context.signal))();
  await rm(job.output, { recursive: true, force: true });
  await mkdir(job.output, { recursive: true });
  if (job.task === 'train') await mkdir(job.checkpoint, { recursive: true });
  const path = join(context.work, `${job.task}.json`);
  await writeFile(path, JSON.stringify(job));

  const child = execa(program.command, [...program.args, path, '--watch-stdin'], {
    stdin: 'pipe',
    env: context.gpus ? { CUDA_VISIBLE_DEVICES: context.gpus.join(',') } : {},
    buffer: false,
    reject: false,
    cancelSignal: context.signal,
    forceKillAfterDelay: GRACE,
  });
  let failure: Extract<TrainerEvent, { type: 'error' }> | undefined;
  let done = false;
  let interrupted = false;
  const tail: string[] = [];
  const events = async () => {
    for await (const line of child.iterable({ from: 'stdout' })) {
      const event = parseEvent(line);
      if (event === null) {
        context.log(line);
        continue;
      }
      if (event.type === 'error') failure = event;
      if (event.type === 'done') done = true;
      if (event.type === 'interrupted') interrupted = true;
      if (event.type === 'log') context.log(event.message);
      if (event.type === 'warn') context.warn(event.message);
      onEvent(event);
    }
  };
  const words = async () => {
    for await (const line of child.iterable({ from: 'stderr' })) {
      context.log(line);
      tail.push(line);
      if (tail.length > 20) tail.shift();
    }
  };
  // A stream that ends with an error says less than the result does.
  const [result] = await Promise.all([child, events().catch(() => {}), words().catch(() => {})]);
  // Ctrl-C reaches the child on its own, perhaps before us.
  if ((context.signal.aborted || interrupted) && !done)
    throw new StageError('interrupted', 'stopped; what was done is saved and will be continued');
  if (failure) {
    const advice = failure.advice === undefined ? {} : { advice: failure.advice };
    throw new StageError(failure.reason, failure.message, advice);
  }
  if (done && result.exitCode === 0) return;
  const how = result.signal ? `was ended by ${result.signal}` : `ended with code ${result.exitCode ?? 'unknown'}`;
  const last = tail.filter(line => /error|exception/i.test(line)).at(-1) ?? tail.at(-1);
  throw new StageError('trainer-crashed', `the trainer ${how}${last ? `: ${last.trim()}` : ''}`, {
    advice:
      result.signal === 'SIGKILL'
        ? 'The system may be short of memory: lower micro_batch. A new build continues from the last checkpoint.'
        : "Its words are in the node's log. A new build continues from the last checkpoint.",
  });
};

const parseEvent = (line: string): TrainerEvent | null => {
  try {
    const value = JSON.parse(line);
    return value !== null && typeof value === 'object' && typeof value.type === 'string' ? value : null;
  } catch {
    return null;
  }
};

/** `summary.json` of the output folder. */
export const readSummary = async <T>(output: string): Promise<T> =>
  JSON.parse(await readFile(join(output, 'summary.json'), 'utf8'));
