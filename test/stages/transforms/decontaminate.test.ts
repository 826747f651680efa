import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fields } from '../../../stages/contract.ts';
import { GramSet } from '../../../stages/transforms/decontaminate/gram-set.ts';
import { eachRun, wordCutter } from '../../../stages/transforms/decontaminate/grams.ts';
import decontaminate, { type Options } from '../../../stages/transforms/decontaminate.ts';
import { project } from '../../rig/project.ts';
import { row, rowsInput, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const run = (rows: readonly Fields[], test: readonly Fields[], given: object = {}) =>
  runStage(
    decontaminate,
    rows.map((fields, i) => row(`r${i}`, fields)),
    optionsOf<Options>('transforms/decontaminate', given),
    { against: rowsInput(test.map((fields, i) => row(`t${i}`, fields))) },
  );

const why = async (text: string, test: string, given: object = {}) => {
  const { rows, dropped } = await run([{ text }], [{ question: test }], given);
  expect(rows.length + dropped.length).toBe(1);
  return dropped[0]?.reason ?? null;
};

const QUESTION =
  'A train leaves the station at nine in the morning and travels at sixty kilometres an hour to the next town.';

describe('a row that shares a run of 13 words with the test is dropped', () => {
  test.each([
    ['the same text', QUESTION],
    ['other capitals, marks and spaces', QUESTION.toUpperCase().replaceAll(' ', ' -- \n')],
    ['in the middle of another', `Here is one more: ${QUESTION} How long does it take?`],
    ['13 words of it', 'leaves the station at nine in the morning and travels at sixty kilometres'],
    ['decomposed letters', `${QUESTION}`.normalize('NFD')],
  ])('%s', async (_, text) => {
    expect(await why(text, QUESTION)).toMatch(/^shares "(A\W+train\W+)?leaves\W+the\W+station.*" with t0$/i);
  });

  test.each([
    ['12 words of it', 'leaves the station at nine in the morning and travels at sixty'],
    ['a word in between', QUESTION.replace('nine', 'nearly nine').replace('an hour', 'per hour')],
    ['something else', 'A bus leaves the station at ten in the evening and stops at every village on the way there.'],
  ])('but not %s', async (_, text) => expect(await why(text, QUESTION)).toBeNull());
});

test('a short question counts as a whole, a shorter one not at all', async () => {
  expect(await why('Tell me: what is the capital of France?', 'What is the capital of France?')).toBe(
    'shares "what is the capital of France" with t0',
  );
  expect(await why('What is the capital of Spain?', 'What is the capital of France?')).toBeNull();
  await expect(why('Why is that?', 'Why is that?')).rejects.toMatchObject({
    reason: 'nothing-to-compare',
    message: 'of 1 rows in "against" none has 6 words in any field',
  });
});

test('in Chinese characters count, in mixed data both', async () => {
  const question = '一列火车早上九点从车站出发，以每小时六十公里的速度开往下一个城镇，需要多长时间？';
  expect(await why(`题目：${question}请回答。`, question)).toMatch(/^shares "一列火车/);
  expect(await why('一列火车早上九点从车站出发，以每小时七十公里的速度开往下一个城镇。', question)).toBeNull();
  const { dropped } = await run(
    [{ text: `Translate this: ${question}` }, { text: QUESTION }],
    [{ q: QUESTION }, { q: question }],
  );
  expect(dropped).toHaveLength(2);
});

test('what stands in many rows of the test is a phrase of its own', async () => {
  const phrase = 'Choose the best answer of the four that are given below and say why it is the best';
  const questions = Array.from({ length: 12 }, (_, i) => ({
    q: `${phrase} ${i}: ${QUESTION.replace('nine', String(i))}`,
  }));
  const rows = [{ text: `${phrase}, please.` }, { text: questions[3]!.q }];
  const { rows: kept, dropped } = await run(rows, questions);
  expect(kept.map(r => r.id)).toEqual(['r0']);
  expect(dropped).toMatchObject([{ row: { id: 'r1' }, reason: expect.stringContaining('with t3') }]);
  expect((await run(rows, questions, { common: 13 })).rows).toEqual([]);
});

test('only the fields that are named are held against each other', async () => {
  const rows = [{ prompt: 'x', messages: [{ content: QUESTION }] }];
  const held = [{ question: QUESTION, note: 'Another text that nobody has ever seen before in all of the world.' }];
  expect((await run(rows, held, { field: 'messages.content', against: 'question' })).dropped).toHaveLength(1);
  expect((await run(rows, held, { field: 'prompt' })).rows).toHaveLength(1);
  expect((await run(rows, held, { against: 'note' })).rows).toHaveLength(1);
  expect((await run(rows, held, { field: 'text' })).rejects).toMatchObject([
    { reason: 'field "text": there is no text' },
  ]);
});

test('runs are found wherever they stand, and only they', () => {
  const word = fc.constantFrom('a', 'bb', 'ccc', 'Dd', 'é', '中', '文', '𠮷');
  const cut = wordCutter();
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 40 }),
      fc.array(word, { maxLength: 40 }),
      fc.integer({ min: 1, max: 6 }),
      (x, y, n) => {
        const runs = (words: readonly string[]) =>
          words.slice(0, Math.max(0, words.length - n + 1)).map((_, i) =>
            words
              .slice(i, i + n)
              .join(' ')
              .toLowerCase(),
          );
        const known = new Set(runs(x));
        const set = new GramSet();
        eachRun(cut(x.join(' ')), n, (high, low) => {
          set.add(high, low, 0);
          return false;
        });
        const found: boolean[] = [];
        eachRun(cut(y.join(', ')), n, (high, low) => {
          found.push(set.get(high, low, 255) !== -1);
          return false;
        });
        expect(found).toEqual(runs(y).map(r => known.has(r)));
      },
    ),
  );
});

