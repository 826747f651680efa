/** Loose blobs: files of their own, taken in and given out by sharing blocks where the file system can, never held in memory. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BlobCorrupt, type BlobLocation } from './blob.ts';
import { disk } from './disk.ts';
import { makeFolder, syncFolder, tempFor } from './durable.ts';
import { type Hashed, hashOpen } from './hash-file.ts';

export const loosePath = (folder: string, digest: string): string => join(folder, 'blobs', digest.slice(0, 2), digest);

/** Makes the folder in which a loose blob belongs, durably, and returns the blob's path. */
export const makeLoosePath = (folder: string, digest: string): string => {
  const path = loosePath(folder, digest);
  const parent = dirname(path);
  if (!existsSync(parent)) {
    makeFolder(parent);
    syncFolder(dirname(parent));
  }
  return path;
};

/**
 * Makes a file of the store's folder a loose blob. With `move` the file itself becomes it, unless it has other names or
 * lies on another disk: it must not change any more. What is hashed is what is kept.
 */
export const takeIn = (path: string, folder: string, move: boolean): Hashed => {
  makeFolder(join(folder, 'blobs'));
  const temp = tempFor(join(folder, 'blobs', 'new'));
  try {
    if (!move || statSync(path).nlink > 1 || !moved(path, temp)) disk.copy(path, temp);
    const blob = hashDurable(temp);
    const to = makeLoosePath(folder, blob.digest);
    if (statSync(to, { throwIfNoEntry: false })?.size === blob.size) disk.remove(temp);
    else disk.rename(temp, to);
    syncFolder(dirname(to));
    return blob;
  } catch (error) {
    disk.remove(temp);
    throw error;
  }
};

const moved = (from: string, to: string): boolean => {
  try {
    disk.rename(from, to);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'EXDEV') return false;
    throw error;
  }
};

/** Makes `path` a copy of a loose blob, whole or not at all. Throws BlobCorrupt when it is not what its name says. */
export const giveOut = (at: BlobLocation, path: string): void => {
  const temp = tempFor(path);
  try {
    disk.copy(at.path, temp);
    if (hashDurable(temp).digest !== at.digest)
      throw new BlobCorrupt(at.digest, `is not what its name says (${at.path})`);
    disk.rename(temp, path);
  } catch (error) {
    disk.remove(temp);
    const { code } = error as { code?: string };
    if (code === 'ENOENT' && !existsSync(at.path)) throw new BlobCorrupt(at.digest, `is missing: ${at.path}`, true);
    throw error;
  }
  syncFolder(dirname(path));
};

/** Digest and size of a file, which is durable then. */
const hashDurable = (path: string): Hashed => {
  const fd = disk.open(path, 'r');
  try {
    const blob = hashOpen(fd);
    disk.sync(fd);
    return blob;
  } finally {
    disk.close(fd);
  }
};
