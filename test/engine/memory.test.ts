/**
 * Memory stays bounded while rows grow; `bench/engine/memory.ts` is the same with a million rows, whose budget is 1 GB. Two
 * workers take between 440 and 510 MB here, as the garbage collector has it.
 */
import { expect, test } from 'vitest';
import { buildRows } from '../../bench/engine/rows.ts';

test('a hundred thousand rows through the row stages stay below 700 MB', async () => {
  const { peak } = await buildRows(100_000, 2);
  expect(peak).toBeLessThan(700);
});
