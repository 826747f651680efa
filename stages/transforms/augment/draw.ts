/** Numbers drawn by a seed and the names of what they are drawn for: the same on every machine, in any order of rows. */
import { append, drawing, mix } from '../near-dedup/hash.ts';

export interface Draw {
  /** A whole number below `n`. */
  below(n: number): number;
  /** So many different ones of a list, or all of it, in its order. */
  some<T>(list: readonly T[], n: number): T[];
}

export const draw = (...names: readonly (string | number)[]): Draw => {
  let hash = 0;
  for (const name of names) {
    const text = String(name);
    for (let i = 0; i < text.length; i++) hash = append(hash, text.charCodeAt(i));
    // "ab", "c" is not "a", "bc".
    hash = append(hash, 0x10000 + text.length);
  }
  const below = drawing(mix(hash));
  return {
    below,
    some: (list, n) => {
      const places = [...list.keys()];
      const wanted = Math.min(n, places.length);
      for (let i = 0; i < wanted; i++) {
        const j = i + below(places.length - i);
        [places[i], places[j]] = [places[j]!, places[i]!];
      }
      return places
        .slice(0, wanted)
        .sort((a, b) => a - b)
        .map(i => list[i]!);
    },
  };
};
