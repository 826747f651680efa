/** Hashing of 32-bit words: the finaliser of MurmurHash3, in which every bit of the input moves every bit of the result. */

export const mix = (word: number): number => {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};

/** One step of MurmurHash3 over a sequence of words. */
export const append = (hash: number, word: number): number => {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
};

/** Numbers below `n`, drawn one after the other: for tables that are the same on every machine. */
export const drawing = (seed: number): ((n: number) => number) => {
  let state = seed | 0;
  return n => {
    state = (state + 0x9e3779b9) | 0;
    return (mix(state) >>> 0) % n;
  };
};
