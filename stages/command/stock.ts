/** Files and folders that have been used, and wait to be used again: in a folder of their own, under numbers. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** How many of each wait. */
const MOST = 256;

/** A named pipe, and its reading end. */
export interface Pipe {
  readonly path: string;
  readonly end: number;
}

export class Stock {
  /** Those that nobody holds. */
  readonly pipes: Pipe[] = [];
  readonly #root: string;
  readonly #files: { readonly path: string; readonly mode: number }[] = [];
  readonly #folders: string[] = [];
  #count = 0;

  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true });
  }

  /** A file that was made with this mode; what is in it is anything. */
  file(mode: number): string | null {
    const at = this.#files.findLastIndex(f => f.mode === mode);
    return at === -1 ? null : this.#files.splice(at, 1)[0]!.path;
  }

  /** An empty folder. */
  folder(): string | null {
    return this.#folders.pop() ?? null;
  }

  giveFile(path: string, mode: number): void {
    if (this.#files.length < MOST) this.#files.push({ path: this.#take(path), mode });
    else rmSync(path, { force: true });
  }

  /** Whether it was taken. */
  giveFolder(path: string): boolean {
    if (this.#folders.length >= MOST) return false;
    this.#folders.push(this.#take(path));
    return true;
  }

  #take(path: string): string {
    const to = join(this.#root, `${this.#count++}`);
    renameSync(path, to);
    return to;
  }
}
