import fc from 'fast-check';
import { expect, test } from 'vitest';
import { apportion } from '../../../stages/transforms/mix/apportion.ts';
import mix from '../../../stages/transforms/mix.ts';
import { optionsOf } from '../options.ts';

const inputs = (counts: Record<string, number>) => Object.entries(counts).map(([name, count]) => ({ name, count }));

const take = (counts: Record<string, number>, given: object = {}) =>
  mix.take(inputs(counts), optionsOf('transforms/mix', given));

test.each([
  ['all rows of all inputs, without options', { a: 10, b: 3 }, {}, [10, 3]],
  ['no more than their caps', { a: 10, b: 30 }, { caps: { b: 5 } }, [10, 5]],
  [
    'as many as the weights allow without a repetition',
    { a: 1000, b: 90_000 },
    { weights: { a: 4, b: 1 } },
    [1000, 250],
  ],
  ['rows by their counts', { a: 900, b: 100 }, { rows: 50 }, [45, 5]],
  ['rows by weights, some several times', { a: 10, b: 900 }, { rows: 100, weights: { a: 1, b: 1 } }, [50, 50]],
  [
    'what a cap leaves, from the others',
    { a: 900, b: 900, c: 900 },
    { rows: 100, weights: { a: 2, b: 1, c: 1 }, caps: { a: 20 } },
    [20, 40, 40],
  ],
  ['whole rows', { a: 9, b: 9, c: 9 }, { rows: 10, weights: { a: 1, b: 1, c: 1 } }, [4, 3, 3]],
  ['nothing of an empty input that has no weight', { a: 5, b: 0 }, { rows: 4 }, [4, 0]],
])('takes %s', (_, counts, given, expected) => expect(take(counts, given)).toEqual(expected));

test.each([
  [
    'a weight of no input',
    { a: 1 },
    { weights: { a: 1, x: 1 } },
    'unknown-input',
    'weights names "x", which is no input of this mix',
  ],
  ['a cap of no input', { a: 1 }, { caps: { x: 1 } }, 'unknown-input', 'caps names "x", which is no input of this mix'],
  ['a weight that lacks', { a: 1, b: 1 }, { weights: { a: 1 } }, 'missing-weight', 'weights says nothing of b'],
  [
    'an empty input',
    { a: 1, b: 0 },
    { weights: { a: 1, b: 1 } },
    'empty-input',
    'the input b of this mix holds no row',
  ],
  ['nothing at all', { a: 0, b: 0 }, { rows: 5 }, 'empty-input', 'the input a of this mix holds no row'],
  [
    'repetitions that are refused',
    { a: 10, b: 90 },
    { rows: 60, weights: { a: 1, b: 1 }, repeat: false },
    'too-few-rows',
    'a holds 10 rows where 30 are asked for',
  ],
  [
    'caps below the rows',
    { a: 9, b: 9 },
    { rows: 9, caps: { a: 2, b: 3 } },
    'too-few-rows',
    'only 5 of 9 rows can be had: caps allow no more',
  ],
])('%s is an error', (_, counts, given, reason, message) => {
  expect(() => take(counts, given)).toThrow(expect.objectContaining({ reason, message, advice: expect.any(String) }));
});

test('shares sum up to the total, keep to the caps, and are within one row of their weights', () => {
  const part = fc.record({
    weight: fc.integer({ min: 1, max: 1000 }),
    cap: fc.option(fc.nat(500), { nil: Number.POSITIVE_INFINITY }),
  });
  fc.assert(
    fc.property(fc.nat(3000), fc.array(part, { minLength: 1, maxLength: 6 }), (total, parts) => {
      const weights = parts.map(p => p.weight);
      const caps = parts.map(p => p.cap);
      const given = apportion(total, weights, caps);
      const most = caps.reduce((n, cap) => n + cap, 0);
      expect(given.reduce((n, g) => n + g, 0)).toBe(Math.min(total, most));
      const free = parts.map((_, i) => i).filter(i => given[i]! < caps[i]!);
      for (const i of free) {
        for (const j of free)
          expect(Math.abs(given[i]! - (given[j]! * weights[i]!) / weights[j]!)).toBeLessThanOrEqual(
            1 + weights[i]! / weights[j]!,
          );
      }
      for (const [i, g] of given.entries()) expect(g).toBeLessThanOrEqual(caps[i]!);
    }),
  );
});
