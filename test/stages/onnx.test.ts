import { expect, onTestFinished, test } from 'vitest';
import { embed, poolingOf } from '../../stages/onnx/embedding.ts';
import { fromHalf, loadTextModel } from '../../stages/onnx/text-model.ts';
import { type OnnxShape, onnxModel } from '../rig/onnx-model.ts';
import { temporaryFolder } from '../rig/whole.ts';
import { inputFile } from './whole.ts';

const SHAPE: OnnxShape = { gives: 'embedding', words: { a: [3, 0], b: [0, 3] } };

const load = async (shape: OnnxShape, most?: number) => {
  const folder = temporaryFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  onnxModel(folder.path, shape);
  const names = ['tokenizer.json', 'config.json', shape.graph ?? 'model.onnx', ...Object.keys(shape.more ?? {})];
  return await loadTextModel({
    files: names.map(n => inputFile(`${folder.path}/${n}`, folder.path)),
    graph: shape.graph,
    most,
  });
};

test('a text is read with the tokens around it, neither padded nor cut as the folder was saved', async () => {
  const model = await load(SHAPE);
  const { outputs, tokens } = await model.read('a b b');
  expect(tokens).toBe(5);
  expect(outputs).toEqual([
    { name: 'last_hidden_state', shape: [5, 2], data: Float32Array.of(0, 0, 3, 0, 0, 3, 0, 3, 0, 0) },
  ]);
  expect([...(await embed(model, 'a b b', 'mean'))].map(x => x.toFixed(2))).toEqual(['0.60', '1.20']);
  expect([...(await embed(model, 'a', 'cls'))]).toEqual([0, 0]);
});

test('it is cut to the least of what the folder and the recipe allow', async () => {
  const length = async (more: OnnxShape['more'], most?: number) =>
    (await load({ ...SHAPE, more: more! }, most)).identity.length;
  expect(await length({})).toBe(512);
  expect(await length({ 'sentence_bert_config.json': { max_seq_length: 256 } })).toBe(256);
  expect(await length({ 'tokenizer_config.json': { model_max_length: 1e30 } })).toBe(512);
  expect(await length({ 'tokenizer_config.json': { model_max_length: 128 } }, 64)).toBe(64);
  const model = await load(SHAPE, 4);
  // The token that ends a text stays.
  expect((await model.read('a b b b b')).outputs[0]!.shape).toEqual([4, 2]);
});

test('a folder that says how it pools is believed', async () => {
  const pooling = async (said: object) => poolingOf(await load({ ...SHAPE, more: { '1_Pooling/config.json': said } }));
  expect(await pooling({})).toBe('mean');
  expect(await pooling({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false })).toBe('cls');
  expect(await pooling({ pooling_mode_lasttoken: true })).toBe('last');
  await expect(pooling({ pooling_mode_cls_token: true, pooling_mode_max_tokens: true })).rejects.toMatchObject({
    reason: 'strange-model',
  });
});

test('numbers of two bytes are read', () => {
  expect([0x0000, 0x3c00, 0xc000, 0x3555, 0x7bff, 0x0001, 0x8400, 0x7c00].map(fromHalf)).toEqual([
    0,
    1,
    -2,
    0.333251953125,
    65504,
    2 ** -24,
    -(2 ** -14),
    Number.POSITIVE_INFINITY,
  ]);
  expect(fromHalf(0x7e00)).toBeNaN();
});
