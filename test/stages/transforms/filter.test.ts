import { describe, expect, test } from 'vitest';
import type { Fields } from '../../../stages/contract.ts';
import filter, { type Options } from '../../../stages/transforms/filter.ts';
import { row, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const reason = async (text: string, given: object): Promise<string | null> => {
  const { rows, dropped } = await runStage(
    filter,
    [row('a', { text })],
    optionsOf<Options>('transforms/filter', given),
  );
  expect(rows.length + dropped.length).toBe(1);
  return dropped[0]?.reason ?? null;
};

test.each([
  ['twelve chars', { min: 12, max: 12 }, null],
  ['twelve chars', { min: 30 }, 'shorter than 30 characters (12)'],
  ['twelve chars', { max: 11 }, 'longer than 11 characters (12)'],
  ['👍👍👍', { max: 3 }, null],
  ['two words', { words: { min: 2, max: 2 } }, null],
  ['two words', { words: { min: 3 } }, 'shorter than 3 words (2)'],
  ['two words', { words: { max: 1 } }, 'longer than 1 words (2)'],
  ['abc 12', { matches: '\\d' }, null],
  ['abc', { matches: ['b', '\\d'] }, 'does not match /\\d/u'],
  ['ends here:', { not_matches: [':$'] }, 'matches /:$/u'],
  ['ABC', { matches: 'b', ignore_case: true }, null],
])('%j under %j: %s', async (text, options, expected) => {
  expect(await reason(text, options)).toBe(expected);
});

describe('phrases', () => {
  const without = ['index', 'next', 'Click  here', 'C++', '版权'];
  test.each([
    ['Please CLICK here now.', 'contains "CLICK here"'],
    ['The next page.', 'contains "next"'],
    ['版权所有。', 'contains "版权"'],
    ['Use C++ now.', 'contains "C++"'],
    ['Indexing nextly is fine.', null],
  ])('%s', async (text, expected) => expect(await reason(text, { without })).toBe(expected));
});

test('a row that passes stays as it is; one without the field is rejected', async () => {
  const input = row('a', { text: 'long enough', other: 1 });
  const options = optionsOf<Options>('transforms/filter', { min: 3 });
  const { rows, rejects } = await runStage(filter, [input, row('b', {})], options);
  expect(rows).toEqual([input]);
  expect(rejects).toMatchObject([{ row: { id: 'b' }, reason: 'field "text" is not a text' }]);
});

describe('bounds of numbers', () => {
  const run = async (fields: Fields, given: object) => {
    const options = optionsOf<Options>('transforms/filter', given);
    const { rows, dropped, rejects } = await runStage(filter, [row('a', fields)], options);
    return rows.length === 1 ? null : (dropped[0] ?? rejects[0])!.reason;
  };

  test.each([
    [{ n: 3 }, { n: { min: 3, max: 3 } }, null],
    [{ n: 0.2 }, { n: { min: 0.25 } }, 'n below 0.25 (0.2)'],
    [{ n: 7 }, { n: { max: 5 } }, 'n above 5 (7)'],
    [{ n: 4, m: 9 }, { n: { min: 1 }, m: { max: 5 } }, 'm above 5 (9)'],
    [{ n: '4' }, { n: { min: 1 } }, 'field "n" is not a number'],
    [{}, { n: { min: 1 } }, 'field "n" is not a number'],
  ])('%j under %j: %s', async (fields, where, expected) => expect(await run(fields, { where })).toBe(expected));

  test('stand beside rules of the text', async () => {
    const both = { where: { n: { min: 1 } }, words: { min: 2 } };
    expect(await run({ n: 1, text: 'two words' }, both)).toBeNull();
    expect(await run({ n: 0, text: 'two words' }, both)).toBe('n below 1 (0)');
    expect(await run({ n: 1, text: 'one' }, both)).toBe('shorter than 2 words (1)');
    expect(await run({ n: 1 }, both)).toBe('field "text" is not a text');
  });

  test.each([
    [{ lang: 'en' }, { lang: { in: ['en', 'es'] } }, null],
    [{ lang: 'de' }, { lang: { in: ['en', 'es'] } }, 'lang is "de", none of those wanted'],
    [{ lang: 'de' }, { lang: { not_in: ['de'] } }, 'lang is "de"'],
    [{ n: 3 }, { n: { in: [3], max: 5 } }, null],
    [{ meta: { ok: true } }, { 'meta.ok': { in: [true] } }, null],
    [{}, { lang: { in: ['en'] } }, 'field "lang" is missing'],
    [{}, { lang: { in: ['en', null] } }, null],
  ])('%j under values %j: %s', async (fields, where, expected) => expect(await run(fields, { where })).toBe(expected));

  test.each([[{}], [{ n: {} }], [{ n: 3 }], [{ n: { least: 3 } }]])('%j is refused', where =>
    expect(() => optionsOf('transforms/filter', { where })).toThrow(),
  );
});

describe('expressions', () => {
  const run = async (fields: Fields, expression: string) => {
    const options = optionsOf<Options>('transforms/filter', { expression });
    const { rows, dropped, rejects } = await runStage(filter, [row('a', fields)], options);
    return rows.length === 1 ? null : (dropped[0] ?? rejects[0])!.reason;
  };

  test('decide which rows stay, and need no text', async () => {
    const longer = 'length(response) > 2 * length(instruction)';
    expect(await run({ instruction: 'Why?', response: 'Because of it.' }, longer)).toBeNull();
    expect(await run({ instruction: 'Why?', response: 'So.' }, longer)).toBe('the expression is false');
    expect(await run({ response: 3 }, 'words > 3')).toBe('words is missing, which cannot be compared');
  });

  test('that cannot be read fail the node', async () => {
    await expect(async () => run({}, 'words >')).rejects.toMatchObject({ reason: 'invalid-expression' });
  });
});

test('rows in another language are dropped', async () => {
  expect(await reason('The model answers without any reasoning.', { language: 'en' })).toBeNull();
  expect(await reason('The model answers without any reasoning.', { language: ['es', 'zh'] })).toBe(
    'language is en, not es or zh',
  );
  expect(await reason('模型直接回答问题', { language: ['es', 'zh'] })).toBeNull();
  expect(await reason('123', { language: 'en' })).toBe('language is und, not en');
});

test('a pattern that is no regular expression is an error of the node, with the pattern', async () => {
  const options = optionsOf<Options>('transforms/filter', { not_matches: ['ok', '(open'] });
  await expect(async () => runStage(filter, [], options)).rejects.toMatchObject({
    reason: 'invalid-pattern',
    message: expect.stringContaining('not_matches: "(open" is no regular expression'),
  });
});

test('a filter without a rule is refused by its schema', () => {
  expect(() => optionsOf('transforms/filter', { field: 'text' })).toThrow();
  expect(() => optionsOf('transforms/filter', { min: 1, maximum: 2 })).toThrow();
});
