/** The folder `out/`, where people find what a trainer made; the store stays the truth, and mends it. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../../cache/durable.ts';
import type { Files } from '../../cache/files.ts';
import type { Store } from '../../cache/store.ts';
import { placeTree } from '../../cache/tree.ts';

export class Outs {
  readonly #store: Store;
  /** Files that have not been touched since the last build are not read again. */
  readonly #files: Files;
  readonly #out: string;
  /** What was last put at each path: only then is other content there an edit, and not an older result. */
  readonly #state: string;

  constructor(store: Store, files: Files, out: string) {
    this.#store = store;
    this.#files = files;
    this.#out = out;
    this.#state = join(store.folder, 'outs.json');
  }

  folder(node: string): string {
    return join(this.#out, node);
  }

  /** `onRestored` hears of files that were not what had been put there. */
  place(node: string, tree: string, onRestored: (file: string) => void): string {
    const folder = this.folder(node);
    const last = this.#read();
    mkdirSync(folder, { recursive: true });
    placeTree(this.#store, tree, folder, {
      look: path => this.#files.find(path)?.digest ?? '',
      onWrong: file => {
        if (last[folder] === tree) onRestored(file);
      },
    });
    if (last[folder] !== tree) writeDurably(this.#state, JSON.stringify({ ...last, [folder]: tree }));
    return folder;
  }

  #read(): Record<string, string> {
    try {
      return (JSON.parse(readFileSync(this.#state, 'utf8')) ?? {}) as Record<string, string>;
    } catch {
      return {};
    }
  }
}
