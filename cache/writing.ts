/**
 * What a process puts into the store, from `put` until it is durable: bytes on their way to the process's own pack, and
 * blobs that were there already, which a collection of garbage may not know to be needed again.
 *
 *   put ──> pending ──flush──> pack written ──> lease names what was found ──> index, in one transaction
 *        └> found                                (from here on gc keeps it)     └> was any of it collected before?
 *   at most half a second later: pack on disk ──> index on disk, with how much of the pack is
 *
 * An fsync for each node would cost more than most nodes do. A kill loses nothing of what was flushed; after a power cut
 * what the index names beyond the synced part of a pack is read and proved before it is believed (`tails.ts`).
 */
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { BlobCorrupt, type PackedBlob } from './blob.ts';
import { writeDurably } from './durable.ts';
import type { Hashed } from './hash-file.ts';
import type { Lease } from './lease.ts';
import { makeLoosePath, takeIn } from './loose.ts';
import type { OpenPack, Packs } from './packs.ts';
import { durably, LOOSE, prepared, transaction } from './schema.ts';

export const LOOSE_FROM = 1 << 20;
const SYNC_MS = 500;

/** A row of the index. */
export interface IndexRow {
  readonly pack: number;
  readonly offset: number;
  readonly length: number;
  readonly size: number;
  readonly compressed: number;
}

export interface WritingOptions {
  readonly folder: string;
  readonly db: DatabaseSync;
  readonly packs: Packs;
  readonly lease: () => Lease;
  readonly generation: () => string;
  /** The blob's row, if it is there as its row says. */
  readonly find: (digest: string) => IndexRow | null;
}

export class Writing {
  readonly #with: WritingOptions;
  readonly #pending = new Map<string, IndexRow>();
  readonly #found = new Set<string>();
  /** Not younger than the first of `#found`. */
  #generation: string;
  #pack: OpenPack | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Why blobs that had been put were lost: whoever put them must not go on as if they were there. */
  #lost: { readonly error: unknown } | null = null;

  constructor(options: WritingOptions) {
    this.#with = options;
    this.#generation = options.generation();
  }

  put({ digest, size, compressed, bytes }: PackedBlob): void {
    if (this.#has(digest)) return;
    const { folder, packs, lease } = this.#with;
    if (size >= LOOSE_FROM && !compressed) {
      const path = makeLoosePath(folder, digest);
      if (statSync(path, { throwIfNoEntry: false })?.size !== size) writeDurably(path, bytes);
      this.#pending.set(digest, { pack: LOOSE, offset: 0, length: size, size, compressed: 0 });
      return;
    }
    const pack = (this.#pack ??= packs.open(lease().id));
    const offset = this.#orLose(() => pack.append(bytes));
    const row = { pack: pack.id, offset, length: bytes.byteLength, size, compressed: compressed ? 1 : 0 };
    this.#pending.set(digest, row);
  }

  putLoose(path: string, move: boolean): Hashed {
    if (this.#lost) throw this.#lost.error;
    const blob = takeIn(path, this.#with.folder, move);
    const { digest, size } = blob;
    // A copy in a pack stays what the index names.
    if (!this.#has(digest)) this.#pending.set(digest, { pack: LOOSE, offset: 0, length: size, size, compressed: 0 });
    return blob;
  }

  /** Throws BlobCorrupt when something that had been found is no longer there. */
  flush(): void {
    if (this.#lost) throw this.#lost.error;
    if (this.#pending.size === 0 && this.#found.size === 0) return;
    const { db, lease, generation, find } = this.#with;
    this.#orLose(() => {
      if (this.#pack?.isGone) this.#rescue(this.#pack);
      this.#pack?.drain();
    });
    lease().hold('blob', this.#found);
    const before = this.#generation;
    const gone = transaction(db, () => {
      const insert = prepared(db, 'INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?)');
      for (const [digest, r] of this.#pending)
        insert.run(Buffer.from(digest, 'hex'), r.pack, r.offset, r.length, r.size, r.compressed);
      if (this.#pack) prepared(db, 'UPDATE packs SET "end" = ? WHERE id = ?').run(this.#pack.end, this.#pack.id);
      this.#generation = generation();
      if (this.#generation === before) return undefined;
      return [...this.#found].find(digest => !find(digest));
    });
    this.#pending.clear();
    this.#found.clear();
    this.#timer ??= setTimeout(() => this.#syncSoon(), SYNC_MS).unref();
    if (gone) throw new BlobCorrupt(gone, 'was collected as garbage while it was made again');
  }

  /** Makes all that was flushed durable, and what was recorded since. */
  sync(): void {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    const pack = this.#pack;
    this.#orLose(() => pack?.sync());
    durably(this.#with.db, () => {
      if (pack) this.#with.db.prepare('UPDATE packs SET synced = "end" WHERE id = ?').run(pack.id);
    });
  }

  /** What has been put and not flushed belongs to nothing finished, and is forgotten; the next put begins a new pack. */
  close(): void {
    try {
      this.#pack?.close();
    } catch {
      // As where it cannot be synced: what nobody proves to be on disk is read before it is believed.
    }
    this.#pack = null;
    this.#pending.clear();
    this.#found.clear();
  }

  #syncSoon(): void {
    try {
      this.sync();
    } catch {
      // Whoever flushes next hears of it; what nobody proves to be on disk is read before it is believed.
    }
  }

  /** Writes what is not in the index yet to a new pack: somebody has deleted the file of this one. */
  #rescue(gone: OpenPack): void {
    const to = this.#with.packs.open(this.#with.lease().id);
    this.#pack = to;
    for (const [digest, row] of this.#pending) {
      if (row.pack !== gone.id) continue;
      const offset = to.append(gone.read(row.offset, row.length));
      this.#pending.set(digest, { ...row, pack: to.id, offset });
    }
    gone.close();
  }

  #has(digest: string): boolean {
    if (this.#lost) throw this.#lost.error;
    if (this.#pending.has(digest) || this.#found.has(digest)) return true;
    const row = this.#with.find(digest);
    if (!row) return false;
    if (row.pack !== this.#pack?.id) this.#found.add(digest);
    return true;
  }

  /** What was to follow has no known place any more: nothing that this process has not flushed can be finished. */
  #orLose<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      this.#lost = { error };
      this.close();
      throw error;
    }
  }
}
