import { expect, test } from 'vitest';
import type { Fields } from '../../../stages/contract.ts';
import dedup, { type Options } from '../../../stages/transforms/dedup.ts';
import { row } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const equal = (a: Fields, b: Fields, given: object = {}): boolean => {
  const options = optionsOf<Options>('transforms/dedup', given);
  return dedup.key(row('a', a), options) === dedup.key(row('b', b), options);
};

test('by default rows are equal in all fields, whatever their order', () => {
  expect(equal({ a: 1, b: { x: 1, y: [2] } }, { b: { y: [2], x: 1 }, a: 1 })).toBe(true);
  expect(equal({ a: 1, b: 2 }, { a: 1, b: '2' })).toBe(false);
  expect(equal({ a: 1 }, { a: 1, b: null })).toBe(false);
});

test('by a field or some fields, the others do not count', () => {
  expect(equal({ a: 'x', b: 1 }, { a: 'x', b: 2 }, { by: 'a' })).toBe(true);
  expect(equal({ a: 'x', b: 1 }, { a: 'x', b: 2 }, { by: ['a', 'b'] })).toBe(false);
  expect(equal({ a: 'x,y', b: 'z' }, { a: 'x', b: 'y,z' }, { by: ['a', 'b'] })).toBe(false);
});

test.each([
  ['none', 'a b', 'a  b', false],
  ['whitespace', 'a b', ' a \n b', true],
  ['whitespace', 'a b', 'A b', false],
  ['case', 'a b', 'A  B', true],
  ['case', 'a b', 'a, b', false],
  ['letters', 'a b!', 'A, b', true],
  ['letters', 'ab', 'a b', false],
  ['whitespace', 'é', 'e\u0301', true],
])('under normalize: %s, %j and %j: %s', (normalize, a, b, expected) => {
  expect(equal({ text: a }, { text: b }, { normalize })).toBe(expected);
});

test('a row without the field has no key and is kept', () => {
  const key = (fields: Fields, by: string | string[]) =>
    dedup.key(row('a', fields), optionsOf<Options>('transforms/dedup', { by }));
  expect(key({ b: 1 }, 'a')).toBeNull();
  expect(key({ c: 1 }, ['a', 'b'])).toBeNull();
  // Data sets whose columns are fixed write null where a row has none: such rows are not equal.
  expect(key({ b: null }, ['a', 'b'])).toBeNull();
  expect(key({ a: 'x', b: null }, ['a', 'b'])).not.toBeNull();
  expect(key({ messages: [{ content: 'x' }, { content: 'y' }] }, 'messages.0.content')).toBe('"x"');
});
