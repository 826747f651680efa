/** Transform `semantic-dedup`: of rows whose texts mean nearly the same, one stays. */
import type { SemanticDedupOptions } from '../../schemas/types.ts';
import { type IndexStage, type Json, type Outside, type Setup, type Sketch, StageError } from '../contract.ts';
import { openEmbeddings } from '../llm/embeddings.ts';
import { Unavailable } from '../llm/gate.ts';
import { Refused } from '../llm/reply.ts';
import { asking } from '../llm/spending.ts';
import { embed, poolingOf } from '../onnx/embedding.ts';
import { loadTextModel } from '../onnx/text-model.ts';
import { hyperplanes, layoutFor } from './semantic-dedup/hyperplanes.ts';
import { cosine, encodeVector, quantize } from './semantic-dedup/vector.ts';
import { compared } from './text/compared.ts';

export type Options = SemanticDedupOptions;

interface State {
  /** Null for a text without a direction. */
  embed(text: string): Promise<Int8Array | null>;
  readonly bands: (vector: Int8Array) => Uint32Array;
}

/** The text that is embedded, '' for none. */
const textOf = (fields: Readonly<Record<string, Json>>, { field }: Options): string =>
  compared(fields, field)
    .map(text => text.trim())
    .filter(Boolean)
    .join('\n');

/** Embeds texts, each once: `identity` says by what. */
const kept =
  (outside: Outside, identity: Json, make: (text: string) => Promise<ArrayLike<number>>): State['embed'] =>
  async text => {
    const vector = await outside.answer({ embedding: 1, by: identity, text }, async () => {
      const made = quantize(await make(text));
      return made === null ? '' : Buffer.from(made.buffer, made.byteOffset, made.byteLength).toString('base64');
    });
    return vector === '' ? null : new Int8Array(Buffer.from(vector, 'base64'));
  };

const local = async ({ options, files }: Setup<Options>, outside: Outside): Promise<State['embed']> => {
  const model = await loadTextModel({ files: files.path ?? [], graph: options.graph, most: options.max_tokens });
  const pooling = options.pooling ?? (await poolingOf(model));
  const { prefix } = options;
  return kept(outside, { ...model.identity, pooling, prefix }, async text => {
    outside.count({ asked: 1 });
    return embed(model, prefix + text, pooling);
  });
};

const remote = ({ options }: Setup<Options>, outside: Outside): State['embed'] => {
  const ask = openEmbeddings(options, outside);
  const { model, revision = null, dimensions = null, prefix } = options;
  const embed = kept(outside, { model: model!, revision, dimensions, prefix }, text => ask(prefix + text));
  let refused = false;
  return async text => {
    try {
      return await embed(text);
    } catch (error) {
      if (error instanceof Refused) {
        if (!refused) outside.warn(`a text is not embedded, and its row stays: ${error.message}`);
        refused = true;
        outside.count({ refused: 1 });
        return null;
      }
      // Without their vectors other rows might stay than with them.
      if (!(error instanceof Unavailable)) throw error;
      throw new StageError('no-embedding', `a text could not be embedded: ${error.message}`, {
        advice: 'what was embedded is kept: build again when the server is well',
      });
    }
  };
};

export default {
  kind: 'index',
  reason: 'means nearly the same as a row that stays',
  async setup(setup, outside): Promise<State> {
    const { options } = setup;
    outside.count({ asked: 0 });
    return {
      embed: options.endpoint === undefined ? await local(setup, outside) : remote(setup, outside),
      bands: hyperplanes(layoutFor(options.threshold)),
    };
  },
  shape: ({ threshold }) => ({ bands: layoutFor(threshold).bands }),
  async sketch(row, state, options): Promise<Sketch | null> {
    const text = textOf(row.fields, options);
    const vector = text === '' ? null : await state.embed(text);
    return vector && { bands: state.bands(vector), bytes: encodeVector(vector) };
  },
  similar: (a, b, { threshold }) => cosine(a, b) >= threshold,
  rank: (row, options) => (options.keep === 'longest' ? textOf(row.fields, options).length : 0),
  counted: (counts, { prices }) =>
    asking(counts, prices).replace('asked', 'embedded') + (counts.refused ? `, ${counts.refused} refused` : ''),
} satisfies IndexStage<Options, State>;
