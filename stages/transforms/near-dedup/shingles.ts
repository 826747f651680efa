/** Shingles of a text: one 32-bit hash for every few neighbouring words, made without a string for any of them. */
import { ALONE, IGNORED, SEEN_AS, SEPARATOR, seenBeyond } from './characters.ts';
import { mix } from './hash.ts';

const OFFSET = 0x811c9dc5 | 0;
const PRIME = 0x01000193;
/** Odd, so that multiplying by it loses nothing. */
const BASE = 0x2c1b3c6d;

export interface Shingler {
  /** The hashes, repetitions included; a text of fewer words is one shingle, one without words none. Valid until the next call. */
  of(texts: readonly string[]): Int32Array;
}

/** Shingles of `size` words. */
export const shingler = (size: number): Shingler => {
  let words = new Int32Array(1024);
  let count = 0;
  // BASE ** size: what the word that leaves the window has been multiplied by.
  let leaving = 1;
  for (let i = 0; i < size; i++) leaving = Math.imul(leaving, BASE);

  const cut = (text: string, normal: boolean): void => {
    if (words.length < count + text.length + 1) {
      const more = new Int32Array(2 * (count + text.length + 1));
      more.set(words.subarray(0, count));
      words = more;
    }
    const out = words;
    const { length } = text;
    let next = count;
    let hash = OFFSET;
    let open = false;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      let seen = SEEN_AS[unit]!;
      let low = 0;
      if (unit >= 0x80) {
        // ASCII is in NFKC as it is.
        if (!normal) {
          cut(text.normalize('NFKC'), true);
          return;
        }
        if (seen === IGNORED) continue;
        if ((unit & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
          low = text.charCodeAt(++i);
          seen = seenBeyond(unit, low);
        }
      }
      if (open && (seen === SEPARATOR || seen >= ALONE)) {
        out[next++] = mix(hash);
        hash = OFFSET;
        open = false;
      }
      if (seen === SEPARATOR || seen === IGNORED) continue;
      hash = Math.imul(hash ^ seen, PRIME);
      if (low !== 0) hash = Math.imul(hash ^ low, PRIME);
      if (seen < ALONE) open = true;
      else {
        out[next++] = mix(hash);
        hash = OFFSET;
      }
    }
    if (open) out[next++] = mix(hash);
    count = next;
  };

  return {
    of(texts) {
      count = 0;
      for (const text of texts) cut(text, false);
      // A polynomial in BASE over the window, from its end to its start in the array: the result takes the words' place.
      let rolling = 0;
      const first = Math.min(size, count);
      for (let i = 0; i < first; i++) rolling = (Math.imul(rolling, BASE) + words[i]!) | 0;
      if (count <= size) {
        words[0] = mix(rolling);
        return words.subarray(0, Math.min(count, 1));
      }
      let out = words[0]!;
      words[0] = mix(rolling);
      for (let i = size; i < count; i++) {
        rolling = (Math.imul(rolling, BASE) + words[i]! - Math.imul(out, leaving)) | 0;
        out = words[i - size + 1]!;
        words[i - size + 1] = mix(rolling);
      }
      return words.subarray(0, count - size + 1);
    },
  };
};
