/**
 * Clears away what killed processes left behind, judged by locks that the kernel has freed, and what has only grown old.
 * Everything here can be made again, or is of no use to anybody.
 */
import { chmodSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { isAlive, isClaimed, sweepClaims } from './claims.ts';
import { disk } from './disk.ts';
import { sweepLocks, tryLock } from './lock.ts';
import { trimQuarantine } from './quarantine.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Half-written files: older than any write takes. */
const TEMP_MS = HOUR_MS;
/** A training that nobody has gone on with: its checkpoints take more room than anything else. */
const WORK_MS = 14 * DAY_MS;
/** What later runs go on from (`rows`), pages (`kept`), the checked graphs of recipes, logs. */
const OLD_MS: Readonly<Record<string, number>> = {
  rows: 14 * DAY_MS,
  kept: 90 * DAY_MS,
  graphs: 30 * DAY_MS,
  logs: 30 * DAY_MS,
};

/** At the start of a build: the scratch folders of processes that are no more. */
export const sweep = (folder: string): void => {
  // Each is called by the lease of the process that uses it.
  for (const name of list(join(folder, 'scratch')))
    if (!isAlive(folder, name)) removeForeign(join(folder, 'scratch', name));
};

/**
 * Removes what a program that is not ours has filled: it may have made folders read-only, as Go does with its modules. What can be
 * removed by nobody stays, in nobody's way.
 */
export const removeForeign = (path: string): void => {
  try {
    disk.remove(path);
  } catch {
    try {
      openFolders(path);
      disk.remove(path);
    } catch {
      // Immutable, or another user's.
    }
  }
};

const openFolders = (folder: string): void => {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) openFolders(join(folder, entry.name));
};

export interface TidyOptions {
  /** Digests of unpacked trees that are to stay. */
  readonly trees: ReadonlySet<string>;
  readonly db: DatabaseSync;
  /** Whether builds are running. */
  readonly busy: boolean;
  readonly dryRun?: boolean;
  readonly now?: number;
}

/** Returns the bytes that this gives back. */
export const tidy = (folder: string, { trees, db, busy, dryRun = false, now = Date.now() }: TidyOptions): number => {
  let bytes = 0;
  const remove = (path: string): void => {
    bytes += bytesOf(path);
    if (!dryRun) removeForeign(path);
  };
  for (const key of list(join(folder, 'work'))) {
    const path = join(folder, 'work', key);
    const isIdle = !isClaimed(folder, db, key) && isFree(join(path, 'holder'));
    if (isIdle && now - changedAt(path) > WORK_MS) remove(path);
  }
  // A running evaluator may be reading one that no result of its own names.
  if (!busy) for (const name of list(join(folder, 'trees'))) if (!trees.has(name)) remove(join(folder, 'trees', name));
  for (const [part, age] of Object.entries(OLD_MS))
    for (const name of list(join(folder, part)))
      if (now - changedAt(join(folder, part, name)) > age) remove(join(folder, part, name));
  for (const part of ['', 'blobs', 'graphs', 'rows', 'logs']) {
    for (const name of list(join(folder, part))) {
      const path = join(folder, part, name);
      if (name.endsWith('.tmp') && now - changedAt(path) > TEMP_MS) remove(path);
    }
  }
  if (dryRun) return bytes;
  sweep(folder);
  sweepClaims(folder, db);
  if (existsSync(join(folder, 'locks'))) sweepLocks(join(folder, 'locks'));
  trimQuarantine(folder, now);
  return bytes;
};

const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

/** Whether nobody holds a lock, or there is none. */
const isFree = (path: string): boolean => {
  if (!existsSync(path)) return true;
  const release = tryLock(path);
  release?.();
  return release !== null;
};

/** Of a file; of a folder the newest of anything in it. Unix ms. */
const changedAt = (path: string): number => {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.mtimeMs ?? Infinity;
  return readdirSync(path, { recursive: true, withFileTypes: true }).reduce(
    (newest, e) => Math.max(newest, statSync(join(e.parentPath, e.name), { throwIfNoEntry: false })?.mtimeMs ?? 0),
    stat.mtimeMs,
  );
};

/** Size of all files at or below a path. */
export const bytesOf = (path: string): number => {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.size ?? 0;
  return readdirSync(path, { recursive: true, withFileTypes: true }).reduce(
    (n, e) => n + (e.isFile() ? (statSync(join(e.parentPath, e.name), { throwIfNoEntry: false })?.size ?? 0) : 0),
    0,
  );
};
