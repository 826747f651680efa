/** Results of nodes while a build runs: what the store keeps of them, looked up and checked, ready to be read by a stage. */
import { join } from 'node:path';
import { BlobCorrupt, type BlobLocation } from '../../cache/blob.ts';
import { decodeManifest } from '../../cache/dataset.ts';
import type { Files } from '../../cache/files.ts';
import { hashFile } from '../../cache/hash-file.ts';
import { modelIsHere, modelsFolder, readModelList } from '../../cache/models.ts';
import type { NodeRecord, StoredOutput } from '../../cache/records.ts';
import { distrust, isDamage } from '../../cache/salvage.ts';
import type { Store } from '../../cache/store.ts';
import { placeTree, readTree, type TreeFile } from '../../cache/tree.ts';
import type { InputFile, TreeInput } from '../../stages/contract.ts';
import type { GraphNode } from '../load/graph.ts';
import { folderOf } from './inputs.ts';
import type { RowsSource } from './protocol.ts';

/** A model is referenced where it lies, file by file: in its node's folder, or in that of all models that came from elsewhere. */
export type Artifact =
  | Exclude<StoredOutput, { type: 'model' }>
  | {
      readonly type: 'model';
      readonly digest: string;
      readonly folder: string;
      readonly files: Readonly<Record<string, string>>;
    };

interface Found {
  readonly key: string;
  readonly store: Store;
  /** The recipe's. */
  readonly folder: string;
  /** What the node's options named just now. */
  readonly files: Readonly<Record<string, readonly InputFile[]>>;
}

/** The artifacts that a node's record stands for, by output. */
export const artifactsOf = (
  node: GraphNode,
  record: NodeRecord,
  { key, store, folder, files }: Found,
): Readonly<Record<string, Artifact>> =>
  Object.fromEntries(
    Object.entries(record.outputs).map(([name, output]): [string, Artifact] => {
      if (output.type !== 'model') return [name, output];
      if (output.digest !== '') return [name, fromElsewhere(store, output.digest)];
      const option = node.files.find(f => f.kind === 'folder');
      if (!option) throw new Error(`${node.uses} gives a model but names no folder`);
      const all = Object.fromEntries((files[option.option] ?? []).map(f => [f.name, f.digest]));
      return [name, { type: 'model', digest: key, folder: folderOf(option, folder), files: all }];
    }),
  );

const fromElsewhere = (store: Store, digest: string): Artifact => {
  const list = readModelList(store, digest);
  if (!list) throw new BlobCorrupt(digest, 'is not in the store');
  const files = Object.fromEntries(Object.entries(list.files).map(([name, [content]]) => [name, content]));
  return { type: 'model', digest, folder: join(modelsFolder(), list.folder), files };
};

/** The dataset's chunks where they lie, or null when one is missing. */
export const rowsSource = (store: Store, manifest: string, prefix = ''): RowsSource | null => {
  const bytes = store.read(manifest);
  if (!bytes) return null;
  const { rows, chunks } = decodeManifest(bytes);
  const at = [];
  for (const chunk of chunks) {
    const found = store.locate(chunk.digest);
    if (!found || found.size !== chunk.bytes) return null;
    at.push({ ...found, rows: chunk.rows });
  }
  return { chunks: at, count: rows, prefix };
};

/** Whether every blob of a record's outputs is in the store with the size it should have: else the record is no hit. */
export const isWhole = (store: Store, record: NodeRecord): boolean => {
  try {
    return Object.values(record.outputs).every(output => {
      if (output.type === 'model') return output.digest === '' || modelIsHere(store, output.digest);
      if (output.type === 'metrics') return store.read(output.digest) !== null;
      if (output.type === 'tree') return treeIsWhole(store, output.digest);
      return rowsAreWhole(store, output.digest) && (output.lineage === null || rowsAreWhole(store, output.lineage));
    });
  } catch (error) {
    // Else the same content would be taken for stored when it is made again.
    if (error instanceof BlobCorrupt) store.forget(error.digest);
    if (isDamage(error)) distrust(store.folder);
    return false;
  }
};

/** Whether the models that came from elsewhere are still what they were: they lie where others may be at them. */
export const modelsAreSound = (store: Store, { outputs }: NodeRecord, files: Files): boolean =>
  Object.values(outputs).every(({ type, digest }) => {
    if (type !== 'model' || digest === '') return true;
    const list = readModelList(store, digest);
    const folder = join(modelsFolder(), list?.folder ?? '');
    return (
      list &&
      Object.entries(list.files).every(([name, [content]]) => files.find(join(folder, name))?.digest === content)
    );
  });

/** Looked up chunk by chunk once, and then known for as long as nothing disappears. */
const rowsAreWhole = (store: Store, manifest: string): boolean => {
  if (store.isKnownWhole(manifest) && store.locate(manifest)) return true;
  const source = rowsSource(store, manifest);
  if (!source) return false;
  store.markWhole(manifest, source.chunks);
  return true;
};

const treeIsWhole = (store: Store, name: string): boolean => {
  if (store.isKnownWhole(name) && store.locate(name)) return true;
  const parts: BlobLocation[] = [];
  const files = readTree(store, name);
  if (!files) return false;
  for (const [, digest, size] of files) {
    const at = store.locate(digest);
    if (at?.size !== size) return false;
    parts.push(at);
  }
  store.markWhole(name, parts);
  return true;
};

/** A read-only view of a tree in the store's own folder, made when it is first needed. */
export const treeFolder = (store: Store, name: string): string => {
  const folder = join(store.folder, 'trees', name);
  placeTree(store, name, folder, { look: path => hashFile(path).digest });
  return folder;
};

/** A tree of which nothing is placed before it is asked for. */
export const lazyTree = (store: Store, name: string): TreeInput => ({
  type: 'tree',
  get folder() {
    return treeFolder(store, name);
  },
  *files() {
    const files = readTree(store, name);
    if (!files) throw new BlobCorrupt(name, 'is not in the store');
    for (const [file, digest, size] of files) {
      yield {
        name: file,
        size,
        content: () => {
          const bytes = store.read(digest);
          if (!bytes) throw new BlobCorrupt(digest, 'is not in the store');
          return bytes;
        },
        copyTo: path => store.materialize(digest, path),
      };
    }
  },
});

/** Name, digest and size of each file of a tree. */
export const treeFiles = (store: Store, name: string): readonly TreeFile[] => readTree(store, name) ?? [];
