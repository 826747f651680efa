/**
 * Deals `total` out by weights, nobody above their cap: what a capped one cannot take goes to the others by their weights.
 * Whole numbers by largest remainder, of equal ones the first. They sum up to `total` unless the caps forbid it.
 */
export const apportion = (total: number, weights: readonly number[], caps: readonly number[]): number[] => {
  const given = weights.map(() => 0);
  let open = weights.map((_, i) => i).filter(i => weights[i]! > 0);
  let left = total;
  for (;;) {
    const sum = open.reduce((n, i) => n + weights[i]!, 0);
    const full = open.filter(i => (left * weights[i]!) / sum >= caps[i]!);
    if (full.length === 0) break;
    for (const i of full) given[i] = caps[i]!;
    left -= full.reduce((n, i) => n + caps[i]!, 0);
    open = open.filter(i => !full.includes(i));
  }
  const sum = open.reduce((n, i) => n + weights[i]!, 0);
  const exact = open.map(i => ({ i, share: (left * weights[i]!) / sum }));
  for (const { i, share } of exact) given[i] = Math.floor(share);
  const rest = left - exact.reduce((n, { i }) => n + given[i]!, 0);
  const byRemainder = exact.toSorted((a, b) => (b.share % 1) - (a.share % 1) || a.i - b.i);
  for (const { i } of byRemainder.slice(0, rest)) given[i]!++;
  return given;
};
