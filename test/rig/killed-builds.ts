/** Builds by the command line that are killed at an operation of the store. */
import { readFileSync } from 'node:fs';
import type { Project, Running } from './project.ts';

const preload = new URL('./kill-at.ts', import.meta.url).href;

/** Starts a build that is killed at `when` (`17`, `17+`; see `kill-at.ts`), or never. */
export const startKilled = (p: Project, when: string, env: Readonly<Record<string, string>> = {}): Running =>
  p.start(['build', '--json', '--jobs', '1'], {
    env: {
      ...env,
      NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import ${preload}`,
      FINETUNE_TEST_KILL: when,
      ...(process.env.FINETUNE_GRAIN ? { FINETUNE_GRAIN: process.env.FINETUNE_GRAIN } : {}),
    },
  });

/** How many operations a build has that nobody kills. */
export const countOperations = async (p: Project): Promise<number> => {
  const file = p.path('operations');
  const { code, stdout, stderr } = await startKilled(p, 'never', { FINETUNE_TEST_COUNT: file }).done;
  if (code !== 0) throw new Error(`the build ended with ${code}: ${stdout}${stderr}`);
  return Number(readFileSync(file, 'utf8'));
};
