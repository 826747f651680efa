/** "Did you mean": the nearest of the names that would have been right. */

/** Edit distance with transpositions (Damerau-Levenshtein, optimal string alignment). */
const distance = (a: string, b: string): number => {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let d = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, before[j - 2]! + 1);
      row.push(d);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
};

/** The nearest of `known` within about a third of the word's length, or null. */
export const nearest = (word: string, known: Iterable<string>): string | null => {
  const plain = word.toLowerCase();
  let best: string | null = null;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const k of known) {
    if (Math.abs(k.length - word.length) >= least) continue;
    const d = distance(plain, k.toLowerCase());
    if (d < least) {
      least = d;
      best = k;
    }
  }
  return best;
};

/** `; did you mean "x"?`, or the list when it is short, or nothing. */
export const didYouMean = (word: string, known: readonly string[], most = 12): string => {
  const near = nearest(word, known);
  if (near) return `; did you mean "${near}"?`;
  return known.length > 0 && known.length <= most ? `; there is ${known.join(', ')}` : '';
};
