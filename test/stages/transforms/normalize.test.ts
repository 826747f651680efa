import { describe, expect, test } from 'vitest';
import type { Fields } from '../../../stages/contract.ts';
import { normalizer } from '../../../stages/transforms/normalize/normalizer.ts';
import normalize, { type Options } from '../../../stages/transforms/normalize.ts';
import { row, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const options = (given: object = {}) => optionsOf<Options>('transforms/normalize', given);
const one = (text: string, given: object = {}) => normalizer(options(given))(text);
const run = (fields: Fields, given: object = {}) => runStage(normalize, [row('a', fields)], options(given));

describe('each step, and the same text with the step off', () => {
  test.each([
    ['mojibake', 'cafÃ©', 'café', { mojibake: false }],
    ['unicode', 'e\u0301', 'é', { unicode: 'none' }],
    ['line_breaks', 'a\r\nb\rc\u0085d\u2028e\fg', 'a\nb\nc\nd\ne\ng', { line_breaks: 'keep' }],
    ['control', 'a\u0000\u0007b\u009Fc\uFFFE\td', 'abc\td', { control: false }],
    ['invisible', '\uFEFFa\u200Bb\u00ADc\u202Ed\u200D', 'abcd', { invisible: false }],
    ['spaces', 'a\u00A0b\u2009c\u202Fd', 'a b c d', { spaces: false }],
  ])('%s', (_, text, on, off) => {
    expect(one(text)).toBe(on);
    const without = one(text, off);
    expect(without).not.toBe(on);
    expect(without).toBe(text);
  });
});

describe('steps that are a matter of style are off until they are asked for', () => {
  test.each([
    [{ quotes: 'straight' }, '“a” ‘b’ it’s «c» ‹d› „e“', '"a" \'b\' it\'s "c" \'d\' "e"'],
    [{ dashes: 'hyphen' }, 'a–b—c−1', 'a-b-c-1'],
    [{ ellipsis: 'dots' }, 'so…', 'so...'],
    [{ width: 'letters' }, 'ＡＢＣ１２３，ｶﾞｷﾞ！', 'ABC123，ガギ！'],
    [{ width: 'all' }, 'ＡＢＣ　１２３，！', 'ABC 123,!'],
    [{ unicode: 'NFKC' }, 'ﬁne ² ①', 'fine 2 1'],
    [{ remove: '[^a-zA-Z0-9\\s.,?!]' }, 'Say “yes” (or no)!', 'Say yes or no!'],
    [{ remove: ['<br>', '\\[\\d+\\]'] }, 'a<br>[12]b', 'ab'],
    [{ trailing: true }, 'a  \nb\t\n', 'a\nb\n'],
    [{ blank_lines: 1 }, 'a\n\n\n\nb\nc', 'a\n\nb\nc'],
    [{ blank_lines: 0 }, 'a\n\n\nb', 'a\nb'],
    [{ trim: true }, ' \n a \n', 'a'],
    [{ replacement: 'remove' }, 'a\uFFFDb', 'ab'],
  ])('%j', (given, text, expected) => {
    expect(one(text, given)).toBe(expected);
    expect(one(text)).toBe(text);
  });
});

test('lines that were broken to fit a page are joined, blocks stay apart', () => {
  const text =
    'A sen-\ntence that\n  was indented\nand broken.\n\nNext one.\n- item\n- item two\n  goes on\n1. first\n> quote\n第一行\n第二行';
  expect(one(text, { unwrap: true })).toBe(
    'A sentence that\n  was indented and broken.\n\nNext one.\n- item\n- item two\n  goes on\n1. first\n> quote 第一行第二行',
  );
});

describe('what looks odd but belongs there stays', () => {
  test.each([
    ['joiners of Persian', 'می‌خواهم'],
    ['joiners of Hindi', 'क्‍ष'],
    ['joined emoji', '👨‍👩‍👧 👩🏽‍💻 🏳️‍🌈'],
    ['a flag spelt with tags', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'],
    ['Thai with places to break', 'ภาษา\u200Bไทย'],
    ['Chinese marks', '你好，世界！“引用”——结束……'],
    ['code', 'if a:\n\treturn  {"x": 1}'],
    ['Greek with accents', 'Ἑλλάς'],
  ])('%s', (_, text) => expect(one(text)).toBe(text));
});

test('joiners that join nothing go', () => {
  expect(one('a\u200Db \u200Cc')).toBe('ab c');
  expect(one('x\u{E0041}y')).toBe('xy');
});

test('half a surrogate pair becomes the replacement character', async () => {
  expect(one('a\uD800b')).toBe('a\uFFFDb');
  const { rejects } = await run({ text: 'a\uD800b' }, { replacement: 'reject' });
  expect(rejects).toMatchObject([{ reason: 'holds U+FFFD: bytes were lost before this row was made' }]);
});

test('a pattern that is no regular expression is an error of the node', () => {
  expect(() => one('', { remove: '(' })).toThrow('remove: "(" is no regular expression');
});

test('every text of a row is changed, however deep, and nothing else', async () => {
  const fields = {
    n: 1,
    text: 'a\u00A0b',
    messages: [
      { role: 'user', content: 'cafÃ©' },
      { role: 'x', tags: ['\uFEFFy'] },
    ],
  };
  expect((await run(fields)).rows).toEqual([
    row('a', {
      n: 1,
      text: 'a b',
      messages: [
        { role: 'user', content: 'café' },
        { role: 'x', tags: ['y'] },
      ],
    }),
  ]);
  const only = await run(fields, { field: 'messages.content' });
  expect(only.rows[0]!.fields).toEqual({
    ...fields,
    messages: [{ role: 'user', content: 'café' }, fields.messages[1]],
  });
  expect((await run(fields, { field: ['text', 'other'] })).rows[0]!.fields.text).toBe('a b');
});

test('a row that has none of the named fields is a reject', async () => {
  expect((await run({ other: 'x' }, { field: ['text', 'title'] })).rejects).toMatchObject([
    { reason: 'fields "text" and "title": there is no text' },
  ]);
});
