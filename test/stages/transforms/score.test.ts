import fc from 'fast-check';
import { expect, test } from 'vitest';
import { measures } from '../../../stages/transforms/score/measures.ts';
import score, { type Options } from '../../../stages/transforms/score.ts';
import { count } from '../../../stages/transforms/text/count.ts';
import { row, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

test.each([
  ['characters', 'né👍', 3],
  ['words', ' two\u3000words\n', 2],
  ['unique_words', 'the The cat sat', 0.75],
  ['punctuation', 'a, b! 「c」', 0.4444],
  ['digits', 'a1２', 0.6667],
  ['caps', 'ABc ÉΩя 12', 0.6667],
  ['repetition', 'a b c d a b c', 0.2],
  ['repetition', 'buy now buy now buy now buy now', 0.6667],
  ['repetition', 'a b', 0],
  ['caps', '12', 0],
  ['unique_words', '', 0],
] as const)('%s of %j: %d', (measure, text, expected) => expect(measures[measure](text)).toBe(expected));

test('the number stands in a field of its own, called as the measure or as the recipe says', async () => {
  const run = async (given: object) => {
    const options = optionsOf<Options>('transforms/score', given);
    return (await runStage(score, [row('a', { text: 'one two', title: 'T' })], options)).rows[0];
  };
  expect(await run({ measure: 'words' })).toEqual(row('a', { text: 'one two', title: 'T', words: 2 }));
  const titled = await run({ measure: 'characters', field: 'title', as: 'n' });
  expect(titled).toEqual(row('a', { text: 'one two', title: 'T', n: 1 }));
});

test('a row without the text is a reject', async () => {
  const options = optionsOf<Options>('transforms/score', { measure: 'words' });
  const { rejects } = await runStage(score, [row('a', { text: 1 })], options);
  expect(rejects).toMatchObject([{ reason: 'field "text" is not a text' }]);
});

test('characters are code points, words what stands between white space', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'é', '👍', '𠮷', ' ', '\n', '\u00A0', '\u200B', '\u2009', '\uFEFF', '\u3000', '\u1680'),
  });
  fc.assert(
    fc.property(text, t => {
      expect(count(t)).toEqual({ characters: [...t].length, words: t.match(/\S+/g)?.length ?? 0 });
    }),
  );
  for (let unit = 0; unit < 0xd800; unit++) {
    const character = String.fromCharCode(unit);
    expect(count(character).words, unit.toString(16)).toBe(/\s/.test(character) ? 0 : 1);
  }
});
