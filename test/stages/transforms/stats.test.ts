import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { canonical } from '../../../cache/digest.ts';
import type { ModelInput, Row } from '../../../stages/contract.ts';
import { loadTokenizer } from '../../../stages/templates/tokenizer.ts';
import { distinct, hash52, sizeOf, union } from '../../../stages/transforms/stats/distinct.ts';
import { add, histogram, summary } from '../../../stages/transforms/stats/histogram.ts';
import stats, { type Options } from '../../../stages/transforms/stats.ts';
import { row } from '../../rig/stage.ts';
import { tokenizerJson } from '../../rig/tokenizer.ts';
import { optionsOf } from '../options.ts';

const options = (given: object = {}) => optionsOf<Options>('transforms/stats', given);
/** The partial result of rows, as a worker makes it. */
const part = async (rows: readonly Row[], given: object = {}, inputs: Readonly<Record<string, ModelInput>> = {}) => {
  const state = await stats.setup({ options: options(given), files: {}, inputs });
  return stats.part(rows, options(given), state);
};
const all = async (rows: readonly Row[], given: object = {}, inputs: Readonly<Record<string, ModelInput>> = {}) =>
  stats.finish(await part(rows, given, inputs));

test('rows and the lengths of every text are told', async () => {
  const rows = [
    row('a', { text: 'one two', n: 1 }),
    row('b', { text: 'three', title: 'A 👍' }),
    row('c', { text: '' }),
  ];
  expect(await all(rows)).toEqual({
    rows: 3,
    duplicates: 0,
    fields: {
      text: {
        rows: 3,
        duplicates: 0,
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
        duplicates: 0,
        characters: { min: 3, median: 3, mean: 3, p95: 3, max: 3, histogram: [{ from: 2, to: 3, rows: 1 }] },
        words: { min: 2, median: 2, mean: 2, p95: 2, max: 2, histogram: [{ from: 2, to: 3, rows: 1 }] },
      },
    },
  });
});

test('only the fields that are named are looked at', async () => {
  const rows = [row('a', { text: 'x', title: 'y', note: 'z' })];
  expect(Object.keys((await all(rows, { field: 'title' })).fields as object)).toEqual(['title']);
  expect(Object.keys((await all(rows, { field: ['text', 'note'] })).fields as object)).toEqual(['note', 'text']);
});

test('no row at all is 0 rows', () => expect(stats.finish(null)).toEqual({ rows: 0, duplicates: 0, fields: {} }));

