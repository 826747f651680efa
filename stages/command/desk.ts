/**
 * Folders in which commands run, one after another, emptied in between: `files` with copies of what the node declares, `in` with
 * what other nodes made, an empty `home`, and `out`.
 *
 * Files and folders of the command before are used again, by renaming: ext4 looks for room for each new file past all that
 * were deleted in the last minutes (`recently_deleted` in its ialloc.c), so a build that makes and removes ten small files a
 * node would take longer for each node than for the one before.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Placing } from '../surroundings.ts';

/** How many files, and folders, wait to be used again. */
const SPARE = 256;

/** What tells whether a file is still as it was placed. */
const inWords = (of: {
  ino: bigint;
  nlink: bigint;
  mode: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}): string => `${of.ino} ${of.nlink} ${of.mode} ${of.size} ${of.mtimeNs} ${of.ctimeNs}`;

export class Desk implements Placing {
  readonly files: string;
  readonly in: string;
  readonly home: string;
  readonly out: string;
  readonly root: string;
  readonly #mode: number;
  readonly #spareFiles: { readonly path: string; readonly mode: number }[] = [];
  readonly #spareFolders: string[] = [];
  /** The files that we placed, as they were then. */
  readonly #placed = new Map<string, { readonly state: string; readonly mode: number }>();
  readonly #folders = new Set<string>();
  #count = 0;

  constructor(root: string) {
    this.root = root;
    this.files = join(root, 'files');
    this.in = join(root, 'in');
    this.home = join(root, 'home');
    this.out = join(root, 'out');
    for (const part of [...this.#parts(), join(root, 'spare')]) mkdirSync(part, { recursive: true });
    this.#mode = lstatSync(this.home).mode;
  }

  place(path: string, content: Uint8Array, mode: number): void {
    const at = this.#spareFiles.findLastIndex(s => s.mode === mode);
    const spare = at === -1 ? null : this.#spareFiles.splice(at, 1)[0]!;
    if (spare) renameSync(spare.path, path);
    const fd = openSync(path, spare ? 'r+' : 'wx', mode);
    try {
      for (let done = 0; done < content.byteLength; ) done += writeSync(fd, content, done);
      // Never cut to nothing first: what is written after that, ext4 brings to the disk at once.
      if (spare) ftruncateSync(fd, content.byteLength);
      this.#placed.set(path, { state: inWords(fstatSync(fd, { bigint: true })), mode });
    } finally {
      closeSync(fd);
    }
  }

  folder(path: string): void {
    if (this.#folders.has(path) || this.#parts().includes(path)) return;
    this.folder(dirname(path));
    this.#folders.add(path);
    const spare = this.#spareFolders.pop();
    if (spare) renameSync(spare, path);
    else mkdirSync(path);
  }

  /** Empties it. Throws system errors where something cannot be removed: then it is of no more use. */
  clear(): void {
    for (const part of this.#parts()) this.#empty(part);
    this.#placed.clear();
    this.#folders.clear();
  }

  #parts(): readonly string[] {
    return [this.files, this.in, this.home, this.out];
  }

  #empty(folder: string): void {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (!entry.isDirectory()) this.#takeFile(path);
      else if (this.#folders.has(path)) {
        this.#empty(path);
        this.#takeFolder(path);
      } else this.#remove(path);
    }
  }

  /** What the command has changed may still be open to something that it left behind. */
  #takeFile(path: string): void {
    const placed = this.#placed.get(path);
    const isSame = placed?.state === inWords(lstatSync(path, { bigint: true }));
    if (placed && isSame && this.#spareFiles.length < SPARE)
      this.#spareFiles.push({ path: this.#spare(path), mode: placed.mode });
    else rmSync(path, { force: true });
  }

  #takeFolder(path: string): void {
    if (lstatSync(path).mode === this.#mode && this.#spareFolders.length < SPARE)
      this.#spareFolders.push(this.#spare(path));
    else this.#remove(path);
  }

  #spare(path: string): string {
    const to = join(this.root, 'spare', `${this.#count++}`);
    renameSync(path, to);
    return to;
  }

  /** It is out of the way at once; how much is in it, nobody knows. */
  #remove(folder: string): void {
    rm(this.#spare(folder), { recursive: true, force: true }).catch(() => {});
  }
}

const idle = new Map<string, Desk[]>();
let count = 0;

/** An empty desk in a folder; those given back are used again. */
export const takeDesk = (folder: string): Desk => idle.get(folder)?.pop() ?? new Desk(join(folder, `desk-${count++}`));

/** To be called when nothing on it is needed any more. */
export const giveBack = (folder: string, desk: Desk): void => {
  try {
    desk.clear();
  } catch {
    return;
  }
  const others = idle.get(folder);
  if (others) others.push(desk);
  else {
    // One folder a build: those of earlier ones have been removed.
    idle.clear();
    idle.set(folder, [desk]);
  }
};
