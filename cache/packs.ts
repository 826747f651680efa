/**
 * The pack files: where each lies and how far it reaches, one of them open for what this process writes.
 *
 * A pack is only ever appended to, by the one process that made it; its name is never used again. What is in it is moved
 * or forgotten by the index alone, and the file goes when nobody can be reading it any more (`compact.ts`).
 */
import { randomBytes } from 'node:crypto';
import { fstatSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { disk, writeAll } from './disk.ts';
import { makeFolder, syncFolder } from './durable.ts';
import { prepared } from './schema.ts';

const BUFFER = 1 << 20;

interface PackRow {
  readonly id: number;
  readonly name: string;
  readonly end: number;
  readonly found: number | null;
  readonly owner: string | null;
  readonly synced: number;
}

/** A stretch of a pack that the index names and that may not have reached the disk. */
export interface Tail {
  readonly id: number;
  readonly path: string;
  readonly from: number;
  readonly owner: string | null;
}

export interface Look {
  /** Packs whose shortness is not as the index has it: their size if it is less than it should be, else null. */
  readonly changed: readonly { readonly id: number; readonly found: number | null }[];
  /** Whether something was there when they were last looked at that is not there now. */
  readonly isLess: boolean;
  /** Size of all packs. */
  readonly bytes: number;
  readonly tails: readonly Tail[];
}

export class Packs {
  readonly #folder: string;
  readonly #db: DatabaseSync;
  readonly #known = new Map<number, { path: string; size: number }>();

  constructor(folder: string, db: DatabaseSync) {
    this.#folder = join(folder, 'packs');
    this.#db = db;
  }

  /** Path of a pack that reaches at least to `end`; null when it is gone or shorter. */
  path(id: number, end: number): string | null {
    let known = this.#known.get(id);
    if (!known || known.size < end) {
      const row = prepared(this.#db, 'SELECT name FROM packs WHERE id = ?').get(id) as { name: string } | undefined;
      if (!row) return null;
      const path = join(this.#folder, row.name);
      known = { path, size: sizeOf(path) };
      this.#known.set(id, known);
    }
    return known.size < end ? null : known.path;
  }

  /** Looks at all packs anew. */
  look(): Look {
    this.#known.clear();
    const changed: { id: number; found: number | null }[] = [];
    const tails: Tail[] = [];
    let isLess = false;
    let bytes = 0;
    for (const row of this.#db.prepare('SELECT id, name, "end", found, owner, synced FROM packs').iterate()) {
      const { id, name, end, found, owner, synced } = row as unknown as PackRow;
      const path = join(this.#folder, name);
      const size = sizeOf(path);
      this.#known.set(id, { path, size });
      bytes += Math.max(0, size);
      if (synced < end) tails.push({ id, path, from: synced, owner });
      const now = size < end ? size : null;
      if (now === found) continue;
      changed.push({ id, found: now });
      if (now !== null && (found === null || now < found)) isLess = true;
    }
    return { changed, isLess, bytes, tails };
  }

  /** Adds a pack, empty and in nobody's index yet. */
  open(owner: string): OpenPack {
    const name = `${randomBytes(8).toString('hex')}.pack`;
    const path = join(this.#folder, name);
    makeFolder(this.#folder);
    const fd = disk.open(path, 'wx+');
    try {
      const { id } = prepared(this.#db, 'INSERT INTO packs (name, "end", owner) VALUES (?, 0, ?) RETURNING id').get(
        name,
        owner,
      ) as { id: number };
      return new OpenPack(id, fd, path);
    } catch (error) {
      disk.close(fd);
      disk.remove(path);
      throw error;
    }
  }
}

/** -1 for a file that is not there. */
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? -1;

/** A pack that this process appends to. */
export class OpenPack {
  readonly id: number;
  readonly #fd: number;
  readonly #path: string;
  #isNamed = false;
  #buffer: Uint8Array[] = [];
  #buffered = 0;
  #end = 0;

  constructor(id: number, fd: number, path: string) {
    this.id = id;
    this.#fd = fd;
    this.#path = path;
  }

  get end(): number {
    return this.#end;
  }

  /** Where in the pack the bytes will lie. */
  append(bytes: Uint8Array): number {
    const offset = this.#end;
    this.#end += bytes.byteLength;
    this.#buffer.push(bytes);
    this.#buffered += bytes.byteLength;
    if (this.#buffered >= BUFFER) this.drain();
    return offset;
  }

  /** Whether somebody has deleted the file: what is written to it then is written to nowhere. */
  get isGone(): boolean {
    return fstatSync(this.#fd).nlink === 0;
  }

  /** What was appended, also from a file that is gone. */
  read(offset: number, length: number): Buffer {
    this.drain();
    const bytes = Buffer.allocUnsafe(length);
    for (let n = 0, done = 0; done < length; done += n) {
      n = disk.read(this.#fd, bytes, done, length - done, offset + done);
      if (n === 0) throw Object.assign(new Error('a pack ends early'), { code: 'EIO' });
    }
    return bytes;
  }

  /** Writes all that was appended: other processes can read it, a power cut may still take it. */
  drain(): void {
    const bytes = Buffer.concat(this.#buffer);
    this.#buffer = [];
    this.#buffered = 0;
    writeAll(this.#fd, bytes);
  }

  /** Makes all that was drained durable. */
  sync(): void {
    disk.syncData(this.#fd);
    if (!this.#isNamed) syncFolder(dirname(this.#path));
    this.#isNamed = true;
  }

  close(): void {
    disk.close(this.#fd);
  }
}
