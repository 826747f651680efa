/**
 * Starts the user's own code in a Node process that has a folder and an environment of its own, in a process group of its own:
 * it can exit, crash or move elsewhere, and whatever it has started ends with it, and with us.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import * as nodeModule from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Isolated {
  /** URL of the module that it runs. */
  readonly entry: URL;
  readonly args?: readonly string[];
  /** Its working folder. */
  readonly folder: string;
  /** All of its environment, PATH included. */
  readonly env: Readonly<Record<string, string>>;
  /** Put before the command line: a tracer. */
  readonly prefix?: readonly string[];
}

// The pipe 4 ends when our process does, however it does.
const WITH_US = '( exec >/dev/null 2>&1 3<&-; read x <&4; kill -KILL 0 ) & exec 4<&-; exec "$@"';

/** Messages are structured clones. Its standard output and error are pipes; it is gone at the event `close`. */
export const startIsolated = ({ entry, args = [], folder, env, prefix = [] }: Isolated): ChildProcess => {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', fileURLToPath(entry), ...args];
  // Taken out of its environment again before the user's code sees it.
  const cache = nodeModule.getCompileCacheDir?.();
  const child = spawn('/bin/sh', ['-c', WITH_US, 'sh', ...prefix, ...node], {
    cwd: folder,
    env: { ...env, ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) }) },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    serialization: 'advanced',
  });
  // What it leaves behind would keep its pipes open.
  child.on('exit', () => killIsolated(child));
  return child;
};

/** With all that it has started. */
export const killIsolated = ({ pid }: ChildProcess): void => {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone.
  }
};
