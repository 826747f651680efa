/**
 * Which process is making which key: a row of the store's database that counts for as long as the lease of the process that
 * wrote it, which the kernel ends with that process. Nobody ever has to clear one away.
 *
 *   claims   key ──> lease ──> leases/<lease>.lock, held by a process that lives? then it is taken, else anybody's
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryLock } from './lock.ts';
import { prepared, transaction } from './schema.ts';

const EVERY_MS = 50;

export interface Claimant {
  readonly folder: string;
  readonly db: DatabaseSync;
  lease(): { readonly id: string };
}

/**
 * Waits until nobody makes `key`, and returns what gives it back. `onWait` is called once when somebody does. Rejects when
 * `signal` aborts first.
 */
export const claim = async (
  store: Claimant,
  key: string,
  signal: AbortSignal,
  onWait?: () => void,
): Promise<() => void> => {
  for (let told = false; ; ) {
    const claimed = tryClaim(store, key);
    if (claimed) return claimed;
    if (!told) onWait?.();
    told = true;
    await sleep(EVERY_MS, undefined, { signal });
  }
};

/** What gives the key back, or null while somebody else has it. */
export const tryClaim = (store: Claimant, key: string): (() => void) | null => {
  const { db } = store;
  const { id } = store.lease();
  const taken = (): boolean => {
    const owner = ownerOf(db, key);
    return owner !== null && (owner === id || isAlive(store.folder, owner));
  };
  // Asked outside of a transaction, too: those who wait must not keep others from writing.
  if (taken()) return null;
  const got = transaction(db, () => {
    if (taken()) return false;
    prepared(db, 'INSERT OR REPLACE INTO claims VALUES (?, ?)').run(key, id);
    return true;
  });
  if (!got) return null;
  return () => {
    try {
      prepared(db, 'DELETE FROM claims WHERE key = ? AND owner = ?').run(key, id);
    } catch {
      // A full disk: it ends with our lease.
    }
  };
};

/** Whether a process that lives is making the key. */
export const isClaimed = (folder: string, db: DatabaseSync, key: string): boolean => {
  const owner = ownerOf(db, key);
  return owner !== null && isAlive(folder, owner);
};

/** Takes out the claims of processes that are no more. */
export const sweepClaims = (folder: string, db: DatabaseSync): void => {
  const owners = prepared(db, 'SELECT DISTINCT owner FROM claims').all() as { owner: string }[];
  for (const { owner } of owners)
    if (!isAlive(folder, owner)) prepared(db, 'DELETE FROM claims WHERE owner = ?').run(owner);
};

/** Whether the process lives whose lease this is. */
export const isAlive = (folder: string, lease: string): boolean => {
  const path = join(folder, 'leases', `${lease}.lock`);
  if (!existsSync(path)) return false;
  const release = tryLock(path);
  release?.();
  return release === null;
};

const ownerOf = (db: DatabaseSync, key: string): string | null =>
  (prepared(db, 'SELECT owner FROM claims WHERE key = ?').get(key) as { owner: string } | undefined)?.owner ?? null;
