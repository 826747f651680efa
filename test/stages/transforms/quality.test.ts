import { describe, expect, test } from 'vitest';
import { documentOf } from '../../../stages/transforms/quality/document.ts';
import { documentMeasures } from '../../../stages/transforms/quality/measures.ts';
import quality, { type Options } from '../../../stages/transforms/quality.ts';
import { row, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const options = (given: object = {}) => optionsOf<Options>('transforms/quality', given);
const run = (text: string, given: object = {}) => runStage(quality, [row('a', { text })], options(given));
const why = async (text: string, given: object = {}): Promise<string | null> => {
  const { rows, dropped } = await run(text, given);
  expect(rows.length + dropped.length).toBe(1);
  return dropped[0]?.reason ?? null;
};

const NOUNS = ['pump', 'valve', 'river', 'garden', 'engine', 'tower', 'winter', 'house', 'wheel', 'lantern', 'harbour'];
const VERBS = ['stops', 'begins', 'turns', 'waits', 'freezes', 'rests', 'sings'];
/** Prose in which nothing comes twice. */
const prose = (sentences: number): string =>
  Array.from({ length: sentences }, (_, i) => {
    const noun = (k: number) => NOUNS[(i * 7 + k * 5 + ((i * k) >> 1)) % NOUNS.length];
    return `In year ${1900 + i} the ${noun(0)} of the ${noun(1)} ${VERBS[(i * 3) % 7]} when ${noun(2)} number ${i * 13} and its ${noun(3)} have gone to the ${noun(4)}.`;
  }).join('\n');

const CHINESE = `在这篇指南中，你将学习如何使用网页数据来微调模型，以及为什么高质量的数据非常重要。首先需要准备好运行环境，然后安装所有依赖。
接着我们加载基础模型，并配置低秩适配器。训练过程中请注意观察损失是否稳定下降，必要时调整学习率。
最后保存适配器，用几个问题检查回答是否符合预期，再决定要不要继续训练。`;

const SPANISH = `En este tutorial aprenderás a ajustar un modelo de lenguaje con tus propios datos, desde la preparación del entorno hasta la evaluación.
Primero necesitas una tarjeta gráfica con suficiente memoria y una conexión estable para descargar los pesos del modelo.
Después verás cómo limpiar los textos, quitar los duplicados y convertirlos al formato que espera la plantilla de conversación.`;

test.each([
  ['English', prose(8)],
  ['Chinese', CHINESE],
  ['Spanish', SPANISH],
])('good prose passes: %s', async (_, text) => expect(await why(text)).toBeNull());

describe('what is bad is dropped, with the rule and its set', () => {
  test.each([
    ['a short answer', 'Yes.', 'words below 50 (1), gopher'],
    [
      'a menu',
      Array.from({ length: 60 }, (_, i) => `${NOUNS[i % 11]} ${NOUNS[(i * 3 + 1) % 11]}`).join('\n'),
      /^stop_words below 2 \(0\), gopher$/,
    ],
    [
      'bullets',
      prose(10)
        .split('\n')
        .map(l => `- ${l}`)
        .join('\n'),
      'bullet_lines above 0.9 (1), gopher',
    ],
    ['teasers', prose(10).replaceAll('.\n', '...\n'), 'ellipsis_lines above 0.3 (0.9), gopher'],
    ['numbers', `the of ${'1234 345 6789 '.repeat(40)}and to`, 'alphabetic_words below 0.8 (0.0323), gopher'],
    ['hash marks', prose(5).replaceAll(' the ', ' # the # '), /^symbols above 0.1 \(0\.\d+\), gopher$/],
    ['long words', `the of ${'incomprehensibilities '.repeat(60)}and`, /^mean_word_length above 10/],
    ['lines that come again', `${prose(4)}\n${prose(4)}`, /^duplicate_lines above 0.3 \(0.5\), gopher-repetition$/],
    ['a phrase over and over', `${prose(4)} ${'buy it now '.repeat(60)}`, /^top_2gram above 0.2 .*gopher-repetition$/],
    ['short lines', prose(8).replaceAll(/ (of|when|and|have) /g, ' $1\n'), /^short_lines above 0.67 .*fineweb$/],
    ['lines without an end', prose(12).replaceAll('.', ''), 'ended_lines below 0.12 (0), fineweb'],
  ])('%s', async (_, text, expected) => {
    const reason = await why(text);
    if (typeof expected === 'string') expect(reason).toBe(expected);
    else expect(reason).toMatch(expected);
  });

  test('Chinese that repeats itself', async () => {
    expect(await why(`${CHINESE}${'哈哈哈'.repeat(80)}`)).toMatch(/gram above/);
  });
});

test('C4 wants five sentences and no code, and takes lines off on request', async () => {
  const page = `Home | About\n${prose(6)}\nPlease enable JavaScript to see this page.\nWe use cookies here.\nRead more...\n[edit]`;
  const c4 = { rules: ['c4'] };
  expect(await why(prose(4), c4)).toBe('sentences below 5 (4), c4');
  expect(await why(`${prose(6)} x = {}`, c4)).toBe('holds a curly bracket, c4');
  expect(await why(`${prose(6)} Lorem ipsum dolor.`, c4)).toBe('holds "lorem ipsum", c4');
  expect((await run(page, { ...c4, lines: 'sentences' })).rows[0]!.fields.text).toBe(prose(6));
  expect(await why('Home\nAbout', { ...c4, lines: 'sentences' })).toBe('no line is a sentence, c4');
});

test('bounds of the recipe stand in place of a rule’s, or take it out', async () => {
  const short = 'This is the answer to all of your questions.';
  expect(await why(short)).toBe('words below 50 (9), gopher');
  expect(await why(short, { limits: { words: { min: 5 } } })).toBeNull();
  expect(await why(short, { limits: { words: { min: 10 } } })).toBe('words below 10 (9)');
  expect(await why(short, { limits: { words: null } })).toBeNull();
  expect(await why(short, { rules: [], limits: { caps: { max: 0.01 } } })).toBe('caps above 0.01 (0.0286)');
  expect(() => options({ limits: { word: { min: 1 } } })).toThrow();
  expect(() => options({ rules: ['gofer'] })).toThrow();
});

test('what was measured stands in a field, and a row without a text is a reject', async () => {
  const { rows } = await run(prose(8), { rules: ['fineweb'], as: 'quality' });
  expect(rows[0]!.fields.quality).toEqual({
    ended_lines: 1,
    duplicate_line_characters: 0,
    short_lines: 0,
    line_breaks: expect.any(Number),
  });
  const { rejects } = await runStage(quality, [row('a', { text: 1 })], options());
  expect(rejects).toMatchObject([{ reason: 'field "text" is not a text' }]);
});

describe('measures', () => {
  test.each([
    ['top_2gram', 'a b a b c', 4 / 5],
    ['top_2gram', 'a b c d', 0],
    ['duplicate_5gram', '1 2 3 4 5 1 2 3 4 5', 0.5],
    ['duplicate_5gram', '1 2 3 4 5 6 1 2 3 4 5 6', 0.5],
    ['duplicate_10gram', '1 2 3 4 5 1 2 3 4 5', 0],
    ['duplicate_lines', 'a\nb\n\na', 0.3333],
    ['duplicate_paragraph_characters', 'aaaa\n\nb\n\naaaa', 0.4444],
    ['stop_words', 'the the the', 1],
    ['stop_words', 'der und die das of', 4],
    ['mean_word_length', '', 0],
    ['sentences', 'One. Two! Three? 四。', 4],
  ] as const)('%s of %j: %d', (name, text, expected) =>
    expect(documentMeasures[name](documentOf(text))).toBeCloseTo(expected, 3),
  );
});
