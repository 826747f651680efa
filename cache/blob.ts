/** How one blob lies on disk, and reading it back verified. Used by the store and, on their own, by worker threads. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { digest } from './digest.ts';
import { disk } from './disk.ts';
import { hashOpen } from './hash-file.ts';

/** Where the bytes of a blob are: a stretch of a file, plain or zstd; of a loose blob the whole of a file called by its digest. */
export interface BlobLocation {
  readonly digest: string;
  readonly path: string;
  readonly offset: number;
  /** Bytes on disk. */
  readonly length: number;
  /** Bytes of the content. */
  readonly size: number;
  readonly compressed: boolean;
}

/** A blob ready to be written: its content's digest and size, and the bytes to put on disk. */
export interface PackedBlob {
  readonly digest: string;
  readonly size: number;
  readonly compressed: boolean;
  readonly bytes: Uint8Array;
}

/** A blob that is not there, or not what its name says: whoever made it has to make it again. */
export class BlobCorrupt extends Error {
  readonly code = 'BLOB_CORRUPT';
  readonly digest: string;
  /** Its file is gone: it may have been moved since it was located. */
  readonly missing: boolean;
  constructor(digest: string, why: string, missing = false) {
    super(`blob ${digest.slice(0, 12)} ${why}`);
    this.digest = digest;
    this.missing = missing;
  }
}

/** Less than this would be saved by less than what zstd takes to begin, 0.1 ms. */
const WORTH = 2048;

/** zstd level 1: 105 MB/s a core on chunks of rows, a ratio of about 2; small or incompressible content stays plain. */
export const pack = (content: Uint8Array): PackedBlob => {
  const name = digest(content);
  if (content.byteLength >= WORTH) {
    const bytes = zstdCompressSync(content, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    if (bytes.byteLength < content.byteLength)
      return { digest: name, size: content.byteLength, compressed: true, bytes };
  }
  return { digest: name, size: content.byteLength, compressed: false, bytes: content };
};

/** What has only been read has lost nothing if it cannot be closed. */
const closeRead = (fd: number): void => {
  try {
    disk.close(fd);
  } catch {
    // The build that has read it is no worse for it.
  }
};

/** Keeps the files it reads from open, at most 64 of them. */
export class BlobReader {
  readonly #open = new Map<string, number>();

  /** The content; throws BlobCorrupt when it is not there or not what its name says. */
  read(at: BlobLocation): Buffer {
    const stored = this.raw(at);
    let content = stored;
    if (at.compressed) {
      try {
        content = zstdDecompressSync(stored, { maxOutputLength: Math.max(1, at.size) });
      } catch {
        throw new BlobCorrupt(at.digest, `cannot be decompressed (${at.path} at ${at.offset})`);
      }
    }
    if (content.byteLength !== at.size || digest(content) !== at.digest) {
      throw new BlobCorrupt(at.digest, `is not what its name says (${at.path} at ${at.offset})`);
    }
    return content;
  }

  /** The bytes as they lie on disk; throws BlobCorrupt when they cannot be had. */
  raw(at: BlobLocation): Buffer {
    const stored = Buffer.allocUnsafe(at.length);
    try {
      const fd = this.#fd(at.path);
      for (let done = 0; done < at.length; ) {
        const n = disk.read(fd, stored, done, at.length - done, at.offset + done);
        if (n === 0) throw new BlobCorrupt(at.digest, `ends early in ${at.path}`);
        done += n;
      }
      return stored;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'ENOENT') throw new BlobCorrupt(at.digest, `is missing: ${at.path}`, true);
      // A block that the disk cannot give back is as lost as one that holds something else.
      if (code === 'EIO') throw new BlobCorrupt(at.digest, `cannot be read (${at.path} at ${at.offset})`);
      throw error;
    }
  }

  /** What is wrong with the blob where it lies; null if nothing is. */
  fault(at: BlobLocation): string | null {
    try {
      if (at.path.endsWith(at.digest)) {
        const whole = hashOpen(this.#fd(at.path));
        return whole.size === at.size && whole.digest === at.digest ? null : `is not what its name says (${at.path})`;
      }
      this.read(at);
      return null;
    } catch (error) {
      if (error instanceof BlobCorrupt) return error.message.replace(/^blob [0-9a-f]+ /, '');
      const { code } = error as { code?: string };
      if (code === 'ENOENT' || code === 'EIO') return `cannot be read (${at.path})`;
      throw error;
    }
  }

  /** Opens the file anew when it is read next: something else will lie at its path. */
  drop(path: string): void {
    const fd = this.#open.get(path);
    if (fd !== undefined) closeRead(fd);
    this.#open.delete(path);
  }

  close(): void {
    for (const fd of this.#open.values()) closeRead(fd);
    this.#open.clear();
  }

  #fd(path: string): number {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    if (this.#open.size >= 64) {
      const [oldest, fd] = this.#open.entries().next().value as [string, number];
      closeRead(fd);
      this.#open.delete(oldest);
    }
    const fd = disk.open(path, 'r');
    this.#open.set(path, fd);
    return fd;
  }
}
