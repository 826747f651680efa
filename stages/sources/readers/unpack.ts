/** Compressed text files (gzip, zstd, Brotli), unpacked as they are read. */
import { createReadStream } from 'node:fs';
import { pipeline, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';
import type { InputFile } from '../../contract.ts';
import type { Lines } from './lines.ts';
import { MAX_RECORD } from './records.ts';
import { isWholeZstd } from './zstd-frames.ts';

export type Compression = 'gzip' | 'zstd' | 'brotli';

const COMPRESSIONS: Readonly<Record<string, Compression>> = { gz: 'gzip', zst: 'zstd', br: 'brotli' };

/** `pages.jsonl.gz` is `pages.jsonl`, packed by gzip. */
export const packedAs = (name: string): { readonly name: string; readonly compression: Compression | null } => {
  const end = /\.([a-z]+)$/i.exec(name);
  const compression = end ? (COMPRESSIONS[end[1]!.toLowerCase()] ?? null) : null;
  return compression ? { name: name.slice(0, end!.index), compression } : { name, compression };
};

/** What the file holds cannot be unpacked, or not to its end. */
export class BadArchive extends Error {}

const unpacker: Readonly<Record<Compression, () => Transform>> = {
  gzip: createGunzip,
  zstd: createZstdDecompress,
  brotli: createBrotliDecompress,
};

/** The bytes that a file unpacks to. Throws BadArchive, after all that could be had, and as streams of files do. */
export async function* unpacked(file: InputFile, compression: Compression): AsyncGenerator<Buffer> {
  const packed = createReadStream(file.path);
  const unpack = unpacker[compression]();
  let done: Error | null | undefined;
  pipeline(packed, unpack, error => {
    done = error ?? null;
  });
  try {
    // Nothing packs to nothing at all: an empty file has been cut off.
    if (file.size === 0) throw new BadArchive(`no ${compression}: it is empty`);
    yield* unpack;
    if (compression === 'zstd' && !isWholeZstd(file.path)) throw cutOff(compression);
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (error instanceof BadArchive || syscall !== undefined || code === undefined) throw error;
    const isCut = code === 'Z_BUF_ERROR' || /unexpected end/i.test((error as Error).message);
    throw isCut ? cutOff(compression) : new BadArchive(`no ${compression} data, or damaged`);
  } finally {
    if (done === undefined) packed.destroy();
  }
}

const cutOff = (compression: Compression): BadArchive =>
  new BadArchive(`the ${compression} data ends too early: it is cut off`);

/** All that a file unpacks to; null where that is more than `most` bytes. */
export const unpackedWhole = async (
  file: InputFile,
  compression: Compression,
  most: number,
): Promise<Buffer | null> => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const bytes of unpacked(file, compression)) {
    size += bytes.length;
    if (size > most) return null;
    parts.push(bytes);
  }
  return Buffer.concat(parts);
};

const LF = 10;
const HEAD = 1024;

/** As `wholeLines`, of blocks of bytes that come from elsewhere. A line over the limit is passed over as it comes. */
export async function* linesOf(blocks: AsyncIterable<Buffer>, limit = MAX_RECORD): AsyncGenerator<Lines> {
  /** The beginning of a line whose end has not come. */
  let held: Buffer[] = [];
  let size = 0;
  let over = false;
  let first = true;
  for await (const block of blocks) {
    let bytes = block;
    if (first) {
      // Blocks are far larger than a byte-order mark, except where the file is smaller than one.
      first = false;
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3);
    }
    const last = bytes.lastIndexOf(LF) + 1;
    if (last > 0) {
      if (over) {
        yield { head: held[0]!.subarray(0, HEAD) };
        bytes = bytes.subarray(bytes.indexOf(LF) + 1);
      }
      const whole = over ? bytes.subarray(0, bytes.lastIndexOf(LF) + 1) : bytes.subarray(0, last);
      if (whole.length > 0) yield { bytes: over || size === 0 ? whole : Buffer.concat([...held, whole]) };
      bytes = bytes.subarray(whole.length);
      held = [];
      size = 0;
      over = false;
    }
    if (over || bytes.length === 0) continue;
    held.push(bytes);
    size += bytes.length;
    if (size <= limit) continue;
    held = [Buffer.from(Buffer.concat(held).subarray(0, HEAD))];
    over = true;
  }
  if (over) yield { head: held[0]! };
  else if (size > 0) yield { bytes: Buffer.concat(held) };
}
