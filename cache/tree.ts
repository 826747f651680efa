/**
 * Trees: folders of files as the store keeps them.
 *
 *   tree   {"format":1,"files":[[name, digest, size], …]}     names sorted, with "/"; each file a blob of its own
 */
import { type Dirent, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { BlobCorrupt } from './blob.ts';
import type { Store } from './store.ts';

export type TreeFile = readonly [name: string, digest: string, size: number];

const FORMAT = 1;

/** Throws on anything that is not a tree. */
export const decodeTree = (bytes: Uint8Array): readonly TreeFile[] => {
  const { format, files } = JSON.parse(Buffer.from(bytes).toString()) as { format: number; files: readonly TreeFile[] };
  if (format !== FORMAT || !Array.isArray(files)) throw new Error('not a tree');
  return files;
};

/** Name, digest and size of each file of a tree; null when the store does not have it. Throws BlobCorrupt. */
export const readTree = (store: Store, name: string): readonly TreeFile[] | null => {
  const bytes = store.read(name);
  return bytes && decodeTree(bytes);
};

const entriesOf = (folder: string): Dirent[] =>
  existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];

/** Takes a folder's files into the store; the result's digest names them all; a folder that is not there has none. With `move` the folder is used up. */
export const storeTree = (store: Store, folder: string, { move = false } = {}): string => {
  const files = entriesOf(folder)
    .filter(e => e.isFile())
    .map(e => relative(folder, join(e.parentPath, e.name)))
    .sort()
    .map((name): TreeFile => {
      const { digest, size } = store.putFile(join(folder, name), { move });
      return [name.split(sep).join('/'), digest, size];
    });
  return store.put(Buffer.from(JSON.stringify({ format: FORMAT, files }))).digest;
};

/**
 * Makes `folder` hold the tree's files; what else lies there stays. `look` tells the digest of a file's content;
 * `onWrong` hears of each file that was not there, or with other content. Throws BlobCorrupt.
 */
export const placeTree = (
  store: Store,
  name: string,
  folder: string,
  { look, onWrong = () => {} }: { look(path: string): string; onWrong?(file: string): void },
): void => {
  const files = readTree(store, name);
  if (!files) throw new BlobCorrupt(name, 'is not in the store');
  for (const [file, digest, size] of files) {
    const path = join(folder, file);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() && stat.size === size && look(path) === digest) continue;
    onWrong(file);
    mkdirSync(dirname(path), { recursive: true });
    store.materialize(digest, path);
  }
};
