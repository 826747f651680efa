/**
 * Shells that wait for commands. Node's `spawn` copies the page tables of the whole process, 20 ms of the main thread at
 * 400 MB; a small `sh` started once forks in under one, whatever we have grown to since.
 *
 *   node ── stdin: a script a command ──> sh ── ( cd …; export …; exec sh -c '…' )
 *     ▲                                   │ stdout, stderr
 *     └──── socket <── cat <── pipe ──────┘        each ends a command's output with "<nonce> <status>"
 *     └──── lifeline ──> watcher: when we die without a word, ends all of the group
 *
 * The `cat`s are there because Node's pipes are sockets, which nobody can open by the name /dev/stdout.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { quoted } from './quoted.ts';

export type Stream = 'stdout' | 'stderr';

export interface Command {
  /** Program and arguments. */
  readonly argv: readonly string[];
  readonly folder: string;
  /** All of its environment but PATH (where this has none) and PWD. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** A named pipe with a reader: the command, and what it starts, holds its other end as descriptor 9. */
  readonly held?: string;
  /** Whole lines, as they come, without the last line break. */
  onText(text: string, stream: Stream): void;
}

/** Milliseconds between SIGTERM and SIGKILL. */
const GRACE = 5000;

/** A line that goes on for longer is passed on in parts, so that memory stays bounded. */
const LONGEST_LINE = 1 << 20;

const SIGNALS = 'TERM INT HUP';
// What is ignored before a fork is ignored from its first moment; what a shell handles, the programs it starts do not inherit.
const SURVIVE = `trap : ${SIGNALS}`;
const WATCHER = `trap '' ${SIGNALS}; ( exec >/dev/null 2>&1; read x <&3; kill -TERM 0; sleep 1; kill -KILL 0 ) & ${SURVIVE}; exec 3<&-`;
// A command may kill the shell that runs it; then nobody would wait for what is left.
const INNER = `( ${SURVIVE}; /bin/sh; [ $? -le 128 ] || kill -KILL 0 )`;
const OUTER = `trap '' ${SIGNALS}; { ${INNER} 2>&1 >&4 4>&- | cat >&2 3<&-; } 4>&1 | cat 3<&-`;

/** No command can know what ends its output. */
const SECRET = `${randomBytes(16).toString('hex')}.`;
let tasks = 0;

interface Task {
  readonly nonce: string;
  readonly command: Command;
  /** By stream, the line that has not ended yet. */
  readonly rest: Record<Stream, string>;
  /** Status by stream, once its end has come. */
  readonly ends: Map<Stream, number>;
  readonly done: (status: number | null) => void;
}

/** One shell, which runs one command at a time. */
class Shell {
  readonly #child: ChildProcess;
  readonly #streams: readonly Socket[];
  #task: Task | null = null;
  /** Nothing more is started in it. */
  spent = false;

  constructor() {
    const { PATH = '/usr/local/bin:/usr/bin:/bin' } = process.env;
    this.#child = spawn('/bin/sh', ['-c', OUTER], {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      // A group of its own: so that it can be ended with all that it has started, and Ctrl-C reaches only us.
      detached: true,
      cwd: '/',
      env: { PATH },
    });
    this.#streams = this.#child.stdio.filter(s => s !== null) as Socket[];
    // A shell that has died takes no more; its exit says so.
    for (const s of this.#streams) s.on('error', () => {});
    for (const stream of ['stdout', 'stderr'] as const) {
      this.#child[stream]!.setEncoding('utf8').on('data', (text: string) => this.#take(stream, text));
    }
    const lost = () => {
      this.spent = true;
      shells.delete(this);
      const task = this.#task;
      for (const stream of ['stdout', 'stderr'] as const) {
        if (task?.rest[stream] && !task.ends.has(stream)) task.command.onText(task.rest[stream], stream);
      }
      task?.done(null);
    };
    this.#child.on('error', lost);
    this.#child.on('exit', lost);
    this.#child.stdin!.write(`${WATCHER}\n`);
  }

  /** Resolves with the exit status as a shell tells it, or null when the shell itself has died. */
  run(command: Command): Promise<number | null> {
    const { signal } = command;
    this.#hold(true);
    return new Promise(resolve => {
      const onAbort = () => this.#stop();
      this.#task = {
        nonce: `${SECRET}${tasks++}.`,
        command,
        rest: { stdout: '', stderr: '' },
        ends: new Map(),
        done: status => {
          signal.removeEventListener('abort', onAbort);
          this.#task = null;
          this.#hold(false);
          // It may have left something behind that does not end by itself.
          if (status === null || status > 128) this.#stop();
          resolve(status);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#child.stdin!.write(script(command, this.#task.nonce));
    });
  }

  /** At once, with all that it has started. */
  kill(signal: NodeJS.Signals): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, signal);
    } catch {
      // Gone.
    }
  }

  /** SIGTERM to all, SIGKILL to what is left; it ends when nobody holds its output any more. */
  #stop(): void {
    if (this.spent) return;
    this.spent = true;
    this.kill('SIGTERM');
    this.#child.stdin!.end();
    setTimeout(() => this.kill('SIGKILL'), GRACE).unref();
  }

  /** A shell at work keeps the process going; one that waits does not. */
  #hold(on: boolean): void {
    for (const held of [this.#child, ...this.#streams]) {
      if (on) held.ref();
      else held.unref();
    }
  }

  #take(stream: Stream, text: string): void {
    const task = this.#task;
    // What something left behind in the background says has no node any more.
    if (!task || task.ends.has(stream)) return;
    const all = task.rest[stream] + text;
    const at = all.indexOf(task.nonce, Math.max(0, task.rest[stream].length - task.nonce.length));
    const end = at === -1 ? -1 : all.indexOf('\n', at);
    if (end !== -1) {
      if (at > 0) task.command.onText(all.slice(0, all[at - 1] === '\n' ? at - 1 : at), stream);
      task.ends.set(stream, Number(all.slice(at + task.nonce.length, end)));
      // While it is being stopped, what it has started may still be saving.
      if (task.ends.size === 2 && !this.spent) task.done(task.ends.get('stdout')!);
      return;
    }
    const last = all.lastIndexOf('\n');
    const take = last !== -1 ? last : all.length > LONGEST_LINE && at === -1 ? all.length - task.nonce.length : -1;
    if (take >= 0) task.command.onText(all.slice(0, take), stream);
    task.rest[stream] = take < 0 ? all : all.slice(last !== -1 ? take + 1 : take);
  }
}

const script = ({ argv, folder, env, held }: Command, nonce: string): string => {
  const exports = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`);
  const end = `printf '%s %s\\n' ${nonce} $s`;
  return [
    `( cd ${quoted(folder)} || exit 126; unset OLDPWD; export ${exports.join(' ')}; exec ${argv.map(quoted).join(' ')} ) </dev/null${held ? ` 9>${quoted(held)}` : ''}`,
    's=$?',
    '[ $s -gt 128 ] || kill 0',
    `${end}; ${end} >&2\n`,
  ].join('; ');
};

const shells = new Set<Shell>();
const idle: Shell[] = [];

/** Runs a command in a shell that waits, or in a new one; there are as many as ever ran at once. */
export const runInShell = async (command: Command): Promise<number | null> => {
  command.signal.throwIfAborted();
  let shell = idle.pop();
  while (shell?.spent) shell = idle.pop();
  if (!shell) shells.add((shell = new Shell()));
  const status = await shell.run(command);
  if (!shell.spent) idle.push(shell);
  return status;
};

process.on('exit', () => {
  for (const shell of shells) shell.kill('SIGKILL');
});
