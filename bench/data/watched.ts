/** Runs a program and watches the memory of it and of all that it starts. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export interface Watched {
  readonly seconds: number;
  /** Greatest sum of the processes' proportional set sizes, in bytes: what several of them share counts once. */
  readonly peak: number;
  readonly stdout: string;
}

const EVERY = 200;

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // A process may end at any time.
    return '';
  }
};

/** The process and all below it. */
const tree = (root: number): number[] => {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // The name of a process may hold spaces and brackets: what follows the last bracket does not.
    const fields = read(`/proc/${name}/stat`).split(') ').at(-1)!.split(' ');
    if (fields.length > 2) parents.set(Number(name), Number(fields[1]));
  }
  const all = [root];
  for (const at of all) for (const [child, parent] of parents) if (parent === at) all.push(child);
  return all;
};

const memory = (root: number): number =>
  tree(root).reduce((sum, pid) => {
    const kilobytes = /^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1];
    return sum + Number(kilobytes ?? 0) * 1024;
  }, 0);

/** Throws when the program fails. */
export const watched = async (
  command: readonly [string, ...string[]],
  { cwd, env = {} }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Watched> => {
  const [program, ...args] = command;
  const begun = performance.now();
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', text => (stderr = (stderr + text).slice(-4000)));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  let peak = 0;
  let open = true;
  const watching = (async () => {
    while (open) {
      if (child.pid !== undefined) peak = Math.max(peak, memory(child.pid));
      await pause(EVERY);
    }
  })();
  const code = await ended;
  const seconds = (performance.now() - begun) / 1000;
  open = false;
  await watching;
  if (code !== 0) throw new Error(`${command.join(' ')} (${code}): ${stdout.slice(-2000)}${stderr}`);
  return { seconds, peak, stdout };
};
