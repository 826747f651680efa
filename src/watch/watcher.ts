/** Tells that something may have changed at watched places; the only module that imports `chokidar`. */
import { lstatSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { watch } from 'chokidar';
import type { Filter } from './filter.ts';

export interface Watcher {
  close(): Promise<void>;
}

export interface WatcherEvents {
  /** A file or folder that counts was written, added or removed: or it only looks so. */
  onChange(path: string): void;
  /** Anything that the system told, of whatever; `folder` when a folder may have come, gone or been replaced. */
  onNoise(folder: boolean): void;
  onError(error: Error): void;
}

/** Resolves when it stands: from then on no change is missed. `polling` looks again and again instead of being told. */
export const openWatcher = async (filter: Filter, polling: boolean, events: WatcherEvents): Promise<Watcher> => {
  const watcher = watch([...filter.roots], {
    ignoreInitial: true,
    // Contents are compared after all, so what an editor does to save in one step needs no time to settle here.
    atomic: false,
    ignorePermissionErrors: true,
    ignored: (path, stats) => !filter.counts(path, stats ?? null),
    ...(polling ? { backend: 'polling', pollingInterval: 500, pollingBinaryInterval: 1000 } : {}),
  });
  watcher.on('all', (event, path) => {
    if (event === 'addDir' || event === 'unlinkDir') events.onNoise(true);
    events.onChange(path);
  });
  watcher.on('raw', (event, name, details) => events.onNoise(event === 'rename' && isOfFolder(filter, name, details)));
  watcher.on('error', error => events.onError(error as Error));
  await new Promise<void>(resolve => watcher.once('ready', resolve));
  return { close: () => watcher.close() };
};

/** Of a folder that counts, or of the watched one itself, of which the system tells by its own name. */
const isOfFolder = ({ counts }: Filter, name: string | null, details: unknown): boolean => {
  const { watchedPath } = details as { watchedPath?: string };
  if (watchedPath === undefined || name === null || name === basename(watchedPath)) return true;
  const path = resolve(watchedPath, name);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && counts(path, stat);
};
