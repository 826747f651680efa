/** Embeddings over `/embeddings`: texts that are wanted at the same time go in one request. */
import { type Outside, StageError } from '../contract.ts';
import { type EndpointOptions, openEndpoint } from './endpoint.ts';
import { type Body, Refused } from './reply.ts';

export interface EmbeddingOptions extends EndpointOptions {
  /** Of models that can be asked for shorter vectors. */
  readonly dimensions?: number;
  /** Texts in a request. */
  readonly batch: number;
}

/** Rejects with Refused (the server will not embed this text), Unavailable or StageError. */
export type Embed = (text: string) => Promise<readonly number[]>;

/** Milliseconds for which others are waited for. */
const TOGETHER = 5;
const BYTES_A_TOKEN = 4;

interface Waiting {
  readonly text: string;
  resolve(vector: readonly number[]): void;
  reject(error: unknown): void;
}

export const openEmbeddings = (options: EmbeddingOptions, outside: Outside): Embed => {
  const endpoint = openEndpoint(options, outside);
  const waiting: Waiting[] = [];

  const ask = async (texts: readonly string[]): Promise<(readonly number[])[]> => {
    const body: Body = {
      model: options.model,
      input: texts,
      encoding_format: 'float',
      ...(options.dimensions === undefined ? {} : { dimensions: options.dimensions }),
    };
    const tokens = texts.reduce((n, text) => n + Math.ceil(Buffer.byteLength(text) / BYTES_A_TOKEN), 0);
    const answer = await endpoint.ask('embeddings', body, { tokens, cost: used });
    outside.count({ asked: texts.length, input_tokens: used(answer), output_tokens: 0 });
    return vectorsOf(answer, texts.length, endpoint.host);
  };
  const flush = (): void => {
    const all = waiting.splice(0);
    for (let i = 0; i < all.length; i += options.batch) void send(all.slice(i, i + options.batch));
  };
  const send = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      const vectors = await ask(batch.map(w => w.text));
      for (const [i, w] of batch.entries()) w.resolve(vectors[i]!);
    } catch (error) {
      // One text that is too long must not take the others with it.
      if (error instanceof Refused && batch.length > 1) await Promise.all(batch.map(alone));
      else for (const w of batch) w.reject(error);
    }
  };
  const alone = async ({ text, resolve, reject }: Waiting): Promise<void> => {
    try {
      resolve((await ask([text]))[0]!);
    } catch (error) {
      reject(error);
    }
  };
  return text =>
    new Promise((resolve, reject) => {
      waiting.push({ text, resolve, reject });
      if (waiting.length === 1) setTimeout(flush, TOGETHER);
    });
};

const used = ({ usage }: Body): number => {
  const { prompt_tokens: input, total_tokens: all } = (usage ?? {}) as Record<string, unknown>;
  const n = typeof input === 'number' ? input : all;
  return typeof n === 'number' && n >= 0 ? Math.round(n) : 0;
};

/** In the order of the texts, whatever the order in the answer. */
const vectorsOf = ({ data }: Body, n: number, host: string): (readonly number[])[] => {
  const out: (readonly number[])[] = [];
  for (const [i, one] of (Array.isArray(data) ? (data as unknown[]) : []).entries()) {
    const { index = i, embedding } = (one ?? {}) as { index?: number; embedding?: unknown };
    if (Array.isArray(embedding) && embedding.every(x => typeof x === 'number')) out[index] = embedding as number[];
  }
  const width = out[0]?.length ?? 0;
  if (width === 0 || out.length !== n || Array.from(out).some(v => v?.length !== width))
    throw new StageError('llm-not-found', `${host} does not answer with an embedding of each text`, {
      advice: 'name a model that makes embeddings',
    });
  return out;
};
