/**
 * Cuts a file of lines into stretches whose borders depend on the bytes near them alone, so that an edit changes the stretch
 * that it is in, or two (content-defined chunking with a gear hash; Xia et al., "FastCDC", 2016).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { hasher } from '../../../cache/digest.ts';
import { STRETCH } from '../../../cache/grain.ts';
import type { InputFile } from '../../../stages/contract.ts';
import type { CutAnswer } from './tasks.ts';

const { least: LEAST, one: ONE, most: MOST } = STRETCH;
/** The hash's upper bits, which all of the last 32 bytes have a share in. */
const MASK = (ONE - 1) << 17;
const READ = 1 << 20;

/** 256 fixed words, from a linear congruential generator. */
const GEAR = (() => {
  let state = 0x2545f491;
  return Int32Array.from({ length: 256 }, () => {
    state = Math.imul(state, 1664525) + 1013904223;
    return state ^ (state >>> 15);
  });
})();

export const cutFile = (path: string): CutAnswer['stretches'] => {
  const out: { start: number; end: number; digest: string }[] = [];
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(READ);
    let hash = hasher();
    let start = 0;
    let offset = 0;
    /** Bytes of the stretch so far; whether its border is found and only its last line is to be completed. */
    let length = 0;
    let ending = false;
    let gear = 0;
    const finish = (end: number) => {
      out.push({ start, end, digest: hash.digest() });
      hash = hasher();
      start = end;
      length = 0;
      ending = false;
      gear = 0;
    };
    for (let n = readSync(fd, buffer, 0, READ, 0); n > 0; n = readSync(fd, buffer, 0, READ, offset)) {
      let from = 0;
      for (let i = 0; i < n; ) {
        if (!ending) {
          const skip = Math.min(n - i, Math.max(0, LEAST - length));
          i += skip;
          length += skip;
          const until = Math.min(n, i + Math.max(0, MOST - length));
          const before = i;
          while (i < until) {
            gear = (gear << 1) + GEAR[buffer[i]!]!;
            i++;
            if ((gear & MASK) === 0) {
              ending = true;
              break;
            }
          }
          length += i - before;
          if (length >= MOST) ending = true;
          if (!ending) continue;
        }
        const newline = buffer.subarray(0, n).indexOf(10, i === 0 ? 0 : i - 1);
        if (newline === -1) {
          i = n;
          continue;
        }
        i = newline + 1;
        const piece = buffer.subarray(from, i);
        hash.update(piece);
        from = i;
        finish(offset + i);
      }
      if (from < n) {
        const piece = buffer.subarray(from, n);
        hash.update(piece);
      }
      offset += n;
    }
    if (offset > start) finish(offset);
    return out;
  } finally {
    closeSync(fd);
  }
};

/** Parts that a stage cuts a file into, named by their bytes and by what else their rows depend on. */
export const namedParts = (
  file: InputFile,
  parts: readonly { readonly start: number; readonly end: number; readonly of: string }[],
): CutAnswer['stretches'] => {
  const fd = openSync(file.path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(READ);
    return parts.map(({ start, end, of }) => {
      const hash = hasher();
      hash.update(Buffer.from(`${file.name}\n${of}\n`));
      for (let at = start; at < end; ) {
        const n = readSync(fd, buffer, 0, Math.min(READ, end - at), at);
        if (n === 0) break;
        hash.update(buffer.subarray(0, n));
        at += n;
      }
      return { start, end, digest: hash.digest() };
    });
  } finally {
    closeSync(fd);
  }
};
