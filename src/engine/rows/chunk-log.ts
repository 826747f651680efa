/**
 * What was computed of chunks, kept by their names in a file beside the store: disposable, outside all keys. Whatever is
 * wrong with it is as if it were not there.
 *
 *   block    "ftl2", length u32, check 8 B (BLAKE3 of what follows), then segments
 *   segment  name 32 B, length u32, 12 B of nothing, then the bytes, padded to 16
 *
 * Blocks are only ever appended; when most of the file is of no use any more, or its end is (the block of a killed process,
 * behind which nothing could be found), it is written anew.
 */
import { fstatSync, utimesSync } from 'node:fs';
import { dirname } from 'node:path';
import { blake3 } from '@napi-rs/blake-hash';
import { disk, writeAll } from '../../../cache/disk.ts';

const MAGIC = 0x326c7466;
const BLOCK = 16;
const SEGMENT = 48;
/** Bytes of a block, about: the unit in which damage is found, and in which what is not held is read. */
const BLOCK_BYTES = 1 << 20;
const DEAD = 4 << 20;

interface Block {
  readonly at: number;
  readonly length: number;
  state: 'unseen' | 'sound' | 'damaged';
}

interface Segment {
  readonly block: Block;
  /** Offset of its bytes in the file. */
  readonly at: number;
  readonly length: number;
}

export class ChunkLog {
  readonly #path: string;
  readonly #segments = new Map<string, Segment>();
  readonly #added = new Map<string, Uint8Array>();
  /** The whole file, where it is to be held. */
  #bytes: Buffer | null = null;
  #fd: number | null = null;
  /** The block looked at last. */
  #last: { readonly block: Block; readonly content: Uint8Array } | null = null;
  #size = 0;
  /** Bytes behind the last block that can be told. */
  #stray = 0;

  /** `held`: all of it will be needed, so it is read at once; else only what is asked for. */
  constructor(path: string, held: boolean, fresh = false) {
    this.#path = path;
    if (fresh) return;
    try {
      this.#fd = disk.open(path, 'r');
      this.#size = fstatSync(this.#fd).size;
      if (held) this.#bytes = this.#read(0, this.#size);
      this.#index();
    } catch {
      this.#segments.clear();
    }
  }

  get(name: string): Uint8Array | null {
    const added = this.#added.get(name);
    if (added) return added;
    const segment = this.#segments.get(name);
    if (!segment) return null;
    const { block, at, length } = segment;
    let bytes: Uint8Array | null = null;
    try {
      bytes = this.#content(block);
    } catch {
      // What the disk does not give back is as good as damaged.
      block.state = 'damaged';
    }
    if (!bytes) return null;
    return bytes.subarray(at - block.at - BLOCK, at - block.at - BLOCK + length);
  }

  has(name: string): boolean {
    return this.#added.has(name) || this.#segments.has(name);
  }

  add(name: string, bytes: Uint8Array): void {
    this.#added.set(name, bytes);
  }

