/**
 * Near duplicates without any estimate: all pairs of texts whose sets of five-word shingles have a Jaccard similarity of at
 * least the threshold, by prefix filtering (Chaudhuri, Ganti and Kaushik, 2006), and of each set of joined texts the first.
 */
import { append, mix } from '../../stages/transforms/near-dedup/hash.ts';

const SHINGLE = 5;

/** Sorted, each once: 32-bit hashes of the text's shingles. */
const shingles = (text: string): Uint32Array => {
  const words = text.split(' ').map(word => {
    let h = 0;
    for (let i = 0; i < word.length; i++) h = append(h, word.charCodeAt(i));
    return h;
  });
  const all = new Set<number>();
  for (let i = 0; i < Math.max(1, words.length - SHINGLE + 1); i++) {
    let h = 0;
    for (const word of words.slice(i, i + SHINGLE)) h = append(h, word);
    all.add(mix(h) >>> 0);
  }
  return Uint32Array.from(all).sort();
};

/** Size of the intersection over that of the union. */
const jaccard = (a: Uint32Array, b: Uint32Array): number => {
  let both = 0;
  for (let i = 0, k = 0; i < a.length && k < b.length; ) {
    if (a[i]! === b[k]!) {
      both++;
      i++;
      k++;
    } else if (a[i]! < b[k]!) i++;
    else k++;
  }
  return both / (a.length + b.length - both);
};

/** Indexes of the texts that stay. */
export const exactlyKept = (texts: readonly string[], threshold: number): number[] => {
  const sets = texts.map(shingles);
  // Two sets as similar as that share one of the first so many of each: in any order that both have, here the hashes' own.
  const prefix = (set: Uint32Array) => set.length - Math.ceil(threshold * set.length) + 1;
  const entries = new BigUint64Array(sets.reduce((n, set) => n + prefix(set), 0));
  let n = 0;
  for (const [row, set] of sets.entries())
    for (let i = 0; i < prefix(set); i++) entries[n++] = (BigInt(set[i]!) << 32n) | BigInt(row);
  entries.sort();
  const parent = Uint32Array.from(texts.keys());
  const root = (row: number): number => {
    let at = row;
    while (parent[at] !== at) at = parent[at] = parent[parent[at]!]!;
    return at;
  };
  for (let from = 0; from < n; ) {
    const hash = entries[from]! >> 32n;
    let to = from + 1;
    while (to < n && entries[to]! >> 32n === hash) to++;
    for (let i = from; i < to; i++) {
      const a = Number(entries[i]! & 0xffffffffn);
      for (let k = i + 1; k < to; k++) {
        const b = Number(entries[k]! & 0xffffffffn);
        const [x, y] = [root(a), root(b)];
        // Of joined texts nothing is left to find out.
        if (x !== y && jaccard(sets[a]!, sets[b]!) >= threshold) parent[Math.max(x, y)] = Math.min(x, y);
      }
    }
    from = to;
  }
  return [...texts.keys()].filter(row => root(row) === row);
};
