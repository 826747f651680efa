/** The share in all that a sample leaves likely (95 %): Wilson's score interval (1927), which holds for few and rare cases, too. */
const Z = 1.959964;

/** Bounds of the share, when `hits` of `n` were found. */
export const wilson = (hits: number, n: number): readonly [low: number, high: number] => {
  const p = hits / n;
  const z2 = (Z * Z) / n;
  const middle = (p + z2 / 2) / (1 + z2);
  const half = (Z * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n))) / (1 + z2);
  return [hits === 0 ? 0 : middle - half, hits === n ? 1 : middle + half];
};
