/**
 * Small model folders with an ONNX graph, made by the test: each word has a vector of its own, so that a text's embedding, or
 * its class, can be told beforehand.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createGraph } from '../../stages/trainer/embedded/graph.ts';

export interface OnnxShape {
  /** Vector of each word; of all other words zeros. */
  readonly words: Readonly<Record<string, readonly number[]>>;
  /** `embedding`: a vector a token. `pooled`: one a text, by the graph itself. `logits`: the sum over the text's words. */
  readonly gives: 'embedding' | 'pooled' | 'logits';
  /** Where the graph lies in the folder. */
  readonly graph?: string;
  readonly config?: object;
  /** Further files, by name. */
  readonly more?: Readonly<Record<string, object>>;
  /** Asks for this input, too. */
  readonly input?: string;
}

const SPECIALS = ['[UNK]', '[CLS]', '[SEP]'];

/** Words apart by white space, small letters; [CLS] before them and [SEP] behind. */
const tokenizer = (words: readonly string[]): object => ({
  version: '1.0',
  // What a saved tokenizer may bring along, and nobody wants here.
  truncation: { direction: 'Right', max_length: 2, strategy: 'LongestFirst', stride: 0 },
  padding: { strategy: { Fixed: 16 }, direction: 'Right', pad_id: 0, pad_type_id: 0, pad_token: '[UNK]' },
  added_tokens: SPECIALS.map((content, id) => ({
    id,
    content,
    ...{ single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
  })),
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: Object.fromEntries(SPECIALS.slice(1).map((id, i) => [id, { id, ids: [i + 1], tokens: [id] }])),
  },
  decoder: null,
  model: {
    type: 'WordLevel',
    unk_token: '[UNK]',
    vocab: Object.fromEntries([...SPECIALS, ...words].map((word, id) => [word, id])),
  },
});

const graphOf = ({ words, gives, input }: OnnxShape): Uint8Array => {
  const rows = [...SPECIALS.map(() => [] as readonly number[]), ...Object.values(words)];
  const width = Math.max(...rows.map(r => r.length));
  const table = Float32Array.from(rows.flatMap(r => Array.from({ length: width }, (_, i) => r[i] ?? 0)));
  const g = createGraph();
  const ids = g.input('input_ids', 'int64', ['batch', 'tokens']);
  const mask = g.input('attention_mask', 'int64', ['batch', 'tokens']);
  if (input) g.input(input, 'int64', ['batch', 'tokens']);
  const vectors = g.op('Gather', [g.constant('table', 'float32', [rows.length, width], table), ids]);
  const seen = g.op('Mul', [vectors, g.op('Unsqueeze', [g.op('Cast', [mask], { to: 1 }), g.ints([2])])]);
  if (gives === 'embedding') g.output(seen, 'last_hidden_state', 'float32', ['batch', 'tokens', width]);
  else {
    const sum = g.op('ReduceSum', [seen, g.ints([1])], { keepdims: 0 });
    g.output(sum, gives === 'logits' ? 'logits' : 'sentence_embedding', 'float32', ['batch', width]);
  }
  return g.encode();
};

export const onnxModel = (folder: string, shape: OnnxShape): void => {
  const write = (name: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  };
  write('tokenizer.json', JSON.stringify(tokenizer(Object.keys(shape.words))));
  write('config.json', JSON.stringify(shape.config ?? {}));
  write(shape.graph ?? 'model.onnx', graphOf(shape));
  for (const [name, content] of Object.entries(shape.more ?? {})) write(name, JSON.stringify(content));
};
