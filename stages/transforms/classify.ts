/**
 * Transform `classify`: a text classifier of a local folder writes its label and score beside a text: quality, topic, toxicity,
 * language. A stage of its own beside `quality`, whose rules of thumb need no model and a fraction of the time; and a `filter`
 * below judges by the score, so moving a threshold classifies nothing again.
 */
import type { ClassifyOptions } from '../../schemas/types.ts';
import type { Fields, Json, Outside, RowsStage } from '../contract.ts';
import { StageError } from '../contract.ts';
import { loadTextModel, type TextModel } from '../onnx/text-model.ts';
import { type Activation, shares } from './classify/activation.ts';

export type Options = ClassifyOptions;

interface State {
  readonly model: TextModel;
  readonly labels: readonly string[] | null;
  readonly activation: Activation | null;
  readonly outside: Outside;
}

/** Scores are kept to four decimals: further ones differ between kinds of processors. */
const rounded = (n: number): number => Math.round(n * 1e4) / 1e4;

/** Names by number, as config.json holds them; null where they say nothing. */
const labelsOf = (config: Readonly<Record<string, unknown>>): string[] | null => {
  const { id2label } = config;
  if (typeof id2label !== 'object' || id2label === null) return null;
  const names: string[] = [];
  for (const [i, name] of Object.entries(id2label)) names[Number(i)] = String(name);
  return names;
};

const activationOf = (
  { activation }: Options,
  { problem_type }: Readonly<Record<string, unknown>>,
): Activation | null => {
  if (activation !== undefined) return activation;
  if (problem_type === 'multi_label_classification') return 'sigmoid';
  if (problem_type === 'regression') return 'none';
  return problem_type === 'single_label_classification' ? 'softmax' : null;
};

const logits = async ({ model, outside }: State, text: string): Promise<number[]> => {
  const found = await outside.answer({ logits: 1, by: model.identity, text }, async () => {
    outside.count({ classified: 1 });
    const { outputs } = await model.read(text);
    const output = outputs.find(o => o.name === 'logits') ?? outputs.find(o => o.shape.length === 1);
    if (output?.shape.length !== 1)
      throw new StageError(
        'strange-model',
        `the model gives ${outputs.map(o => `"${o.name}"`).join(', ') || 'no numbers'}: no logits`,
        {
          advice: 'export it as a classifier: optimum-cli export onnx --task text-classification',
        },
      );
    return Array.from(output.data) as Json;
  });
  return found as number[];
};

export default {
  kind: 'rows',
  async setup({ options, files }, outside): Promise<State> {
    const model = await loadTextModel({ files: files.path ?? [], graph: options.graph, most: options.max_tokens });
    outside.count({ classified: 0 });
    const config = await model.config('config.json');
    return { model, outside, labels: labelsOf(config), activation: activationOf(options, config) };
  },
  async map(row, emit, state, { field, label, score, scores }) {
    const text = row.fields[field];
    if (typeof text !== 'string') return emit.reject(row, `field "${field}" is not a text`);
    const raw = await logits(state, text);
    // One number is a measure; several are a choice.
    const values = shares(raw, state.activation ?? (raw.length === 1 ? 'none' : 'softmax'));
    const name = (i: number): string => state.labels?.[i] ?? `LABEL_${i}`;
    const best = values.indexOf(Math.max(...values));
    const all: Fields = Object.fromEntries(values.map((v, i) => [name(i), rounded(v)]));
    emit.keep(row, {
      ...row.fields,
      ...(raw.length > 1 ? { [label]: name(best) } : {}),
      [score]: rounded(values[best]!),
      ...(scores === undefined ? {} : { [scores]: all }),
    });
  },
  counted: ({ classified = 0 }) => (classified === 0 ? 'nothing classified' : `${classified} classified now`),
} satisfies RowsStage<Options, State>;
