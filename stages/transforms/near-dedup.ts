/** Transform `near-dedup`: of rows whose texts are nearly equal, one stays. */
import type { NearDedupOptions } from '../../schemas/types.ts';
import type { IndexStage, Sketch } from '../contract.ts';
import { estimate, type Layout, layoutFor, minhash } from './near-dedup/minhash.ts';
import { shingler } from './near-dedup/shingles.ts';
import { hamming, simhash, simhashShape } from './near-dedup/simhash.ts';
import { compared } from './text/compared.ts';

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
  sketch: (row, state, options) => state(compared(row.fields, options.field)),
  similar: (a, b, options) =>
    options.method === 'simhash' ? hamming(a, b) <= distanceOf(options) : estimate(a, b) >= thresholdOf(options),
  rank: (row, options) =>
    options.keep === 'longest' ? compared(row.fields, options.field).reduce((n, text) => n + text.length, 0) : 0,
} satisfies IndexStage<Options, State>;
