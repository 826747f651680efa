/** `strace`, put before a command line, so that every file that is opened under it is written down. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FailureError } from '../../failure.ts';

/** A command line to put before another one; `prefix` begins the names of the files that it writes, one for each thread. */
export type Tracer = (prefix: string) => readonly string[];

/** A `?` stands before calls that not every architecture has. */
const CALLS = 'trace=?open,?openat,?openat2,?creat,execve,?execveat';
const FLAGS = ['-ff', '-qq', '-y', '-e', CALLS, '-e', 'signal=none'];
/** Stops at these calls only, which makes it some times faster; from strace 5.3 on. */
const FILTER = '--seccomp-bpf';

/** Tries it out: it may be missing, old, or forbidden to trace. Throws FailureError. */
export const findTracer = (): Tracer => {
  const folder = mkdtempSync(join(tmpdir(), 'finetune-trace-'));
  const works = (flags: readonly string[]): string | null => {
    try {
      execFileSync('strace', [...flags, '-o', join(folder, 'try'), 'true'], { stdio: ['ignore', 'ignore', 'pipe'] });
      return null;
    } catch (error) {
      const { code, stderr } = error as { code?: string; stderr?: Buffer };
      return code === 'ENOENT' ? code : (stderr?.toString().trim().split('\n')[0] ?? String(error));
    }
  };
  try {
    const flags = [FLAGS, [...FLAGS, FILTER]].findLast(f => works(f) === null);
    if (flags) return prefix => ['strace', ...flags, '-o', prefix];
    const why = works(FLAGS)!;
    throw new FailureError([
      why === 'ENOENT'
        ? {
            reason: 'no-tracer',
            message: '--trace needs strace, which is not on the PATH',
            advice:
              process.platform === 'linux'
                ? 'install it (apt-get install strace), or build without --trace'
                : 'strace is there on Linux only: build without --trace',
          }
        : {
            reason: 'no-tracer',
            message: `--trace cannot be used here: ${why}`,
            advice: 'a container must allow ptrace (docker run --cap-add SYS_PTRACE); or build without --trace',
          },
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
