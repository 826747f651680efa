/** Transform `sample`: some of the rows, drawn by the seed and their ids. */
import type { SampleOptions } from '../../schemas/types.ts';
import type { OrderStage } from '../contract.ts';

export type Options = SampleOptions;

export default {
  kind: 'order',
  seed: options => options.seed,
  take: (inputs, { rows, share }) =>
    inputs.map(({ count }) => {
      if (share === undefined) return Math.min(rows ?? count, count);
      // A small share of a few rows is still a sample.
      return Math.min(Math.max(Math.round(share * count), 1), count);
    }),
} satisfies OrderStage<Options>;
