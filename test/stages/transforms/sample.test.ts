import { expect, test } from 'vitest';
import sample from '../../../stages/transforms/sample.ts';
import { optionsOf } from '../options.ts';

const take = (count: number, given: object) =>
  sample.take([{ name: 'a', count }], optionsOf('transforms/sample', given))[0];

test.each([
  [100, { rows: 30 }, 30],
  [20, { rows: 30 }, 20],
  [100, { share: 0.105 }, 11],
  [3, { share: 0.1 }, 1],
  [3, { share: 1 }, 3],
  [0, { share: 0.5 }, 0],
  [0, { rows: 5 }, 0],
])('of %i rows, %j: %i', (count, given, expected) => expect(take(count, given)).toBe(expected));

test.each([[{}], [{ rows: 1, share: 0.5 }], [{ share: 0 }], [{ rows: 0 }]])('%j is refused', given =>
  expect(() => optionsOf('transforms/sample', given)).toThrow(),
);
