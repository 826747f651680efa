/** Python environments of the peers, in a folder of their own; each is installed when it is not there yet. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const TOOLS = join(tmpdir(), 'finetune-data-peers');

/** Path of a Python that has these packages, or why there is none. */
export const pythonWith = (name: string, packages: readonly string[]): string | { readonly missing: string } => {
  const folder = join(TOOLS, name);
  const python = join(folder, 'bin/python');
  const options = { stdio: ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe'] };
  try {
    if (!existsSync(join(folder, 'complete'))) {
      execFileSync('python3', ['-m', 'venv', '--clear', folder], options);
      execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages], options);
      execFileSync('touch', [join(folder, 'complete')]);
    }
    return python;
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer };
    return {
      missing: `${packages.join(', ')}: ${String(stderr ?? error)
        .trim()
        .split('\n')
        .at(-1)}`,
    };
  }
};
