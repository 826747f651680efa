/** Transform `shuffle`: puts the rows in an order drawn by the seed and their ids. */
import type { ShuffleOptions } from '../../schemas/types.ts';
import type { OrderStage } from '../contract.ts';

export type Options = ShuffleOptions;

export default { kind: 'order', seed: options => options.seed } satisfies OrderStage<Options>;
