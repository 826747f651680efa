/**
 * Leases: what a running build has made and is about to read, kept from being collected for as long as its process lives.
 *
 *   leases/<id>.lock   an exclusive SQLite transaction, which the kernel ends with the process
 *   leases/<id>        lines "key <64 hex>" and "blob <64 hex>"; never fsynced, since it is worth nothing after a crash
 *
 * The packs that a process writes carry its lease's id in the index: no line is needed for what lies in them.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { disk } from './disk.ts';
import { makeFolder } from './durable.ts';
import { tryLock } from './lock.ts';

export interface Lease {
  readonly id: string;
  /** Keys of records, or digests of blobs that lie in others' packs. */
  hold(what: 'key' | 'blob', names: Iterable<string>): void;
  end(): void;
}

/** What a running process holds, besides all that lies in packs of its own. */
export interface Held {
  readonly id: string;
  /** When it began, Unix ms. */
  readonly since: number;
  readonly keys: ReadonlySet<string>;
  readonly blobs: ReadonlySet<string>;
}

export const beginLease = (folder: string): Lease => {
  const leases = join(folder, 'leases');
  makeFolder(leases);
  for (;;) {
    const id = `${Date.now().toString(36)}-${randomBytes(6).toString('hex')}`;
    const path = join(leases, id);
    const release = tryLock(`${path}.lock`);
    // Somebody who clears away the leases of the dead may have come between the file and its lock.
    if (!release) continue;
    try {
      disk.append(path, '');
    } catch (error) {
      release();
      throw error;
    }
    return {
      id,
      hold: (what, names) => {
        const lines = [...names].map(name => `${what} ${name}\n`).join('');
        if (lines !== '') disk.append(path, lines);
      },
      end: () => {
        try {
          disk.remove(path);
          disk.remove(`${path}.lock`);
        } catch {
          // It is cleared away as a dead one's is.
        }
        release();
      },
    };
  }
};

/** The leases of living processes, but for `own`; what the dead have left is cleared away. */
export const liveLeases = (folder: string, own?: string): Held[] => {
  const leases = join(folder, 'leases');
  if (!existsSync(leases)) return [];
  return readdirSync(leases).flatMap(name => {
    const id = name.replace(/\.lock$/, '');
    const path = join(leases, id);
    if (name === id) {
      // Lines without a lock: their process died between removing the two.
      if (!existsSync(`${path}.lock`)) disk.remove(path);
      return [];
    }
    if (id === own) return [];
    const release = tryLock(`${path}.lock`);
    if (!release) return [held(id, path)];
    disk.remove(path);
    disk.remove(`${path}.lock`);
    release();
    return [];
  });
};

const held = (id: string, path: string): Held => {
  const keys = new Set<string>();
  const blobs = new Set<string>();
  for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
    const [what, name] = line.split(' ');
    if (name !== undefined) (what === 'key' ? keys : blobs).add(name);
  }
  return { id, since: Number.parseInt(id.split('-')[0]!, 36), keys, blobs };
};
