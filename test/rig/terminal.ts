/** Runs the real command line on a terminal (a pty, held by Python's standard library) and answers what it asks. */
import { spawn } from 'node:child_process';
import { BIN, type Project } from './project.ts';

export interface OnTerminal {
  readonly code: number | null;
  /** All that was shown, stdout and stderr. */
  readonly shown: string;
}

/** `answer` is typed when the text `prompt` stands on the screen; "\x03" is Ctrl-C. Ends with the exit code that the pty's child had. */
const DRIVER = `
import os, pty, signal, sys
prompt, answer, argv = sys.argv[1].encode(), sys.argv[2].encode().decode('unicode_escape').encode(), sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(argv[0], argv)
shown, asked = b'', False
while True:
    try:
        some = os.read(fd, 65536)
    except OSError:
        break
    if not some:
        break
    shown += some
    if not asked and prompt in shown:
        asked = True
        os.write(fd, answer)
sys.stdout.buffer.write(shown)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
`;

export const onTerminal = (
  project: Project,
  args: readonly string[],
  {
    prompt,
    answer,
    env = {},
  }: { readonly prompt: string; readonly answer: string; readonly env?: Record<string, string> },
): Promise<OnTerminal> =>
  new Promise((resolve, reject) => {
    const { PATH, HOME, TMPDIR } = process.env;
    const base = { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), LANG: 'C.UTF-8', TZ: 'UTC', TERM: 'xterm' };
    const child = spawn('python3', ['-c', DRIVER, prompt, answer, process.execPath, BIN, ...args], {
      cwd: project.folder,
      env: { ...base, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', text => (shown += text));
    child.on('error', reject);
    child.on('close', code => resolve({ code, shown: shown.replaceAll('\r\n', '\n') }));
  });
