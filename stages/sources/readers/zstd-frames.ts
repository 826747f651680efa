/**
 * Whether a zstd file is whole, by its frames and blocks (RFC 8878, 3.1): Node 22 gives what there is of one that is cut off,
 * and says nothing.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const MAGIC = 0xfd2fb528;
/** Frames to be passed over: 0x184D2A50 to 0x184D2A5F. */
const SKIPPED = 0x184d2a5;

export const isWholeZstd = (path: string): boolean => {
  const fd = openSync(path, 'r');
  const bytes = Buffer.alloc(8);
  const { size } = fstatSync(fd);
  /** `n` bytes as a number, least first; NaN beyond the end. */
  const number = (at: number, n: number): number =>
    readSync(fd, bytes, 0, n, at) === n ? bytes.readUIntLE(0, n) : Number.NaN;
  try {
    let at = 0;
    while (at < size) {
      const magic = number(at, 4);
      if (Math.floor(magic / 16) === SKIPPED) {
        at += 8 + number(at + 4, 4);
        continue;
      }
      if (magic !== MAGIC) return false;
      at = frameEnd(at + 4, number);
    }
    return at === size;
  } finally {
    closeSync(fd);
  }
};

/** Of the frame whose header begins at `at`; NaN where it is cut off. */
const frameEnd = (at: number, number: (at: number, n: number) => number): number => {
  const descriptor = number(at, 1);
  const isSingle = (descriptor & 32) !== 0;
  const sizes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  let end = at + 1 + (isSingle ? 0 : 1) + dictionary + sizes;
  for (;;) {
    const header = number(end, 3);
    if (Number.isNaN(header)) return Number.NaN;
    const isRun = ((header >> 1) & 3) === 1;
    end += 3 + (isRun ? 1 : header >> 3);
    if (header & 1) return end + (descriptor & 4 ? 4 : 0);
  }
};
