/**
 * Runs of words of a text, each as a hash of 64 bits in two numbers. Words are compared without capitals and punctuation; in scripts
 * without spaces every character is a word (`../near-dedup/characters.ts` says what a word is made of).
 */
import { ALONE, IGNORED, SEEN_AS, SEPARATOR, seenBeyond } from '../near-dedup/characters.ts';
import { mix } from '../near-dedup/hash.ts';

const BASE_A = 0x2c1b3c6d;
const BASE_B = 0x1b873593;
const PRIME = 0x01000193;

/** The words of a text: two hashes each, where it begins and ends, and whether it is a character of a script without spaces. */
export interface Words {
  readonly a: Int32Array;
  readonly b: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly alone: Uint8Array;
  readonly count: number;
}

/** Its arrays are used again by the next call. */
export const wordCutter = (): ((text: string) => Words) => {
  let size = 0;
  let a = new Int32Array(0);
  let b = new Int32Array(0);
  let starts = new Int32Array(0);
  let ends = new Int32Array(0);
  let alone = new Uint8Array(0);
  return text => {
    if (size < text.length + 1) {
      size = 2 * (text.length + 1);
      [a, b, starts, ends] = [new Int32Array(size), new Int32Array(size), new Int32Array(size), new Int32Array(size)];
      alone = new Uint8Array(size);
    }
    let count = 0;
    let [ha, hb, open] = [0, 0, false];
    const close = (end: number): void => {
      a[count] = mix(ha);
      b[count] = mix(hb ^ 0x9e3779b9);
      ends[count++] = end;
      open = false;
    };
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      let seen = SEEN_AS[unit]!;
      if (seen === IGNORED) continue;
      const at = i;
      let low = 0;
      if ((unit & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
        low = text.charCodeAt(++i);
        seen = seenBeyond(unit, low);
        if (seen === IGNORED) continue;
      }
      if (open && (seen === SEPARATOR || seen >= ALONE)) close(at);
      if (seen === SEPARATOR) continue;
      if (!open) {
        starts[count] = at;
        alone[count] = seen >= ALONE ? 1 : 0;
        [ha, hb, open] = [0x811c9dc5 | 0, 0x01234567, true];
      }
      ha = Math.imul(ha ^ (seen & 0xffff), PRIME);
      hb = Math.imul(hb ^ (seen & 0xffff), BASE_B) ^ (hb >>> 15);
      if (low !== 0) {
        ha = Math.imul(ha ^ low, PRIME);
        hb = Math.imul(hb ^ low, BASE_B) ^ (hb >>> 15);
      }
      if (seen >= ALONE) close(i + 1);
    }
    if (open) close(text.length);
    return { a, b, starts, ends, alone, count };
  };
};

/**
 * Calls `run` for each run of `size` words with its hash and its first word, until it says true. Polynomials in two bases over the
 * window, so that a long text takes one step a word.
 */
export const eachRun = (
  { a, b, count }: Words,
  size: number,
  run: (high: number, low: number, first: number) => boolean,
): boolean => {
  if (count < size) return false;
  let [leavingA, leavingB] = [1, 1];
  for (let i = 1; i < size; i++) {
    leavingA = Math.imul(leavingA, BASE_A);
    leavingB = Math.imul(leavingB, BASE_B);
  }
  let [x, y] = [0, 0];
  for (let i = 0; i < count; i++) {
    if (i >= size) {
      x = (x - Math.imul(a[i - size]!, leavingA)) | 0;
      y = (y - Math.imul(b[i - size]!, leavingB)) | 0;
    }
    x = (Math.imul(x, BASE_A) + a[i]!) | 0;
    y = (Math.imul(y, BASE_B) + b[i]!) | 0;
    if (i + 1 >= size && run(mix(x), mix(y), i + 1 - size)) return true;
  }
  return false;
};
