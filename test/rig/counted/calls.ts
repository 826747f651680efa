/** Where the stages beside this file note each call, from whatever thread, and learn whether all rows are answered just now. */
import { appendFileSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shared } from '../shared-memory.ts';

const name = 'FINETUNE_TEST_CALLS';

const folder = (): string => {
  const known = process.env[name];
  if (known === undefined) throw new Error('no folder for calls: startCounting comes before any worker');
  return known;
};

/** To be called before the first worker starts, which inherits the environment. Returns what removes all traces. */
export const startCounting = (): (() => void) => {
  const made = shared();
  process.env[name] = made;
  return () => rmSync(made, { recursive: true, force: true });
};

/** A row (or each row of a group) given to a stage. */
export const note = (stage: string, rows = 1): void => appendFileSync(join(folder(), stage), '.'.repeat(rows));

/** Rows given to the stage since this was last asked. */
export const calls = (stage: string): number => {
  const path = join(folder(), stage);
  const n = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  rmSync(path, { force: true });
  return n;
};

/** Some rows get no answer while the server they would be asked of is down. */
export const isDown = (): boolean => existsSync(join(folder(), 'down'));

export const setDown = (down: boolean): void => {
  if (down) writeFileSync(join(folder(), 'down'), '');
  else rmSync(join(folder(), 'down'), { force: true });
};