  /** Writes what was added. `live` are the names still of use: others are dropped when they are most of the file. */
  save(live: ReadonlySet<string>): void {
    try {
      let dead = this.#size;
      for (const [name, { length }] of this.#segments) if (live.has(name)) dead -= padded(length);
      if ((dead > DEAD && dead > this.#size / 2) || (this.#stray > 0 && this.#added.size > 0)) this.#rewrite(live);
      else if (this.#added.size > 0) this.#append();
      else if (this.#fd !== null) utimesSync(this.#path, new Date(), new Date());
    } catch {
      // A full disk: the next build computes it again.
    }
  }

  close(): void {
    if (this.#fd !== null) disk.close(this.#fd);
    this.#fd = null;
  }

  #append(): void {
    disk.makeFolder(dirname(this.#path));
    const fd = disk.open(this.#path, 'a');
    try {
      // Each block in one write: another process may append to the same file.
      for (const block of blocksOf(this.#added)) writeAll(fd, block);
    } finally {
      disk.close(fd);
    }
  }

  #rewrite(live: ReadonlySet<string>): void {
    const temp = `${this.#path}.${process.pid}.tmp`;
    const fd = disk.open(temp, 'w');
    const all = this.#live(live);
    try {
      for (const block of blocksOf(all)) writeAll(fd, block);
      disk.rename(temp, this.#path);
    } catch (error) {
      disk.remove(temp);
      throw error;
    } finally {
      disk.close(fd);
    }
  }

  *#live(live: ReadonlySet<string>): Generator<[string, Uint8Array]> {
    for (const name of new Set([...this.#segments.keys(), ...this.#added.keys()])) {
      const bytes = live.has(name) ? this.get(name) : null;
      if (bytes) yield [name, bytes];
    }
  }

  #index(): void {
    const header = Buffer.alloc(BLOCK);
    this.#stray = this.#size;
    for (let at = 0; at + BLOCK <= this.#size; this.#stray = this.#size - at) {
      if (this.#bytes) this.#bytes.copy(header, 0, at, at + BLOCK);
      else if (disk.read(this.#fd!, header, 0, BLOCK, at) !== BLOCK) return;
      const length = header.readUInt32LE(4);
      if (header.readUInt32LE(0) !== MAGIC || at + BLOCK + length > this.#size) return;
      const block: Block = { at, length, state: 'unseen' };
      this.#segmentsOf(block);
      at += BLOCK + length;
    }
  }

  #segmentsOf(block: Block): void {
    const start = block.at + BLOCK;
    const header = Buffer.alloc(SEGMENT);
    for (let at = 0; at + SEGMENT <= block.length; ) {
      if (this.#bytes) this.#bytes.copy(header, 0, start + at, start + at + SEGMENT);
      else if (disk.read(this.#fd!, header, 0, SEGMENT, start + at) !== SEGMENT) return;
      const length = header.readUInt32LE(32);
      if (at + SEGMENT + length > block.length) return;
      this.#segments.set(header.toString('hex', 0, 32), { block, at: start + at + SEGMENT, length });
      at += padded(length);
    }
  }

  /** The content of a block, checked when it is first seen; null if it is damaged. */
  #content(block: Block): Uint8Array | null {
    if (block.state === 'damaged') return null;
    if (this.#last?.block === block) return this.#last.content;
    const from = block.at + BLOCK;
    const content = this.#bytes ? this.#bytes.subarray(from, from + block.length) : this.#read(from, block.length);
    if (block.state === 'unseen') {
      const header = this.#bytes ? this.#bytes.subarray(block.at, from) : this.#read(block.at, BLOCK);
      const sound = content.length === block.length && blake3(content).subarray(0, 8).equals(header.subarray(8, 16));
      block.state = sound ? 'sound' : 'damaged';
      if (!sound) return null;
    }
    this.#last = { block, content };
    return content;
  }

  #read(at: number, length: number): Buffer {
    const out = Buffer.allocUnsafeSlow(length);
    let done = 0;
    while (done < length) {
      const n = disk.read(this.#fd!, out, done, length - done, at + done);
      if (n === 0) break;
      done += n;
    }
    return out.subarray(0, done);
  }
}

const padded = (length: number): number => SEGMENT + Math.ceil(length / 16) * 16;

function* blocksOf(segments: Iterable<[string, Uint8Array]>): Generator<Buffer> {
  let parts: Buffer[] = [];
  let size = 0;
  const block = (): Buffer => {
    const content = Buffer.concat(parts);
    const header = Buffer.alloc(BLOCK);
    header.writeUInt32LE(MAGIC, 0);
    header.writeUInt32LE(content.length, 4);
    blake3(content).copy(header, 8, 0, 8);
    parts = [];
    size = 0;
    return Buffer.concat([header, content]);
  };
  for (const [name, bytes] of segments) {
    const segment = Buffer.alloc(padded(bytes.length));
    segment.write(name, 0, 32, 'hex');
    segment.writeUInt32LE(bytes.length, 32);
    segment.set(bytes, SEGMENT);
    parts.push(segment);
    size += segment.length;
    if (size >= BLOCK_BYTES) yield block();
  }
  if (size > 0) yield block();
}
