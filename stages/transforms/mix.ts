/** Transform `mix`: rows of several inputs in given proportions, shuffled together. */
import type { MixOptions } from '../../schemas/types.ts';
import { type OrderStage, StageError } from '../contract.ts';
import { apportion } from './mix/apportion.ts';

export type Options = MixOptions;

interface Given {
  readonly name: string;
  readonly count: number;
}

const names = (all: readonly { readonly name: string }[]): string => all.map(({ name }) => name).join(', ');

/** Each input's value under an option that names inputs. */
const byName = (option: string, values: Readonly<Record<string, number>>, inputs: readonly Given[]): number[] => {
  const stranger = Object.keys(values).find(name => !inputs.some(input => input.name === name));
  if (stranger !== undefined) {
    throw new StageError(
      'unknown-input',
      `${option} names ${JSON.stringify(stranger)}, which is no input of this mix`,
      {
        advice: `Its inputs are ${names(inputs)}.`,
      },
    );
  }
  return inputs.map(({ name }) => values[name] ?? Number.POSITIVE_INFINITY);
};

/** As many rows as the weights allow before an input has none left. */
const largest = (inputs: readonly Given[], weights: readonly number[] | null, caps: readonly number[]): number[] => {
  const limits = inputs.map(({ count }, i) => Math.min(count, caps[i]!));
  if (!weights) return limits;
  const total = Math.min(...limits.map((limit, i) => limit / weights[i]!));
  return limits.map((limit, i) => Math.min(limit, Math.round(total * weights[i]!)));
};

const checkRows = (inputs: readonly Given[], weighted: boolean): void => {
  const empty = weighted || inputs.every(({ count }) => count === 0) ? inputs.find(({ count }) => count === 0) : null;
  if (!empty) return;
  throw new StageError('empty-input', `the input ${empty.name} of this mix holds no row`, {
    advice: 'Look at what its node dropped, or take it out of the mix.',
  });
};

const checkRepetitions = (inputs: readonly Given[], taken: readonly number[]): void => {
  const over = inputs.flatMap(({ name, count }, i) =>
    taken[i]! > count ? [`${name} holds ${count} rows where ${taken[i]} are asked for`] : [],
  );
  if (over.length === 0) return;
  throw new StageError('too-few-rows', over.join('; '), {
    advice: 'Ask for fewer `rows`, give it a smaller weight, or allow repetitions with repeat: true.',
  });
};

export default {
  kind: 'order',
  seed: options => options.seed,
  take(inputs, options) {
    const { rows, repeat } = options;
    const caps = byName('caps', options.caps ?? {}, inputs);
    const weights = options.weights ? byName('weights', options.weights, inputs) : null;
    const without = inputs.filter((_, i) => weights?.[i] === Number.POSITIVE_INFINITY);
    if (without.length > 0) {
      throw new StageError('missing-weight', `weights says nothing of ${names(without)}`, {
        advice: 'Give every input of the mix a weight, or leave `weights` out: inputs then count by their rows.',
      });
    }
    checkRows(inputs, weights !== null);
    if (rows === undefined) return largest(inputs, weights, caps);
    const shares = weights ?? inputs.map(({ count }) => count);
    const taken = apportion(rows, shares, caps);
    const sum = taken.reduce((n, t) => n + t, 0);
    if (sum < rows) {
      throw new StageError('too-few-rows', `only ${sum} of ${rows} rows can be had: caps allow no more`, {
        advice: 'Raise `caps`, or ask for fewer `rows`.',
      });
    }
    if (!repeat) checkRepetitions(inputs, taken);
    return taken;
  },
} satisfies OrderStage<Options>;