test('however the rows are cut and merged, the bytes are equal', async () => {
  const name = fc.constantFrom('text', 'b', '7', '__proto__', 'é');
  const text = fc.integer({ min: 0, max: 3000 }).map(n => 'ab '.repeat(n).slice(0, n));
  const fields = fc.dictionary(name, fc.oneof(text, fc.integer()), { noNullPrototype: true });
  const chunks = fc.array(fc.array(fields, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
  const given = { languages: true };
  await fc.assert(
    fc.asyncProperty(chunks, fc.infiniteStream(fc.nat()), async (data, choices) => {
      const rows = data.map(chunk => chunk.map((f, i) => row(String(i), f)));
      const parts = await Promise.all(rows.map(async chunk => JSON.parse(JSON.stringify(await part(chunk, given)))));
      while (parts.length > 1) {
        const at = choices.next().value % (parts.length - 1);
        parts.splice(at, 2, JSON.parse(JSON.stringify(stats.merge(parts[at], parts[at + 1]))));
      }
      const whole = await part(rows.flat(), given);
      expect(JSON.stringify(parts[0])).toBe(JSON.stringify(whole));
      expect(canonical(stats.finish(parts[0]))).toBe(canonical(stats.finish(whole)));
    }),
  );
});

test('rows and values that stood before are counted', async () => {
  const rows = [
    row('a', { q: 'one', a: 'x' }),
    row('b', { a: 'x', q: 'one' }),
    row('c', { q: 'one', a: 'y' }),
    row('d', { q: 'two', n: 1 }),
    row('e', { q: 'two', n: 2 }),
  ];
  expect(await all(rows)).toMatchObject({
    rows: 5,
    duplicates: 1,
    fields: { q: { rows: 5, duplicates: 3 }, a: { rows: 3, duplicates: 1 } },
  });
});

test('of a conversation all of it is told, each role, the reasoning, and how many messages', async () => {
  const messages = [
    { role: 'user', content: 'one two' },
    { role: 'assistant', thinking: 'three', content: 'four five six' },
    { role: 'user', content: 'seven' },
    { role: 'assistant', content: 'eight' },
  ];
  const { fields } = await all([row('a', { messages, input_ids: [1, 2, 3], tags: ['a', 'b c'], meta: { a: 'x' } })]);
  const of = (name: string) => (fields as Record<string, Record<string, { max: number }>>)[name]!;
  expect(Object.keys(fields as object).sort()).toEqual(
    ['input_ids', 'messages', 'messages.assistant', 'messages.thinking', 'messages.user', 'tags'].sort(),
  );
  expect(of('messages')).toMatchObject({ items: { max: 4 }, words: { max: 8 } });
  expect(of('messages.user').words!.max).toBe(3);
  expect(of('messages.assistant').words!.max).toBe(4);
  expect(of('messages.thinking').characters!.max).toBe(5);
  expect(of('input_ids')).toEqual({ rows: 1, items: expect.objectContaining({ max: 3 }) });
  expect(of('tags')).toMatchObject({ items: { max: 2 }, words: { max: 3 } });
  const named = await all([row('a', { messages })], { field: ['messages.content', 'missing'] });
  expect(Object.keys(named.fields as object)).toEqual(['messages.content']);
});

test('languages are counted on request, the commonest first', async () => {
  const rows = [
    'The model answers without reasoning.',
    'Le modèle répond sans raisonnement.',
    'The file is read.',
    'ok',
  ].map((text, i) => row(String(i), { text }));
  const { fields } = await all(rows, { languages: true });
  const { languages } = (fields as Record<string, { languages: object }>).text!;
  expect(Object.entries(languages)).toEqual([
    ['en', 2],
    ['fr', 1],
    ['und', 1],
  ]);
  expect((await all(rows)).fields).not.toHaveProperty('text.languages');
});

test('with a model its tokens are counted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'finetune-stats-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson()));
  const texts = ['hello there', 'a b c', ''];
  const expected = (await loadTokenizer(folder).plain(texts)).map(ids => ids.length);
  const rows = texts.map((text, i) => row(String(i), { text, title: 'hello there' }));
  const { fields } = await all(rows, {}, { model: { type: 'model', folder, files: {} } });
  const { text, title } = fields as Record<string, { tokens: { max: number; min: number; mean: number } }>;
  expect(text!.tokens).toMatchObject({
    min: Math.min(...expected),
    max: Math.max(...expected),
    mean: Number((expected.reduce((n, e) => n + e, 0) / 3).toFixed(2)),
  });
  expect(title!.tokens).toMatchObject({ min: expected[0], max: expected[0] });
});

describe('distinct values', () => {
  test('however sets are joined, they are the same', () => {
    const texts = fc.array(fc.string({ maxLength: 2 }), { maxLength: 30 });
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        const set = (all: readonly string[]) => distinct(all.map(hash52));
        expect(union(set(a), set(b))).toBe(set([...a, ...b]));
        expect(sizeOf(set([...a, ...b]))).toBe(new Set([...a, ...b]).size);
      }),
    );
  });

  test('a hundred thousand texts that differ by a character have as many hashes', () => {
    const hashes = new Set<number>();
    for (let i = 0; i < 100_000; i++) hashes.add(hash52(`Row number ${i}, and nothing else is different.`));
    expect(hashes.size).toBe(100_000);
  });
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
