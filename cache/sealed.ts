/**
 * Parts of bytes in one file under a checksum: what was cut short or changed by a bit is nothing at all. For states that
 * are only ever a shortcut, read at every start: neither a hash's library nor a parser is loaded for them.
 *
 *   checksum, number of parts, length of each (32 bits each), then the parts, each from a multiple of 8 bytes on
 */
import { readFileSync } from 'node:fs';

/** Null for anything that is not whole. */
export const readSealed = (path: string): Buffer[] | null => {
  try {
    return unseal(readFileSync(path));
  } catch {
    return null;
  }
};

export const seal = (parts: readonly Uint8Array[]): Buffer => {
  const head = padded(4 * (2 + parts.length));
  const out = Buffer.alloc(parts.reduce((n, p) => n + padded(p.byteLength), head));
  out.writeUInt32LE(parts.length, 4);
  let at = head;
  for (const [i, part] of parts.entries()) {
    out.writeUInt32LE(part.byteLength, 8 + 4 * i);
    out.set(part, at);
    at += padded(part.byteLength);
  }
  out.writeInt32LE(checksum(out), 0);
  return out;
};

export const unseal = (bytes: Buffer): Buffer[] | null => {
  // Typed arrays are laid over the parts.
  const whole = bytes.byteOffset % 8 === 0 ? bytes : Buffer.from(new Uint8Array(bytes).buffer);
  if (whole.byteLength < 8 || whole.byteLength % 8 !== 0 || whole.readInt32LE(0) !== checksum(whole)) return null;
  const count = whole.readUInt32LE(4);
  let at = padded(4 * (2 + count));
  const parts: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const length = whole.readUInt32LE(8 + 4 * i);
    parts.push(whole.subarray(at, at + length));
    at += padded(length);
  }
  return at === whole.byteLength ? parts : null;
};

const padded = (length: number): number => (length + 7) & ~7;

/**
 * FNV-1a by words of 32 bits, without the first, finished by murmur3's mixer. Each step is a bijection of the state, so a
 * change within one word never goes unnoticed, other changes by one chance in 2^32.
 */
const checksum = (bytes: Buffer): number => {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  let h = 0x811c9dc5 ^ words.length;
  for (let i = 1; i < words.length; i++) {
    h = Math.imul(h ^ words[i]!, 0x01000193);
    // Else high bits would never reach the low ones.
    h ^= h >>> 15;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};
