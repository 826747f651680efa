import { expect, test } from 'vitest';
import shuffle from '../../../stages/transforms/shuffle.ts';
import { optionsOf } from '../options.ts';

test('takes all rows once, by its seed', () => {
  expect('take' in shuffle).toBe(false);
  expect(shuffle.seed(optionsOf('transforms/shuffle', {}))).toBe(0);
  expect(shuffle.seed(optionsOf('transforms/shuffle', { seed: 7 }))).toBe(7);
});
