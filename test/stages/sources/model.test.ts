import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import model, { type Options } from '../../../stages/sources/model.ts';
import { optionsOf } from '../options.ts';
import { inputFile, runWhole } from '../whole.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'model-'));
  json('config.json', { model_type: 'llama', vocab_size: 4, hidden_size: 2, num_hidden_layers: 1 });
  json('tokenizer.json', { model: { type: 'BPE' } });
  tensors('model.safetensors', { 'model.embed_tokens.weight': [4, 2], 'model.layers.0.mlp.up_proj.weight': [2, 2] });
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);
const json = (name: string, value: unknown) => write(name, JSON.stringify(value));
const remove = (name: string) => rmSync(join(folder, name));

/** A safetensors file of zeros (f32); `cut` bytes are missing at its end. */
const tensors = (name: string, shapes: Record<string, number[]>, cut = 0) => {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const [tensor, shape] of Object.entries(shapes)) {
    const size = 4 * shape.reduce((a, b) => a * b, 1);
    header[tensor] = { dtype: 'F32', shape, data_offsets: [offset, offset + size] };
    offset += size;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  write(name, Buffer.concat([length, text, Buffer.alloc(offset - cut)]));
};

const run = () => {
  const files = readdirSync(folder).map(name => inputFile(join(folder, name), folder));
  return runWhole(model, optionsOf<Options>('sources/model', { path: 'models/base' }), { files: { path: files } });
};

const failure = (place: string, message: string | RegExp, reason = 'model-incomplete') => ({
  reason,
  message: typeof message === 'string' ? message : expect.stringMatching(message),
  place: { path: `models/base/${place}` },
});

test('a whole folder passes', async () => {
  await expect(run()).resolves.toBeDefined();
});

test('a folder in shards passes when every shard is there', async () => {
  remove('model.safetensors');
  tensors('model-1.safetensors', { 'model.embed_tokens.weight': [4, 2] });
  tensors('model-2.safetensors', { 'model.layers.0.a': [1] });
  const weight_map = { 'model.embed_tokens.weight': 'model-1.safetensors', 'model.layers.0.a': 'model-2.safetensors' };
  json('model.safetensors.index.json', { weight_map });
  await expect(run()).resolves.toBeDefined();
  remove('model-2.safetensors');
  const place = 'model.safetensors.index.json';
  await expect(run()).rejects.toMatchObject(failure(place, '1 of its shards are not there: model-2.safetensors'));
  tensors('model-2.safetensors', { 'model.layers.0.b': [1] });
  await expect(run()).rejects.toMatchObject(failure('model-2.safetensors', /^lacks the tensor model.layers.0.a/));
});

test.each(['config.json', 'tokenizer.json'])('without %s it is refused, with what a model folder needs', async name => {
  remove(name);
  const expected = {
    ...failure(name, 'the model folder lacks this file'),
    advice: expect.stringContaining('safetensors'),
  };
  await expect(run()).rejects.toMatchObject(expected);
});

test('without weights it is refused', async () => {
  remove('model.safetensors');
  await expect(run()).rejects.toMatchObject(failure('model.safetensors', /holds no .safetensors file/));
});

test('a broken config or tokenizer is refused', async () => {
  write('config.json', '{');
  await expect(run()).rejects.toMatchObject(failure('config.json', /^not valid JSON/));
  json('config.json', { hidden_size: 1 });
  await expect(run()).rejects.toMatchObject(failure('config.json', /names neither/));
  json('config.json', { architectures: ['LlamaForCausalLM'] });
  json('tokenizer.json', [1]);
  await expect(run()).rejects.toMatchObject(failure('tokenizer.json', 'not a JSON object'));
});

test('weights that are cut off, no safetensors, or a Git LFS pointer are refused', async () => {
  tensors('model.safetensors', { 'model.embed_tokens.weight': [4, 2] }, 8);
  await expect(run()).rejects.toMatchObject(
    failure('model.safetensors', /bytes where its header asks for \d+: cut off/),
  );
  write('model.safetensors', 'abc');
  await expect(run()).rejects.toMatchObject(failure('model.safetensors', /not a safetensors file/));
  write('model.safetensors', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n');
  await expect(run()).rejects.toMatchObject(failure('model.safetensors', /Git LFS pointer/));
});

test.each([
  [{ vocab_size: 5 }, 'vocab_size is 5, the embedding has 4 rows'],
  [{ hidden_size: 3 }, 'hidden_size is 3, the embedding has 2 columns'],
  [{ num_hidden_layers: 2 }, 'num_hidden_layers is 2, the weights have 1'],
])('weights that contradict the config %j are refused', async (change, message) => {
  json('config.json', { model_type: 'llama', vocab_size: 4, hidden_size: 2, num_hidden_layers: 1, ...change });
  await expect(run()).rejects.toMatchObject(failure('config.json', message, 'model-mismatch'));
});
