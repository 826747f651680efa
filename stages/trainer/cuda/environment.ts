/**
 * The Python that runs the CUDA trainer: one environment for each content of requirements.txt, made once and shared by all
 * projects of a user (torch is gigabytes), by uv where there is one, else by venv and pip. `FINETUNE_PYTHON` names an
 * interpreter to use instead, as it is: for machines whose torch is built for them.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { StageError, type WholeContext } from '../../contract.ts';
import { hold } from '../holder.ts';
import type { Program } from '../program.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

type Context = Pick<WholeContext<unknown>, 'log' | 'signal'>;

export const cudaProgram = async (context: Context): Promise<Program> => ({
  command: process.env.FINETUNE_PYTHON || (await environment(here('requirements.txt'), context)),
  // Compiled files beside the program would be strangers in a package folder.
  args: ['-B', here('main.py')],
});

/** The interpreter of the environment that `requirements` describes; makes it if there is none. Error: `no-python`. */
export const environment = async (requirements: string, { log, signal }: Context): Promise<string> => {
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
  const root = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'finetune', `python-${digest}`);
  const folder = join(root, 'venv');
  const python = join(folder, 'bin/python');
  const ready = join(root, 'ready');
  if (existsSync(ready)) return python;
  mkdirSync(root, { recursive: true });
  // Several builds may want it at once: one makes it, the others wait.
  const release = await hold(folder, signal);
  try {
    if (existsSync(ready)) return python;
    rmSync(folder, { recursive: true, force: true });
    log(`making the Python environment ${folder}; this downloads torch once`);
    const run = (command: string, args: readonly string[]) => runLogged(command, args, { log, signal });
    const last = (await run('uv', ['--version'])).ok
      ? await withUv(run, folder, requirements)
      : await withPip(run, folder, requirements);
    if (!last.ok)
      throw new StageError('no-python', `the trainer's Python environment could not be made: ${last.words}`, {
        advice:
          'The whole output is in the log. It needs Python 3.11 or newer with venv, or uv; FINETUNE_PYTHON can name an interpreter that has torch.',
      });
    writeFileSync(ready, '');
    return python;
  } finally {
    release();
  }
};

interface Outcome {
  readonly ok: boolean;
  /** What it said last. */
  readonly words: string;
}

type Run = (command: string, args: readonly string[]) => Promise<Outcome>;

const withUv = async (run: Run, folder: string, requirements: string): Promise<Outcome> => {
  const made = await run('uv', ['venv', '--python', '>=3.11', folder]);
  return made.ok ? run('uv', ['pip', 'install', '--python', join(folder, 'bin/python'), '-r', requirements]) : made;
};

const withPip = async (run: Run, folder: string, requirements: string): Promise<Outcome> => {
  const made = await run('python3', ['-m', 'venv', folder]);
  const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '-r', requirements];
  return made.ok ? run(join(folder, 'bin/python'), pip) : made;
};

/** Its output goes to the log line by line; a program that is not there is no more than a failure. */
const runLogged = (command: string, args: readonly string[], { log, signal }: Context): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
    let words = `${command} is not there`;
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', line => {
        words = line.trim() || words;
        log(line);
      });
    child.on('error', error => (signal.aborted ? reject(signal.reason) : resolve({ ok: false, words: error.message })));
    child.on('close', code => resolve({ ok: code === 0, words }));
  });
