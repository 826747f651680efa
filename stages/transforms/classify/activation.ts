/** From a classifier's logits to what they mean: shares of one choice, chances of each label, or a measure as it is. */
export type Activation = 'softmax' | 'sigmoid' | 'none';

export const shares = (logits: readonly number[], activation: Activation): number[] => {
  if (activation === 'none') return [...logits];
  if (activation === 'sigmoid') return logits.map(x => 1 / (1 + Math.exp(-x)));
  const most = Math.max(...logits);
  const powers = logits.map(x => Math.exp(x - most));
  const sum = powers.reduce((n, p) => n + p, 0);
  return powers.map(p => p / sum);
};
