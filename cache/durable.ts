/** Files and folders that are there whole after a kill or a crash, or not at all. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { disk, writeAll } from './disk.ts';

/** A name beside `path` for what is to be renamed to it; swept away when it has grown old. */
export const tempFor = (path: string): string => `${path}.${randomBytes(6).toString('hex')}.tmp`;

/** Temp file, fsync, rename, fsync of the folder: the path holds the old content or the new, whole. */
export const writeDurably = (path: string, bytes: Uint8Array | string): void => write(path, bytes, true);

/** Temp file and rename: as `writeDurably`, but for a crash of the machine. */
export const writeWhole = (path: string, bytes: Uint8Array | string): void => write(path, bytes, false);

const write = (path: string, bytes: Uint8Array | string, durably: boolean): void => {
  const temp = tempFor(path);
  const fd = disk.open(temp, 'wx');
  try {
    try {
      writeAll(fd, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
      if (durably) disk.sync(fd);
    } finally {
      disk.close(fd);
    }
    disk.rename(temp, path);
  } catch (error) {
    disk.remove(temp);
    throw error;
  }
  if (durably) syncFolder(dirname(path));
};

/**
 * As `mkdirSync` with `recursive`, which never returns where the file system says ENOENT for a folder whose parent is
 * there (/proc, for one).
 */
export const makeFolder = (path: string): void => {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may have been faster.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
};

export const syncFolder = (folder: string): void => {
  const fd = disk.open(folder, 'r');
  try {
    disk.sync(fd);
  } finally {
    disk.close(fd);
  }
};
