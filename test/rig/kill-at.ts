/**
 * Loaded into a build by `node --import`: it kills itself with SIGKILL at the operation of the store that FINETUNE_TEST_KILL says:
 * `17` before it is done, `17+` after. `count` writes instead how many there were to the file FINETUNE_TEST_COUNT.
 */
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { interpose } from '../../cache/disk.ts';

const { FINETUNE_TEST_KILL: when, FINETUNE_TEST_COUNT: file } = process.env;

if (isMainThread && when !== undefined) {
  let n = 0;
  const die = (): void => void process.kill(process.pid, 'SIGKILL');
  interpose((_operation, args, run) => {
    n++;
    if (when === String(n)) die();
    const result = run(...args);
    if (when === `${n}+`) die();
    return result;
  });
  if (file !== undefined) process.on('exit', () => writeFileSync(file, String(n)));
}
