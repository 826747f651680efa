/** Files that git LFS has not fetched: small texts in their place. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { InputFile } from '../contract.ts';

const POINTER = 'version https://git-lfs.github.com/spec/';

export const isPointer = ({ path, size }: Pick<InputFile, 'path' | 'size'>): boolean => {
  if (size > 1024) return false;
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(POINTER.length);
    return readSync(fd, head, 0, head.length, 0) === head.length && head.toString('latin1') === POINTER;
  } finally {
    closeSync(fd);
  }
};
