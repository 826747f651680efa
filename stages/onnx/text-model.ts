/**
 * A model of a folder that reads texts: tokenizer.json and an ONNX graph, as Hugging Face's exporters and Hub repositories lay
 * them out (model.onnx, or onnx/model.onnx). It reads one text at a time with one thread: the numbers then depend on the text
 * alone, not on what it shares a batch with or on how many workers there are.
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { type InputFile, StageError } from '../contract.ts';
import { textEncoder } from '../templates/tokenizer.ts';
import { runtime } from './runtime.ts';

export interface TextModel {
  /** Digests of the files that its numbers come from, and the length that texts are cut to. */
  readonly identity: { readonly [name: string]: string | number };
  /** A JSON file of the folder; empty where there is none. */
  config(name: string): Promise<Readonly<Record<string, unknown>>>;
  /** Reads a text; `tokens` is its length in tokens, those around it included. */
  read(text: string): Promise<{ readonly outputs: readonly Output[]; readonly tokens: number }>;
}

/** One result of the graph, as numbers, without the dimension of the batch. */
export interface Output {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

interface Given {
  /** Of the option that names the folder. */
  readonly files: readonly InputFile[];
  /** Name of the graph's file in it, where it is not the usual one. */
  readonly graph?: string | undefined;
  /** Tokens that a text is cut to, where they are fewer than the model can read. */
  readonly most?: number | undefined;
}

const GRAPHS = ['onnx/model.onnx', 'model.onnx'];
/** Tokenizers of models without a limit write one with thirty digits. */
const NO_LIMIT = 1_000_000;
const USUAL_LIMIT = 512;

/** Throws StageError where the folder lacks something. */
export const loadTextModel = async ({ files, graph, most }: Given): Promise<TextModel> => {
  const byName = new Map(files.map(file => [file.name, file]));
  const missing = (what: string, advice: string) =>
    new StageError('model-incomplete', `the model folder has no ${what}`, { advice });
  const tokenizer = byName.get('tokenizer.json');
  if (!tokenizer) throw missing('tokenizer.json', 'save the fast tokenizer there: tokenizer.save_pretrained(folder)');
  const name = graph ?? GRAPHS.find(n => byName.has(n));
  const file = name === undefined ? undefined : byName.get(name);
  if (!file)
    throw missing(
      graph ?? 'model.onnx, neither in it nor in onnx/',
      'export it: optimum-cli export onnx --model <id> <folder>; many repositories of the Hub hold onnx/model.onnx',
    );
  const config = async (of: string): Promise<Record<string, unknown>> => {
    const found = byName.get(of);
    if (!found) return {};
    try {
      return JSON.parse(await readFile(found.path, 'utf8')) as Record<string, unknown>;
    } catch (error) {
      throw new StageError('broken-model-file', `the model's ${of} is not JSON: ${(error as Error).message}`);
    }
  };
  const limits = [
    most,
    (await config('sentence_bert_config.json')).max_seq_length,
    (await config('tokenizer_config.json')).model_max_length,
    (await config('config.json')).max_position_embeddings,
  ].filter((n): n is number => typeof n === 'number' && n > 0 && n < NO_LIMIT);
  const length = limits.length > 0 ? Math.min(...limits) : USUAL_LIMIT;
  const encode = textEncoder(dirname(tokenizer.path), length);
  const session = await open(file);
  const { Tensor: Of } = await runtime();
  return {
    identity: {
      tokenizer: tokenizer.digest,
      graph: file.digest,
      // Weights of more than 2 GB stand beside their graph.
      weights: files
        .filter(f => f.name.startsWith(`${name}_data`) || f.name.startsWith(`${name}.data`))
        .map(f => f.digest)
        .join(' '),
      length,
    },
    config,
    read: async text => {
      const { ids, types } = await encode(text);
      const results = await session.run(feeds(session, { ids, types }, Of));
      const outputs = session.outputNames.flatMap(n => {
        const result = results[n] as Tensor;
        return result.type === 'float32' || result.type === 'float16'
          ? [{ name: n, shape: result.dims.slice(1), data: numbers(result) }]
          : [];
      });
      return { outputs, tokens: ids.length };
    },
  };
};

const open = async ({ path, name }: InputFile): Promise<InferenceSession> => {
  const { InferenceSession: Session } = await runtime();
  try {
    return await Session.create(path, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 3,
    });
  } catch (error) {
    throw new StageError('broken-model', `${name} cannot be loaded: ${(error as Error).message}`);
  }
};

const feeds = (
  session: InferenceSession,
  { ids, types }: { readonly ids: readonly number[]; readonly types: readonly number[] },
  Of: typeof Tensor,
): Record<string, Tensor> => {
  const known: Record<string, readonly number[]> = {
    input_ids: ids,
    attention_mask: ids.map(() => 1),
    token_type_ids: types,
    position_ids: ids.map((_, i) => i),
  };
  return Object.fromEntries(
    session.inputNames.map((name, i) => {
      const values = known[name];
      if (!values)
        throw new StageError('strange-model', `the model asks for "${name}", which a text does not give`, {
          advice: 'models that read input_ids, attention_mask and token_type_ids are understood',
        });
      const meta = session.inputMetadata[i];
      const shape = [1, values.length];
      return [
        name,
        meta?.isTensor && meta.type === 'int32'
          ? new Of('int32', Int32Array.from(values), shape)
          : new Of('int64', BigInt64Array.from(values, BigInt), shape),
      ];
    }),
  );
};

const numbers = (tensor: Tensor): Float32Array => {
  if (tensor.type === 'float32') return tensor.data as Float32Array;
  const { buffer, byteOffset, byteLength } = tensor.data as ArrayBufferView;
  return Float32Array.from(new Uint16Array(buffer, byteOffset, byteLength / 2), fromHalf);
};

/** IEEE 754 half precision: 1 bit of sign, 5 of exponent, 10 of fraction. Float16Array came with Node 24 only. */
export const fromHalf = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};