const RECIPE = `version: 1
sources:
  rows: { uses: files, with: { paths: rows.jsonl, key: id } }
  a: { uses: files, with: { paths: a.jsonl, key: id } }
  b: { uses: files, with: { paths: b.jsonl, key: id } }
transforms:
  clean: { uses: decontaminate, from: { rows: rows, against: [a, b] }, with: { field: text, against: q } }
`;
const line = (id: string, fields: Fields) => `${JSON.stringify({ id, ...fields })}\n`;

test('in a build, a changed test looks at all rows again, a changed row only at itself', async () => {
  const other = 'The harbour lies to the south of the old town and is full of small boats with red sails.';
  const many = Array.from({ length: 300 }, (_, i) =>
    line(`n${i}`, { text: `Row number ${i} says nothing of any test.` }),
  );
  const p = project({
    'finetune.yaml': RECIPE,
    'rows.jsonl': line('x', { text: QUESTION }) + line('y', { text: other }) + many.join(''),
    'a.jsonl': line('1', { q: QUESTION }),
    'b.jsonl': line('2', { q: 'What is the capital of France and when was it founded?' }),
  });
  const first = await p.buildHere();
  expect(first.nodes.clean).toMatchObject({ state: 'built', rows: 301, computed: 302 });
  expect((await p.rows('clean', 'dropped')).map(r => [r.id, r.fields.reason])).toEqual([
    ['x', expect.stringMatching(/ with a\/1$/)],
  ]);
  p.edit('rows.jsonl', 'Row number 7 says', `${other} Row number 7 says`);
  expect((await p.buildHere()).nodes.clean).toMatchObject({ rows: 301, computed: 1 });
  p.write({ 'b.jsonl': line('2', { q: other }) });
  expect((await p.buildHere()).nodes.clean).toMatchObject({ rows: 299, computed: 302 });
  expect((await p.rows('clean', 'dropped')).map(r => r.id).sort()).toEqual(['n7', 'x', 'y']);
});
