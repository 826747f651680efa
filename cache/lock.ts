/**
 * Locks between processes that nobody ever has to clean up: an exclusive SQLite transaction on a file of its own, which
 * the kernel ends with the process that holds it, however it ends. Files not used for a day are swept away.
 */
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

const BUSY = 5;
const NO_DATABASE = 26;
const EVERY_MS = 50;

/**
 * Waits for the lock on `path` and returns its release. `onWait` is called once when somebody else holds it. Rejects
 * when `signal` aborts first.
 */
export const lock = async (path: string, signal: AbortSignal, onWait?: () => void): Promise<() => void> => {
  mkdirSync(dirname(path), { recursive: true });
  for (let told = false; ; ) {
    const held = tryLock(path);
    if (held) return held;
    if (!told) onWait?.();
    told = true;
    await sleep(EVERY_MS, undefined, { signal });
  }
};

/** The lock's release, or null when somebody else has it. */
export const tryLock = (path: string): (() => void) | null => {
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    const opened = inode(path);
    // Nothing is ever written: no journal beside it, which would have to be made and removed.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    // The file may have been swept away between our opening and our locking it: then what we hold is no lock.
    if (opened !== null && inode(path) === opened) {
      const now = new Date();
      utimesSync(path, now, now);
      return () => db.close();
    }
  } catch (error) {
    const { errcode } = error as { errcode?: number };
    if (errcode !== BUSY) db.close();
    if (errcode === NO_DATABASE) {
      // Something has been written into it: nobody can ever have locked that.
      rmSync(path);
      return tryLock(path);
    }
    if (errcode !== BUSY) throw error;
  }
  db.close();
  return null;
};

const inode = (path: string): bigint | null => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null;

const DAY_MS = 86_400_000;

/** Removes the lock files in `folder` that nobody has taken for a day and nobody holds. */
export const sweepLocks = (folder: string): void => {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const used = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (used === undefined || Date.now() - used < DAY_MS) continue;
    const release = tryLock(path);
    if (release) rmSync(path, { force: true });
    release?.();
  }
};
