/** Memory stays bounded while rows grow; `bench/engine/memory.ts` is the same with a million rows. */
import { expect, test } from 'vitest';
import { buildRows } from '../../bench/engine/rows.ts';

test('a hundred thousand rows through the row stages stay below 700 MB', async () => {
  const { peak } = await buildRows(100_000, 2);
  expect(peak).toBeLessThan(450);
});
