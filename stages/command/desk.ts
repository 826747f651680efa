/**
 * The folders in which a command runs, new for each: `files` with copies of what its node declares, `in` with what other nodes
 * made, an empty `home`, and `out`.
 *
 * What they are made of is used again, by renaming, where nobody can tell: ext4 looks for room for each new file past all that
 * were deleted in the last minutes (`recently_deleted` in its ialloc.c), so a build that makes and removes ten small files a node
 * would take longer for each node than for the one before. Whoever could still write to any of it keeps it: a command, and
 * all that it starts, holds the writing end of a pipe of ours, and only when nobody does any more is anything taken from it.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Placing } from '../surroundings.ts';
import { runInShell } from './shell.ts';
import { type Pipe, Stock } from './stock.ts';

/** What tells whether a file is still as it was placed. */
const inWords = (of: { ino: bigint; nlink: bigint; mode: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }) =>
  `${of.ino} ${of.nlink} ${of.mode} ${of.size} ${of.mtimeNs} ${of.ctimeNs}`;

const OWNER_WRITES = 0o200;

export class Desk implements Placing {
  readonly root: string;
  readonly files: string;
  readonly in: string;
  readonly home: string;
  readonly out: string;
  readonly #stock: Stock;
  readonly #pipe: Pipe | null;
  /** The files that we placed, as they were then. */
  readonly #placed = new Map<string, { readonly state: string; readonly mode: number }>();
  /** The folders that we made, and what they were: a link put in the place of one leads elsewhere. */
  readonly #folders = new Map<string, string>();

  /** Without a pipe nothing of it is used again. */
  constructor(root: string, stock: Stock, pipe: Pipe | null) {
    this.root = root;
    this.#pipe = pipe;
    this.#stock = stock;
    this.files = join(root, 'files');
    this.in = join(root, 'in');
    this.home = join(root, 'home');
    this.out = join(root, 'out');
    this.#make(root);
    for (const part of [this.files, this.in, this.home, this.out]) this.#make(part);
  }

  /** A named pipe whose writing end the command is to hold. */
  get held(): string | null {
    return this.#pipe?.path ?? null;
  }

  place(path: string, content: Uint8Array, mode: number): void {
    const spare = this.#stock.file(mode);
    if (spare) renameSync(spare, path);
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
    if (this.#folders.has(path)) return;
    this.folder(dirname(path));
    this.#make(path);
  }

  /** What can be used again goes into the stock; the rest is removed, unless somebody may still be at work in it. */
  clear(): void {
    const pipe = this.#pipe;
    if (pipe && !isQuiet(pipe)) {
      closeSync(pipe.end);
      return;
    }
    if (pipe) {
      this.#stock.pipes.push(pipe);
      try {
        this.#empty(this.root);
      } catch {
        // Something in it cannot be moved or looked at.
      }
    }
    rm(this.root, { recursive: true, force: true }).catch(() => {});
  }

  #make(path: string): void {
    const spare = this.#stock.folder();
    if (spare) renameSync(spare, path);
    else mkdirSync(path, { recursive: true });
    this.#folders.set(path, folderInWords(path));
  }

  /** A folder that is still the one that we made goes into the stock itself when it is empty; whether it has. */
  #empty(folder: string): boolean {
    if (this.#folders.get(folder) !== folderInWords(folder)) return false;
    let left = 0;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (!entry.isDirectory()) this.#takeFile(path);
      else if (!this.#folders.has(path) || !this.#empty(path)) left++;
    }
    return left === 0 && this.#stock.giveFolder(folder);
  }

  #takeFile(path: string): void {
    const placed = this.#placed.get(path);
    const isSame = placed?.state === inWords(lstatSync(path, { bigint: true }));
    if (placed && isSame && (placed.mode & OWNER_WRITES) !== 0) this.#stock.giveFile(path, placed.mode);
    else rmSync(path, { force: true });
  }
}

/** Whether a command and all that it has started are gone. */
const isQuiet = ({ end }: Pipe): boolean => {
  try {
    return readSync(end, Buffer.alloc(1)) === 0;
  } catch (error) {
    if ((error as { code?: string }).code === 'EAGAIN') return false;
    throw error;
  }
};

const folderInWords = (path: string): string => {
  const { ino, mode } = lstatSync(path, { bigint: true });
  return `${ino} ${mode}`;
};

const stocks = new Map<string, Stock>();
let count = 0;

/** An empty desk, in the folder that is ours for as long as the build lasts. */
export const takeDesk = async (folder: string, signal: AbortSignal): Promise<Desk> => {
  let stock = stocks.get(folder);
  if (!stock) {
    // One folder a build: those of earlier ones have been removed.
    for (const { end } of [...stocks.values()].flatMap(s => s.pipes)) closeSync(end);
    stocks.clear();
    stocks.set(folder, (stock = new Stock(join(folder, 'stock'))));
  }
  const pipe = stock.pipes.pop() ?? (await makePipe(join(folder, `held-${count++}`), signal));
  return new Desk(join(folder, `desk-${count++}`), stock, pipe);
};

/** Null where there are no such pipes. */
const makePipe = async (path: string, signal: AbortSignal): Promise<Pipe | null> => {
  const made = await runInShell({ argv: ['mkfifo', path], folder: dirname(path), env: {}, signal, onText: () => {} });
  return made === 0 ? { path, end: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) } : null;
};
