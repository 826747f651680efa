import { expect, test } from 'vitest';
import type { BuildEvent } from '../../../src/events.ts';
import { type OnnxShape, onnxModel } from '../../rig/onnx-model.ts';
import { type Here, project } from '../../rig/project.ts';

const TOPICS: OnnxShape = {
  gives: 'logits',
  words: { cat: [2, 0, 0], dog: [1.5, 0.5, 0], bank: [0, 3, 0], loan: [0, 2, 0], vote: [0, 0, 2] },
  config: { id2label: { 0: 'animals', 1: 'money', 2: 'politics' } },
};
const MEASURE: OnnxShape = {
  gives: 'logits',
  words: { good: [1.25], bad: [-2] },
  config: { id2label: { 0: 'LABEL_0' } },
};

const built = async (shape: OnnxShape, texts: readonly unknown[], more = '', jobs = 1) => {
  const p = project({
    'finetune.yaml': `version: 1
sources:
  data: { uses: files, with: { paths: data.jsonl, key: id } }
transforms:
  judged: { uses: classify, from: data, with: { path: model, mostly: 0${more} } }
`,
    'data.jsonl': texts.map((text, i) => JSON.stringify({ id: `r${i}`, text })).join('\n'),
  });
  onnxModel(p.path('model'), shape);
  const here = await p.buildHere({ jobs });
  return { p, here };
};

const note = ({ events }: Here) =>
  events.flatMap((e: BuildEvent) => (e.type === 'done' && e.node === 'judged' ? [e.note] : []))[0];

const failure = ({ events }: Here) => events.flatMap(e => (e.type === 'failed' ? [e.failure] : []))[0];

test('the most likely label and its share stand beside the text', async () => {
  const { p } = await built(TOPICS, ['the cat', 'Bank loan', 'nothing known', 7], ', scores: all');
  const rows = await p.rows('judged');
  expect(rows.map(r => [r.fields.label, r.fields.score])).toEqual([
    ['animals', 0.787],
    ['money', 0.9867],
    ['animals', 0.3333],
  ]);
  expect(rows[0]!.fields.all).toEqual({ animals: 0.787, money: 0.1065, politics: 0.1065 });
  expect((await p.rows('judged', 'rejects'))[0]!.fields.reason).toBe('field "text" is not a text');
});

test('a model with one output gives its measure, and a filter below judges by it', async () => {
  const { p } = await built(MEASURE, ['good good', 'bad', 'neither']);
  expect((await p.rows('judged')).map(r => r.fields)).toEqual([
    { id: 'r0', text: 'good good', score: 2.5 },
    { id: 'r1', text: 'bad', score: -2 },
    { id: 'r2', text: 'neither', score: 0 },
  ]);
});

test.each([
  ['multi_label_classification', '', [0.8808, 0.5, 0.5]],
  ['regression', '', [2, 0, 0]],
  ['regression', ', activation: softmax', [0.787, 0.1065, 0.1065]],
])('config.json says what the numbers mean: %s%s', async (problem_type, more, shares) => {
  const { p } = await built({ ...TOPICS, config: { ...TOPICS.config, problem_type } }, ['cat'], `${more}, scores: all`);
  expect(Object.values((await p.rows('judged'))[0]!.fields.all as object)).toEqual(shares);
});

test('what was classified is kept: another field for the score classifies nothing, a changed text itself', async () => {
  const { p, here } = await built(TOPICS, ['cat', 'dog', 'cat']);
  expect(note(here)).toBe('2 classified now');
  p.edit('finetune.yaml', 'mostly: 0', 'mostly: 0, score: s');
  expect(note(await p.buildHere())).toBe('nothing classified');
  p.edit('data.jsonl', '"dog"', '"vote"');
  expect(note(await p.buildHere())).toBe('1 classified now');
  onnxModel(p.path('model'), { ...TOPICS, words: { ...TOPICS.words, vote: [9, 0, 0] } });
  expect(note(await p.buildHere())).toBe('2 classified now');
  expect((await p.rows('judged'))[1]!.fields.label).toBe('animals');
});

test('one worker and two give the same', async () => {
  const texts = Array.from({ length: 600 }, (_, i) => ['cat', 'dog', 'loan', 'vote'][i % 4]!.concat(` x${i}`));
  const [one, two] = [await built(TOPICS, texts), await built(TOPICS, texts, '', 2)];
  expect(one.here.digests['judged.rows']).toBe(two.here.digests['judged.rows']);
});

test('a text that is too long is judged by its beginning', async () => {
  const { p } = await built(TOPICS, ['cat vote vote vote'], ', max_tokens: 3');
  expect((await p.rows('judged'))[0]!.fields.label).toBe('animals');
});

test.each([
  [{ ...TOPICS, graph: 'other.onnx' }, '', 'model-incomplete', 'no model.onnx'],
  [{ ...TOPICS, input: 'pixel_values' }, '', 'strange-model', '"pixel_values"'],
  [{ ...TOPICS, gives: 'embedding' }, '', 'strange-model', 'no logits'],
] as const)('a folder that is no classifier fails the node: %#', async (shape, more, reason, words) => {
  const { here } = await built(shape, ['cat'], more);
  expect(failure(here)).toMatchObject({ reason, message: expect.stringContaining(words) });
});

test('the graph may lie in onnx/, or under another name', async () => {
  for (const [graph, more] of [
    ['onnx/model.onnx', ''],
    ['onnx/model_int8.onnx', ', graph: onnx/model_int8.onnx'],
  ] as const) {
    const { p } = await built({ ...TOPICS, graph }, ['cat'], more);
    expect((await p.rows('judged'))[0]!.fields.label).toBe('animals');
  }
});

test('a graph that is broken, or Git LFS has not fetched, fails the node', async () => {
  const { p } = await built(TOPICS, ['cat']);
  p.write({ 'model/model.onnx': 'version https://git-lfs.github.com/spec/v1\n' });
  expect(failure(await p.buildHere())).toMatchObject({ reason: 'broken-model' });
});
