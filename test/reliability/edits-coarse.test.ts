/** The law of `edits.test.ts` with data cut into chunks as users have them. */
import { expect, test } from 'vitest';
import { often, SEED, within } from '../rig/effort.ts';
import { runScripts } from '../rig/script.ts';

const SCRIPTS = Math.ceil(Number(process.env.FINETUNE_SCRIPTS ?? often(1000)) * 0.4);

test(
  `after ${SCRIPTS} scripts of edits every result equals a clean build's, seed ${SEED}`,
  async () => {
    const sums = await runScripts(SCRIPTS, SEED, { records: 120, pages: 6, nodes: 4 });
    expect(sums.failed).toBeLessThan(sums.compared / 20 + 20);
    expect(sums.rows).toBeGreaterThan(sums.fresh * 5);
  },
  within(120),
);
