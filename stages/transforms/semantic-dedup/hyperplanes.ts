/**
 * Locality-sensitive hashing of directions (Charikar, "Similarity estimation techniques from rounding algorithms", 2002): on
 * which side of random planes a vector lies. Two vectors of cosine c agree in a plane with chance 1 - acos(c) / pi.
 *
 * The planes are those of three rounds of random signs and a Hadamard transform (Ailon and Chazelle's fast
 * Johnson-Lindenstrauss transform), which takes n log n steps in place of n squared; on whole numbers it is exact.
 */
import { drawing } from '../near-dedup/hash.ts';

export interface Layout {
  readonly bands: number;
  /** Planes in a band, at most 32. */
  readonly rows: number;
}

/** Share of the pairs just at the threshold that share a band. */
const RECALL = 0.99;
const MOST_BANDS = 64;
const MOST_ROWS = 32;

/** The longest bands, which keep the most strangers apart, that find the pairs at the threshold. */
export const layoutFor = (threshold: number): Layout => {
  const agree = 1 - Math.acos(threshold) / Math.PI;
  for (let rows = MOST_ROWS; rows > 1; rows--) {
    const chance = agree ** rows;
    const bands = chance >= RECALL ? 1 : Math.ceil(Math.log(1 - RECALL) / Math.log(1 - chance));
    if (bands <= MOST_BANDS) return { bands, rows };
  }
  return { bands: MOST_BANDS, rows: 1 };
};

const ROUNDS = 3;

/** Band values of vectors of one length. */
export const hyperplanes = ({ bands, rows }: Layout): ((vector: Int8Array) => Uint32Array) => {
  const bits = bands * rows;
  let signs: Float64Array[] = [];
  let scratch = new Float64Array(0);
  const prepare = (length: number): void => {
    let n = 2;
    while (n < length) n *= 2;
    scratch = new Float64Array(n);
    const below = drawing(0x5eed);
    signs = Array.from({ length: Math.ceil(bits / n) * ROUNDS }, () =>
      Float64Array.from({ length: n }, () => (below(2) === 0 ? -1 : 1)),
    );
  };
  let prepared = -1;
  return vector => {
    if (vector.length !== prepared) prepare((prepared = vector.length));
    const n = scratch.length;
    const out = new Uint32Array(bands);
    for (let block = 0, bit = 0; bit < bits; block++) {
      scratch.fill(0);
      scratch.set(vector);
      for (let round = 0; round < ROUNDS; round++) {
        const flip = signs[block * ROUNDS + round]!;
        for (let i = 0; i < n; i++) scratch[i]! *= flip[i]!;
        hadamard(scratch);
      }
      for (let i = 0; i < n && bit < bits; i++, bit++)
        if (scratch[i]! >= 0) out[Math.floor(bit / rows)]! |= 1 << (bit % rows);
    }
    return out;
  };
};

/** In place, unscaled. */
const hadamard = (values: Float64Array): void => {
  for (let half = 1; half < values.length; half *= 2) {
    for (let start = 0; start < values.length; start += half * 2) {
      for (let i = start; i < start + half; i++) {
        const a = values[i]!;
        const b = values[i + half]!;
        values[i] = a + b;
        values[i + half] = a - b;
      }
    }
  }
};
