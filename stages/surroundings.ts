/** What a program that is not ours finds around it: a fresh folder with the files that its node declares, and a clean environment. */
import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { InputFile } from './contract.ts';

/** How files and folders come into being. */
export interface Placing {
  /** Makes a file, in a folder that is there; `mode` as `stat` tells it. */
  place(path: string, content: Uint8Array, mode: number): void;
  /** Makes a folder, and those above it. */
  folder(path: string): void;
}

const plainly: Placing = {
  place: (path, content, mode) => writeFileSync(path, content, { mode }),
  folder: path => void mkdirSync(path, { recursive: true }),
};

/**
 * Puts files below `root` at their recipe-relative paths, as copies: whoever changes one spoils its own only. Returns the folder
 * that stands for the recipe's: `root`, or one so far down that `../data/a.csv` is in it, too. Where the file system can share
 * blocks (Btrfs, XFS, APFS) a copy costs nothing.
 */
export const placeFiles = (root: string, files: readonly InputFile[], placing: Placing = plainly): string => {
  const ups = files.map(({ name }) => name.split('/').findIndex(part => part !== '..'));
  const folder = join(root, ...Array<string>(Math.max(0, ...ups)).fill('recipe'));
  const made = new Set<string>();
  for (const at of [folder, ...files.map(({ name }) => dirname(join(folder, name)))]) {
    if (made.has(at)) continue;
    made.add(at);
    placing.folder(at);
  }
  for (const { name, path, size } of files) {
    const to = join(folder, name);
    // A small one is copied by hand in half the time.
    if (size > SMALL) copyFileSync(path, to, CLONE);
    else placeSmall(path, to, placing);
  }
  return folder;
};

/** Files up to this size are read and written rather than copied by the system, bytes. */
export const SMALL = 1 << 16;

const placeSmall = (from: string, to: string, placing: Placing): void => {
  const fd = openSync(from, 'r');
  try {
    placing.place(to, readFileSync(fd), fstatSync(fd).mode);
  } finally {
    closeSync(fd);
  }
};

// Linux shares blocks unasked (copy_file_range), and asking it costs a fifth of a small copy.
const CLONE = process.platform === 'darwin' ? constants.COPYFILE_FICLONE : 0;

/** Nothing of ours but PATH; and what the recipe declares. `home` is an empty folder. */
export const cleanEnvironment = (
  home: string,
  declared: Readonly<Record<string, unknown>>,
): Record<string, string> => ({
  PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
  HOME: home,
  LANG: 'C.UTF-8',
  TZ: 'UTC',
  ...Object.fromEntries(Object.entries(declared).map(([name, value]) => [name, String(value)])),
});
