/** Transform `near-dedup`: of rows whose texts are nearly equal, one stays. */
import type { NearDedupOptions } from '../../schemas/types.ts';
import type { Fields, IndexStage, Json, Sketch } from '../contract.ts';
import { estimate, type Layout, layoutFor, minhash } from './near-dedup/minhash.ts';
import { shingler } from './near-dedup/shingles.ts';
import { hamming, simhash, simhashShape } from './near-dedup/simhash.ts';

export type Options = NearDedupOptions;

/** Sketch of the texts of one row. */
type State = (texts: readonly string[]) => Sketch | null;

const thresholdOf = ({ threshold = 0.8 }: Options): number => threshold;
const distanceOf = ({ distance = 4 }: Options): number => distance;
const shingleOf = ({ shingle, method }: Options): number => shingle ?? (method === 'simhash' ? 6 : 5);

const layoutOf = (options: Options): Layout => {
  const { bands, rows } = options;
  return bands !== undefined && rows !== undefined ? { bands, rows } : layoutFor(thresholdOf(options));
};

/** Every text in a value, however deep (messages hold theirs in lists); fields by their names, whatever their order. */
const collect = (value: Json | undefined, into: string[]): void => {
  if (typeof value === 'string') into.push(value);
  else if (Array.isArray(value)) for (const part of value as readonly Json[]) collect(part, into);
  else if (value !== null && typeof value === 'object') {
    const object = value as Fields;
    for (const name of Object.keys(object).sort()) collect(object[name], into);
  }
};

/** What is compared of a row: the fields that are named, else its `text`, else every text in it. */
const compared = (fields: Fields, { field }: Options): string[] => {
  const texts: string[] = [];
  if (field !== undefined) for (const name of [field].flat()) collect(fields[name], texts);
  else collect(typeof fields.text === 'string' ? fields.text : fields, texts);
  return texts;
};

export default {
  kind: 'index',
  reason: 'near duplicate of a row that stays',
  setup({ options }): State {
    const shingles = shingler(shingleOf(options));
    const sketch = options.method === 'simhash' ? simhash(distanceOf(options)) : minhash(layoutOf(options));
    return texts => sketch(shingles.of(texts));
  },
  shape(options) {
    if (options.method === 'simhash') return simhashShape(distanceOf(options));
    const { bands, rows } = layoutOf(options);
    return { bands, bytes: bands * rows };
  },
  sketch: (row, state, options) => state(compared(row.fields, options)),
  similar: (a, b, options) =>
    options.method === 'simhash' ? hamming(a, b) <= distanceOf(options) : estimate(a, b) >= thresholdOf(options),
  rank: (row, options) =>
    options.keep === 'longest' ? compared(row.fields, options).reduce((n, text) => n + text.length, 0) : 0,
} satisfies IndexStage<Options, State>;
