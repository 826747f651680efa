/**
 * SimHash (Charikar 2002): 64 bits, each the vote of all shingles, of which similar texts share most. Bits are cut into
 * `distance + 2` blocks; two that differ in at most `distance` bits agree in two whole blocks, so every pair of blocks is a
 * band, and no such pair of rows is missed.
 */
import type { Sketch } from '../../contract.ts';
import { append, mix } from './hash.ts';

const BITS = 64;

export const simhashShape = (distance: number): { readonly bands: number; readonly bytes: number } => ({
  bands: ((distance + 2) * (distance + 1)) / 2,
  bytes: BITS / 8,
});

/** The four bits of a number as the lowest bits of four bytes: counters of which four are added at once. */
const SPREAD = Int32Array.from({ length: 16 }, (_, n) => (n & 1) | ((n & 2) << 7) | ((n & 4) << 14) | ((n & 8) << 21));
/** Votes that fit into a byte. */
const FLUSH = 255;

/** Sketches of shingles, null for none; its arrays are used again by the next call. */
export const simhash = (distance: number): ((shingles: Int32Array) => Sketch | null) => {
  const sketch = { bands: new Uint32Array(simhashShape(distance).bands), bytes: new Uint8Array(BITS / 8) };
  const lanes = new Int32Array(BITS / 4);
  const votes = new Int32Array(BITS);
  const blocks = blocksOf(distance + 2);

  return shingles => {
    if (shingles.length === 0) return null;
    votes.fill(0);
    for (let from = 0; from < shingles.length; from += FLUSH) {
      lanes.fill(0);
      const to = Math.min(from + FLUSH, shingles.length);
      for (let i = from; i < to; i++) {
        const low = shingles[i]!;
        const high = mix(low ^ 0x5bd1e995);
        for (let lane = 0; lane < 8; lane++) {
          lanes[lane]! += SPREAD[(low >>> (lane * 4)) & 15]!;
          lanes[lane + 8]! += SPREAD[(high >>> (lane * 4)) & 15]!;
        }
      }
      for (let bit = 0; bit < BITS; bit++) votes[bit]! += (lanes[bit >> 2]! >>> ((bit & 3) * 8)) & 255;
    }
    sketch.bytes.fill(0);
    for (let bit = 0; bit < BITS; bit++) {
      if (2 * votes[bit]! > shingles.length) sketch.bytes[bit >> 3]! |= 1 << (bit & 7);
    }
    let band = 0;
    for (let i = 0; i < blocks.length; i++) {
      for (let j = i + 1; j < blocks.length; j++) {
        const both = append(append(band, part(sketch.bytes, blocks[i]!)), part(sketch.bytes, blocks[j]!));
        sketch.bands[band++] = mix(both);
      }
    }
    return sketch;
  };
};

type Block = readonly [from: number, to: number];

const blocksOf = (count: number): Block[] =>
  Array.from({ length: count }, (_, i) => [Math.floor((i * BITS) / count), Math.floor(((i + 1) * BITS) / count)]);

const part = (bytes: Uint8Array, [from, to]: Block): number => {
  let bits = 0;
  for (let bit = from; bit < to; bit++) bits = (bits << 1) | ((bytes[bit >> 3]! >> (bit & 7)) & 1);
  return bits;
};

/** Number of bits in which two sketches' bytes differ. */
export const hamming = (a: Uint8Array, b: Uint8Array): number => {
  let different = 0;
  for (let i = 0; i < a.length; i++) for (let bits = a[i]! ^ b[i]!; bits !== 0; bits &= bits - 1) different++;
  return different;
};
