/**
 * MinHash with locality-sensitive bands. One hash a shingle falls into one of `bands * rows` bins, and a bin keeps its least
 * (one permutation hashing); an empty bin takes the value of the first full one in an order of its own (optimal
 * densification, Shrivastava 2017), so that bins agree with the chance of the Jaccard similarity however short the text.
 * Of each value one byte is kept (b-bit minwise hashing, Li & Koenig 2010): bytes that agree by chance are corrected for.
 */
import type { Sketch } from '../../contract.ts';
import { append, drawing, mix } from './hash.ts';

export interface Layout {
  readonly bands: number;
  readonly rows: number;
}

/** Hashes that a layout chosen by us may have: 14 bands of 8 rows at a threshold of 0.8. */
const HASHES = 112;
/** Chance with which a pair just as similar as the threshold must share a band. */
const FOUND = 0.9;

/** The most rows in a band, so the fewest pairs to look at, with which pairs at the threshold are still found. */
export const layoutFor = (threshold: number): Layout => {
  for (let rows = HASHES; rows > 1; rows--) {
    const bands = Math.floor(HASHES / rows);
    if (1 - (1 - threshold ** rows) ** bands >= FOUND) return { bands, rows };
  }
  return { bands: HASHES, rows: 1 };
};

const EMPTY = 0x7fffffff;

/** Sketches of shingles, null for none; its arrays are used again by the next call. */
export const minhash = ({ bands, rows }: Layout): ((shingles: Int32Array) => Sketch | null) => {
  const bins = bands * rows;
  const least = new Int32Array(bins);
  const sketch = { bands: new Uint32Array(bands), bytes: new Uint8Array(bins) };
  const orders = permutations(bins);

  return shingles => {
    if (shingles.length === 0) return null;
    least.fill(EMPTY);
    for (let i = 0; i < shingles.length; i++) {
      const hash = shingles[i]!;
      const bin = ((hash >>> 16) * bins) >>> 16;
      if (hash < least[bin]!) least[bin] = hash;
    }
    for (let band = 0, bin = 0; band < bands; band++) {
      let hash = band;
      for (let row = 0; row < rows; row++, bin++) {
        let value = least[bin]!;
        for (let at = bin * bins; value === EMPTY; at++) value = least[orders[at]!]!;
        sketch.bytes[bin] = value;
        hash = append(hash, value);
      }
      sketch.bands[band] = mix(hash);
    }
    return sketch;
  };
};

/** For each bin the order in which it looks at all bins. */
const permutations = (bins: number): Uint16Array => {
  const orders = new Uint16Array(bins * bins);
  const draw = drawing(bins);
  for (let bin = 0; bin < bins; bin++) {
    const order = orders.subarray(bin * bins, (bin + 1) * bins);
    for (let i = 0; i < bins; i++) {
      const j = draw(i + 1);
      order[i] = order[j]!;
      order[j] = i;
    }
  }
  return orders;
};

/** Chance that bytes of different values are equal. */
const CHANCE = 1 / 256;

/** The Jaccard similarity that two sketches' bytes speak for. */
export const estimate = (a: Uint8Array, b: Uint8Array): number => {
  let equal = 0;
  for (let i = 0; i < a.length; i++) if (a[i] === b[i]) equal++;
  return (equal / a.length - CHANCE) / (1 - CHANCE);
};
