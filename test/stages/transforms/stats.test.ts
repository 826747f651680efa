import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonical } from '../../../cache/digest.ts';
import type { Row } from '../../../stages/contract.ts';
import { add, histogram, summary } from '../../../stages/transforms/stats/histogram.ts';
import stats, { type Options } from '../../../stages/transforms/stats.ts';
import { row } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const options = (given: object = {}) => optionsOf<Options>('transforms/stats', given);
const all = (rows: readonly Row[], given: object = {}) => stats.finish(stats.part(rows, options(given)));

test('rows and the lengths of every text are told', () => {
  const rows = [
    row('a', { text: 'one two', n: 1 }),
    row('b', { text: 'three', title: 'A 👍' }),
    row('c', { text: '' }),
  ];
  expect(all(rows)).toEqual({
    rows: 3,
    fields: {
      text: {
        rows: 3,
        characters: {
          min: 0,
          median: 5,
          mean: 4,
          p95: 7,
          max: 7,
          histogram: [
            { from: 0, to: 0, rows: 1 },
            { from: 1, to: 1, rows: 0 },
            { from: 2, to: 3, rows: 0 },
            { from: 4, to: 7, rows: 2 },
          ],
        },
        words: {
          min: 0,
          median: 1,
          mean: 1,
          p95: 2,
          max: 2,
          histogram: [
            { from: 0, to: 0, rows: 1 },
            { from: 1, to: 1, rows: 1 },
            { from: 2, to: 3, rows: 1 },
          ],
        },
      },
      title: {
        rows: 1,
        characters: { min: 3, median: 3, mean: 3, p95: 3, max: 3, histogram: [{ from: 2, to: 3, rows: 1 }] },
        words: { min: 2, median: 2, mean: 2, p95: 2, max: 2, histogram: [{ from: 2, to: 3, rows: 1 }] },
      },
    },
  });
});

test('only the fields that are named are looked at', () => {
  const rows = [row('a', { text: 'x', title: 'y', note: 'z' })];
  expect(Object.keys(all(rows, { field: 'title' }).fields as object)).toEqual(['title']);
  expect(Object.keys(all(rows, { field: ['text', 'note'] }).fields as object)).toEqual(['note', 'text']);
});

test('no row at all is 0 rows', () => expect(stats.finish(null)).toEqual({ rows: 0, fields: {} }));

test('however the rows are cut and merged, the bytes are equal', () => {
  const name = fc.constantFrom('text', 'b', '7', '__proto__', 'é');
  const text = fc.integer({ min: 0, max: 3000 }).map(n => 'ab '.repeat(n).slice(0, n));
  const fields = fc.dictionary(name, fc.oneof(text, fc.integer()), { noNullPrototype: true });
  const chunks = fc.array(fc.array(fields, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(chunks, fc.infiniteStream(fc.nat()), (data, choices) => {
      const rows = data.map(chunk => chunk.map((f, i) => row(String(i), f)));
      const parts = rows.map(chunk => JSON.parse(JSON.stringify(stats.part(chunk, options()))));
      while (parts.length > 1) {
        const at = choices.next().value % (parts.length - 1);
        parts.splice(at, 2, JSON.parse(JSON.stringify(stats.merge(parts[at], parts[at + 1]))));
      }
      const whole = stats.part(rows.flat(), options());
      expect(JSON.stringify(parts[0])).toBe(JSON.stringify(whole));
      expect(canonical(stats.finish(parts[0]))).toBe(canonical(stats.finish(whole)));
    }),
  );
});

describe('histogram', () => {
  test('median and percentile are exact below 256, and within 0.4 % above', () => {
    const numbers = fc.array(fc.oneof(fc.nat(255), fc.nat(100_000), fc.nat(2 ** 31 - 1)), { minLength: 1 });
    fc.assert(
      fc.property(numbers, values => {
        const sorted = values.toSorted((a, b) => a - b);
        const told = summary(histogram(values));
        for (const [share, found] of [
          [0.5, told.median],
          [0.95, told.p95],
        ] as const) {
          const exact = sorted[Math.ceil(share * sorted.length) - 1]!;
          expect(Math.abs(found - exact)).toBeLessThanOrEqual(exact < 256 ? 0 : exact * 0.004);
        }
        expect([told.min, told.max]).toEqual([sorted[0], sorted.at(-1)]);
        expect(told.histogram.reduce((n, bar) => n + bar.rows, 0)).toBe(values.length);
        for (const { from, to, rows } of told.histogram) {
          expect(rows).toBe(values.filter(v => v >= from && v <= to).length);
        }
      }),
    );
  });

  test('two are added whatever their order', () => {
    const numbers = fc.array(fc.nat(5000), { minLength: 1 });
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const both = histogram([...a, ...b]);
        expect(add(histogram(a), histogram(b))).toEqual(both);
        expect(add(histogram(b), histogram(a))).toEqual(both);
      }),
    );
  });
});
