/** Checks a model's files to be whole, and of one model, before anything is built on them. */

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type InputFile, StageError } from '../../contract.ts';
import { isPointer } from '../../hub/lfs.ts';
import { type Header, safetensorsHeader } from '../readers/safetensors.ts';

type Config = Readonly<Record<string, unknown>>;

const INDEX = 'model.safetensors.index.json';

/** `shown` is what people call the folder. Throws StageError. */
export const checkModel = async (files: readonly InputFile[], shown: string): Promise<void> => {
  const byName = new Map(files.map(file => [basename(file.name), file]));
  const fail = (name: string, why: string, reason = 'model-incomplete', advice?: string): never => {
    throw new StageError(reason, why, { place: { path: `${shown}/${name}` }, ...(advice ? { advice } : {}) });
  };
  const json = async (name: string): Promise<Config> => {
    const file = byName.get(name);
    if (!file) return fail(name, 'the model folder lacks this file', 'model-incomplete', NEEDED);
    throwIfPointer(file, fail);
    try {
      const value: unknown = JSON.parse(await readFile(file.path, 'utf8'));
      if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Config;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return fail(name, `not valid JSON: ${error.message}`);
    }
    return fail(name, 'not a JSON object');
  };

  const config = await json('config.json');
  if (typeof config.model_type !== 'string' && !Array.isArray(config.architectures)) {
    fail('config.json', 'names neither `model_type` nor `architectures`');
  }
  const tokenizer = await json('tokenizer.json');
  if (tokenizer.model === undefined)
    fail('tokenizer.json', 'has no `model`: not a tokenizer of the tokenizers library');

  const tensors = new Map<string, readonly number[]>();
  const read = async (name: string): Promise<Header> => {
    const file = byName.get(name)!;
    throwIfPointer(file, fail);
    const header = await safetensorsHeader(file.path);
    if ('reason' in header) return fail(name, header.reason);
    for (const [tensor, { shape }] of Object.entries(header.tensors)) tensors.set(tensor, shape);
    return header;
  };

  const shards = [...byName.keys()].filter(name => name.endsWith('.safetensors')).sort();
  const index = [...byName.keys()].find(name => name === INDEX || name.endsWith('.safetensors.index.json'));
  if (index) {
    const { weight_map: map } = await json(index);
    if (map === null || typeof map !== 'object') fail(index, 'has no `weight_map`');
    const wanted = Object.entries(map as Record<string, string>);
    const missing = [...new Set(wanted.map(([, shard]) => shard))].filter(shard => !byName.has(shard)).sort();
    if (missing.length > 0)
      fail(index, `${missing.length} of its shards are not there: ${missing.slice(0, 3).join(', ')}`);
    const headers = new Map<string, Header>();
    for (const shard of new Set(wanted.map(([, shard]) => shard))) headers.set(shard, await read(shard));
    const lost = wanted.find(([tensor, shard]) => !(tensor in headers.get(shard)!.tensors));
    if (lost) fail(lost[1], `lacks the tensor ${lost[0]}, which ${index} places here`);
  } else {
    if (shards.length === 0)
      fail('model.safetensors', 'the model folder holds no .safetensors file', 'model-incomplete', NEEDED);
    for (const shard of shards) await read(shard);
  }
  const mismatch = fit(config, tensors);
  if (mismatch)
    fail('config.json', mismatch, 'model-mismatch', 'Weights and config.json must come from the same model.');
};

const NEEDED =
  'A model folder holds config.json, tokenizer.json and *.safetensors, as save_pretrained and the Hub write them.';

const throwIfPointer = (
  file: InputFile,
  fail: (name: string, why: string, r: string, advice: string) => never,
): void => {
  if (!isPointer(file)) return;
  const why = 'a Git LFS pointer stands in place of the file';
  fail(basename(file.name), why, 'model-incomplete', 'Run `git lfs pull` there.');
};

/** What of the config the tensors contradict, for decoders with Llama's names; other families are checked by the trainer. */
const fit = (config: Config, tensors: ReadonlyMap<string, readonly number[]>): string | null => {
  const { vocab_size: vocabulary, hidden_size: hidden, num_hidden_layers: layers } = config;
  const embedding = tensors.get('model.embed_tokens.weight');
  if (!embedding) return null;
  if (typeof vocabulary === 'number' && embedding[0] !== vocabulary) {
    return `vocab_size is ${vocabulary}, the embedding has ${embedding[0]} rows`;
  }
  if (typeof hidden === 'number' && embedding[1] !== hidden) {
    return `hidden_size is ${hidden}, the embedding has ${embedding[1]} columns`;
  }
  const found = new Set<number>();
  for (const name of tensors.keys()) {
    const layer = /^model\.layers\.(\d+)\./.exec(name)?.[1];
    if (layer) found.add(Number(layer));
  }
  if (typeof layers === 'number' && found.size !== layers) {
    return `num_hidden_layers is ${layers}, the weights have ${found.size}`;
  }
  return null;
};
