import { describe, expect, test } from 'vitest';
import { mapTexts, named, textsOf, valueAt, valuesAt } from '../../../stages/transforms/text/texts.ts';

const FIELDS = {
  text: 'a',
  n: 1,
  'x.y': 'dotted',
  x: { y: 'inner', z: null },
  messages: [
    { role: 'user', content: 'b' },
    { role: 'assistant', content: 'c', parts: ['d', { deep: 'e' }] },
  ],
};

describe('a path', () => {
  test.each([
    ['text', ['a']],
    ['x.y', ['dotted']],
    ['x.z', [null]],
    ['messages.content', ['b', 'c']],
    ['messages.1.content', ['c']],
    ['messages.parts', [['d', { deep: 'e' }]]],
    ['messages.9.content', []],
    ['text.length', []],
    ['constructor', []],
  ])('%s leads to %j', (path, expected) => expect(valuesAt(FIELDS, path)).toEqual(expected));

  test('is one value, or a list where it leads through one', () => {
    expect(valueAt(FIELDS, 'messages.1.content')).toBe('c');
    expect(valueAt(FIELDS, 'messages.role')).toEqual(['user', 'assistant']);
    expect(valueAt(FIELDS, 'x.y')).toBe('dotted');
    expect([valueAt(FIELDS, 'missing'), valueAt(FIELDS, 'x.w'), valueAt(FIELDS, 'toString')]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

test('texts are found however deep, in an order that does not depend on how maps were written', () => {
  expect(textsOf(FIELDS, 'messages')).toEqual(['b', 'user', 'c', 'd', 'e', 'assistant']);
  expect(textsOf({ m: { b: '2', a: '1' } }, undefined)).toEqual(['1', '2']);
  expect(textsOf(FIELDS, ['text', 'messages.content', 'missing'])).toEqual(['a', 'b', 'c']);
});

test('only texts at the path change; what does not change stays the same object', () => {
  const upper = (text: string) => text.toUpperCase();
  const out = mapTexts(FIELDS, ['messages.1', 'x.y'], upper);
  expect(out).toEqual({
    ...FIELDS,
    'x.y': 'DOTTED',
    messages: [FIELDS.messages[0], { role: 'ASSISTANT', content: 'C', parts: ['D', { deep: 'E' }] }],
  });
  expect((out.messages as unknown[])[0]).toBe(FIELDS.messages[0]);
  expect(mapTexts(FIELDS, undefined, text => text)).toBe(FIELDS);
  expect(mapTexts(FIELDS, 'missing', upper)).toBe(FIELDS);
});

test('fields are named for reasons', () => {
  expect([named('a'), named(['a', 'b']), named(['a', 'b', 'c'])]).toEqual([
    'field "a"',
    'fields "a" and "b"',
    'fields "a", "b" and "c"',
  ]);
});
