/**
 * Models that came from elsewhere: they lie in a folder of the user's, for all projects, since they are too large for a
 * store. What a store keeps of one is a list of its files.
 *
 *   list   {"files":{"config.json":["<digest>",659], …},"folder":"openai--gpt-oss-20b/<commit>"}
 */
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { canonical } from './digest.ts';
import type { Store } from './store.ts';

export interface ModelList {
  /** In the models' folder. */
  readonly folder: string;
  /** Digest and size by name. */
  readonly files: Readonly<Record<string, readonly [digest: string, size: number]>>;
}

/** `FINETUNE_MODELS`, or a folder of the user's cache. */
export const modelsFolder = ({ FINETUNE_MODELS, XDG_CACHE_HOME }: NodeJS.ProcessEnv = process.env): string =>
  FINETUNE_MODELS ? resolve(FINETUNE_MODELS) : join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'finetune', 'models');

export const encodeModelList = (list: ModelList): Buffer => Buffer.from(canonical(list));

/** Null when the store does not have it. Throws on what is no list: a team's may come from anywhere. */
export const readModelList = (store: Store, digest: string): ModelList | null => {
  const bytes = store.read(digest);
  if (!bytes) return null;
  const { folder, files } = JSON.parse(bytes.toString()) as ModelList;
  const names = [...folder.split('/'), ...Object.keys(files)];
  if (names.some(n => /^\.{0,2}$/.test(n) || /[\\/\0]/.test(n))) throw new Error('not a list of a model');
  return { folder, files };
};

/** Whether all of its files are there, with their sizes. */
export const modelIsHere = (store: Store, digest: string): boolean => {
  const list = readModelList(store, digest);
  if (!list) return false;
  const folder = join(modelsFolder(), list.folder);
  return Object.entries(list.files).every(
    ([name, [, size]]) => statSync(join(folder, name), { throwIfNoEntry: false })?.size === size,
  );
};
