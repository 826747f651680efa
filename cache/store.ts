/**
 * The content-addressed store: blobs by BLAKE3 digest, in pack files with an index in SQLite; large blobs as files.
 *
 *   store.db          index of blobs (WAL), and the records' tables
 *   packs/<id>.pack   small blobs one after another; each process that writes has its own
 *   blobs/ab/<digest> loose blobs: from 1 MiB up, plain, one file each
 *
 * Blobs first, index last: the pack is flushed to disk before the index names what is in it, so a kill at any moment
 * leaves at worst a tail of a pack that nothing names.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { BlobCorrupt, type BlobLocation, BlobReader, type PackedBlob, pack } from './blob.ts';
import { makeFolder, writeWhole } from './durable.ts';
import type { Hashed } from './hash-file.ts';
import { beginLease, type Lease } from './lease.ts';
import { giveOut, loosePath } from './loose.ts';
import { Packs } from './packs.ts';
import { quarantine } from './quarantine.ts';
import { readWhole } from './read-whole.ts';
import { LOOSE, prepareTables } from './schema.ts';
import { removeForeign } from './sweep.ts';
import { proveTails } from './tails.ts';
import { forgetAllWhole, forgetBlob, noteLosses, Whole } from './whole.ts';
import { type IndexRow, Writing } from './writing.ts';

/** A transaction for each would be a twentieth of a small node; a kill loses nothing but the shortcut. */
const MARKS = 50;

/** Smaller files are read whole, and compressed where that helps. */
const LOOSE_FROM = 16 << 20;

export class Store {
  readonly folder: string;
  readonly db: DatabaseSync;
  readonly #reader = new BlobReader();
  readonly #find: StatementSync;
  readonly #packs: Packs;
  readonly #whole: Whole;
  readonly #writing: Writing;
  #lease: Lease | null = null;

