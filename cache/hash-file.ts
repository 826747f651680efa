/** BLAKE3 of a file, a piece at a time. */
import { hasher } from './digest.ts';
import { disk } from './disk.ts';

export interface Hashed {
  readonly digest: string;
  readonly size: number;
}

const PIECE = 1 << 20;

export const hashFile = (path: string): Hashed => {
  const fd = disk.open(path, 'r');
  try {
    return hashOpen(fd);
  } finally {
    disk.close(fd);
  }
};

export const hashOpen = (fd: number): Hashed => {
  const hash = hasher();
  const piece = Buffer.allocUnsafe(PIECE);
  let size = 0;
  for (let n = 1; n > 0; size += n) {
    n = disk.read(fd, piece, 0, PIECE, size);
    hash.update(piece.subarray(0, n));
  }
  return { digest: hash.digest(), size };
};
