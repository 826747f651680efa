/** Sets of values as sorted hashes of 52 bits, in base64: plain JSON, 11 characters a value, that two sets are joined by. */
import { append, mix } from '../near-dedup/hash.ts';

/** Of a text; two of a million texts share one with a chance of one in ten thousand. */
export const hash52 = (text: string): number => {
  let a = 0x9747b28c | 0;
  let b = 0x3c6ef372 | 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = append(a, unit);
    b = append(b, unit ^ 0x5bd1e995);
  }
  return (mix(a ^ text.length) >>> 0) * 2 ** 20 + ((mix(b) >>> 0) & 0xfffff);
};

const encode = (hashes: Float64Array): string =>
  Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength).toString('base64');

const decode = (set: string): Float64Array => {
  const bytes = Buffer.from(set, 'base64');
  // With a buffer of its own, where numbers begin at multiples of eight.
  return new Float64Array(new Uint8Array(bytes).buffer);
};

export const distinct = (hashes: readonly number[]): string =>
  encode(Float64Array.from([...new Set(hashes)].sort((a, b) => a - b)));

export const union = (x: string, y: string): string => {
  const [a, b] = [decode(x), decode(y)];
  const out = new Float64Array(a.length + b.length);
  let n = 0;
  for (let i = 0, j = 0; i < a.length || j < b.length; n++) {
    const [p, q] = [a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY];
    out[n] = Math.min(p, q);
    if (p <= q) i++;
    if (q <= p) j++;
  }
  return encode(out.subarray(0, n));
};

export const sizeOf = (set: string): number => decode(set).length;
