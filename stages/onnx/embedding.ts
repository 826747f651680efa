/** Embeddings of texts by a model of a folder, pooled as the model says (sentence-transformers' 1_Pooling) or the recipe. */
import { StageError } from '../contract.ts';
import type { Output, TextModel } from './text-model.ts';

export const POOLINGS = ['mean', 'cls', 'last'] as const;
export type Pooling = (typeof POOLINGS)[number];

/** What a folder says of itself; the mean, where it says nothing. Throws StageError for what is not one of ours. */
export const poolingOf = async (model: TextModel): Promise<Pooling> => {
  const said = await model.config('1_Pooling/config.json');
  const on = Object.entries(said).flatMap(([name, is]) =>
    name.startsWith('pooling_mode_') && is === true ? [name.slice('pooling_mode_'.length)] : [],
  );
  if (on.length === 0 || (on.length === 1 && on[0] === 'mean_tokens')) return 'mean';
  if (on.length === 1 && on[0] === 'cls_token') return 'cls';
  if (on.length === 1 && on[0] === 'lasttoken') return 'last';
  throw new StageError('strange-model', `the model pools by ${on.join(' and ')}`, {
    advice: 'say which comes nearest: pooling: mean, cls or last',
  });
};

/** The vector of one text; not of length 1. */
export const embed = async (model: TextModel, text: string, pooling: Pooling): Promise<Float32Array> => {
  const { outputs } = await model.read(text);
  const pooled = outputs.find(o => o.name === 'sentence_embedding') ?? outputs.find(o => o.shape.length === 1);
  const hidden = outputs.find(o => o.name === 'last_hidden_state') ?? outputs.find(o => o.shape.length === 2);
  // Of a graph that gives both, `pooler_output` is made for another task.
  if (pooled && (pooled.name === 'sentence_embedding' || !hidden)) return pooled.data;
  if (!hidden)
    throw new StageError(
      'strange-model',
      `the model gives ${outputs.map(o => `"${o.name}"`).join(', ') || 'no numbers'}: no embedding`,
    );
  return pool(hidden, pooling);
};

const pool = ({ shape, data }: Output, pooling: Pooling): Float32Array => {
  const [tokens, width] = shape as [number, number];
  if (pooling === 'cls') return data.slice(0, width);
  if (pooling === 'last') return data.slice((tokens - 1) * width, tokens * width);
  const out = new Float32Array(width);
  for (let t = 0; t < tokens; t++) for (let i = 0; i < width; i++) out[i]! += data[t * width + i]!;
  for (let i = 0; i < width; i++) out[i]! /= tokens;
  return out;
};
