/** Who makes a key: one process at a time, for as long as it lives. */
import { expect, onTestFinished, test } from 'vitest';
import { claim, isClaimed, sweepClaims, tryClaim } from '../../cache/claims.ts';
import { Store } from '../../cache/store.ts';
import { project } from '../rig/project.ts';

const signal = new AbortController().signal;

/** Two processes' views of one store: each has a lease of its own. */
const two = () => {
  const { folder } = project({});
  const stores = [new Store(folder), new Store(folder)] as const;
  onTestFinished(() => {
    for (const store of stores) store.close();
  });
  return { folder, a: stores[0], b: stores[1] };
};

test('a key is one claimant’s at a time, in another process or in the same', () => {
  const { folder, a, b } = two();
  const giveBack = tryClaim(a, 'k')!;
  expect(isClaimed(folder, b.db, 'k')).toBe(true);
  expect(tryClaim(b, 'k')).toBeNull();
  expect(tryClaim(a, 'k')).toBeNull();
  expect(tryClaim(b, 'other')).not.toBeNull();
  giveBack();
  expect(isClaimed(folder, b.db, 'k')).toBe(false);
  expect(tryClaim(b, 'k')).not.toBeNull();
});

test('who waits is told of it once, and may be aborted', async () => {
  const { a, b } = two();
  const giveBack = tryClaim(a, 'k')!;
  const stop = new AbortController();
  let waited = 0;
  const second = claim(b, 'k', stop.signal, () => {
    waited++;
    stop.abort(new Error('enough'));
  });
  await expect(second).rejects.toThrow();
  expect(waited).toBe(1);
  const third = claim(b, 'k', signal, giveBack);
  expect(await third).toBeTypeOf('function');
});

test('what a process claimed that is no more is anybody’s, and swept away', () => {
  const { folder, a, b } = two();
  tryClaim(a, 'k');
  tryClaim(a, 'l');
  a.rest();
  expect(isClaimed(folder, b.db, 'k')).toBe(false);
  expect(tryClaim(b, 'k')).not.toBeNull();
  sweepClaims(folder, b.db);
  expect(b.db.prepare('SELECT key FROM claims').all()).toEqual([{ key: 'k' }]);
});