  /** Opens or makes the store in `folder`. Throws system errors; StoreVersion when it is not ours. */
  constructor(folder: string) {
    this.folder = folder;
    makeFolder(folder);
    this.db = new DatabaseSync(join(folder, 'store.db'), { timeout: 10_000 });
    try {
      this.db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216;');
      prepareTables(this.db, folder);
      this.#packs = new Packs(folder, this.db);
      const look = this.#packs.look();
      proveTails(this.db, folder, look.tails);
      noteLosses(this.db, look);
      this.#whole = new Whole(this.db);
      this.#find = this.db.prepare('SELECT pack, offset, length, size, compressed FROM blobs WHERE digest = ?');
      this.#writing = new Writing({
        folder,
        db: this.db,
        packs: this.#packs,
        lease: () => this.lease(),
        generation: () => this.generation(),
        find: digest => {
          const row = this.#row(digest);
          return row && this.#at(digest, row) && row;
        },
      });
    } catch (error) {
      this.db.close();
      throw error;
    }
  }

  /** What keeps gc from what this process makes and is about to read, until `rest` or `close`. */
  lease(): Lease {
    this.#lease ??= beginLease(this.folder);
    return this.#lease;
  }

  /** Folder for what need not outlive this process, its own; it may not be there yet. */
  scratch(): string {
    return join(this.folder, 'scratch', this.lease().id);
  }

  /** Whether this process has put anything, or taken the lease, since it opened the store or last came to rest. */
  get isBusy(): boolean {
    return this.#lease !== null;
  }

  /** Adds content, there for others after `flush`. */
  put(content: Uint8Array): PackedBlob {
    const blob = pack(content);
    this.putPacked(blob);
    return blob;
  }

  putPacked(blob: PackedBlob): void {
    this.#writing.put(blob);
  }

  /** Adds a file's content, however large it is; with `move`, the file itself goes into the store where it can. */
  putFile(path: string, { move = false } = {}): Hashed {
    const { size } = statSync(path);
    if (size >= LOOSE_FROM) return this.#writing.putLoose(path, move);
    const blob = this.put(readWhole(path, size));
    return { digest: blob.digest, size: blob.size };
  }

  /** Makes everything put so far visible to other processes; durable half a second later, or after `sync`. */
  flush(): void {
    this.#writing.flush();
    this.#whole.save(MARKS);
  }

  /** Makes everything flushed and recorded so far durable. */
  sync(): void {
    this.#writing.sync();
  }

  /** Where a blob is, or null when the store does not have it whole (its file is gone or not as long as it should be). */
  locate(digest: string): BlobLocation | null {
    const row = this.#row(digest);
    return row && this.#at(digest, row);
  }

  /** The content, verified; null when the store does not have it; throws BlobCorrupt. */
  read(digest: string): Buffer | null {
    const at = this.locate(digest);
    if (!at) return null;
    try {
      return this.#reader.read(at);
    } catch (error) {
      if (!(error instanceof BlobCorrupt && error.missing)) throw error;
      // Moved to another pack since, or gone with its own.
      this.recheck();
      const again = this.locate(digest);
      if (!again) throw error;
      return this.#reader.read(again);
    }
  }

  /** Makes `path` a file with the blob's content, sharing its blocks where that can be. Throws BlobCorrupt. */
  materialize(digest: string, path: string): void {
    const at = this.locate(digest);
    if (at?.path.endsWith(digest)) {
      giveOut(at, path);
      return;
    }
    const content = at && this.read(digest);
    if (!content) throw new BlobCorrupt(digest, 'is not in the store');
    // It can be made again, and whoever finds it there looks at its content.
    writeWhole(path, content);
  }

  /**
   * To be called with a blob that somebody could not read: where it is really wrong it is set aside and taken out of the
   * index, so that it will be made again. Returns what was wrong; null for a blob that is sound after all.
   */
  forget(digest: string): string | null {
    const row = this.#row(digest);
    if (!row) {
      forgetAllWhole(this.db);
      return 'is not in the store';
    }
    const at = this.#at(digest, row);
    const loose = row.pack === LOOSE ? loosePath(this.folder, digest) : null;
    if (at) this.#reader.drop(at.path);
    const reader = new BlobReader();
    try {
      const why = at ? reader.fault(at) : 'its file is gone, or shorter than it was';
      if (why === null) return null;
      if (loose !== null) quarantine(this.folder, digest, why, { file: loose });
      else if (at) quarantine(this.folder, digest, why, { bytes: () => reader.raw(at), from: at.path });
      forgetBlob(this.db, digest, row);
      return why;
    } finally {
      reader.close();
    }
  }

  /** Every blob in the index. */
  *all(): Generator<string> {
    for (const row of this.db.prepare('SELECT digest FROM blobs ORDER BY pack, offset').iterate()) {
      yield Buffer.from((row as { digest: Uint8Array }).digest).toString('hex');
    }
  }

  /** Another value whenever a blob may have disappeared. */
  generation(): string {
    return this.#whole.generation();
  }

  /** Whether everything of `name` (a manifest, a tree) has been marked as whole, and nothing has disappeared since. */
  isKnownWhole(name: string): boolean {
    return this.#whole.known(name)?.every(digest => this.locate(digest) !== null) ?? false;
  }

  /** To be called once every blob of `name` has been located, with where they are; kept by the next `flush` or `close`. */
  markWhole(name: string, parts: Iterable<BlobLocation>): void {
    const loose: string[] = [];
    for (const { path, digest } of parts) if (path.endsWith(digest)) loose.push(digest);
    this.#whole.mark(name, loose);
  }

  /** Looks at the packs again: what has gone from them is known to be gone from here on. Returns the size of all. */
  recheck(): number {
    const look = this.#packs.look();
    noteLosses(this.db, look);
    return look.bytes;
  }

  /** Between two builds of one process: nothing of the last one is held any more. */
  rest(): void {
    try {
      this.#whole.save();
      this.#writing.sync();
    } catch {
      // Who opens the store next looks at it.
    }
    this.#writing.close();
    if (!this.#lease) return;
    removeForeign(this.scratch());
    this.#lease.end();
    this.#lease = null;
  }

  /** What has been put and not flushed belongs to nothing finished, and is forgotten. */
  close(): void {
    this.#reader.close();
    try {
      this.rest();
    } finally {
      this.db.close();
    }
  }

  #row(digest: string): IndexRow | null {
    return (this.#find.get(Buffer.from(digest, 'hex')) as IndexRow | undefined) ?? null;
  }

  #at(digest: string, { pack, offset, length, size, compressed }: IndexRow): BlobLocation | null {
    if (offset < 0 || length < 0 || size < 0) return null;
    if (pack === LOOSE) {
      const path = loosePath(this.folder, digest);
      if (statSync(path, { throwIfNoEntry: false })?.size !== size) return null;
      return { digest, path, offset: 0, length: size, size, compressed: false };
    }
    const path = this.#packs.path(pack, offset + length);
    return path === null ? null : { digest, path, offset, length, size, compressed: compressed === 1 };
  }
}
