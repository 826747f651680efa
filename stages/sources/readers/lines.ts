/** Whole lines of a part of a file, many at a time: memory stays at one block, or at one line where that is longer. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { ReadPart } from '../../contract.ts';
import { MAX_RECORD } from './records.ts';

export type Lines =
  /** Whole lines with their line breaks (the last one of a part may lack its). Valid until the next step. */
  | { readonly bytes: Buffer }
  /** A line over the limit: its first bytes. */
  | { readonly head: Buffer };

const LF = 10;
const CR = 13;
const BLOCK = 256 * 1024;
const HEAD = 1024;

/**
 * The lines of a part, without the file's byte-order mark. Reads are synchronous: parts are small and many, and run in
 * workers; a stream costs more than what it brings. Throws as `readSync` does.
 */
export function* wholeLines({ file, start, end }: ReadPart, limit = MAX_RECORD): Generator<Lines> {
  if (start >= end) return;
  const handle = openSync(file.path, 'r');
  try {
    // One byte more than the longest line: full and without a line break in it, the line is over the limit.
    let buffer = Buffer.allocUnsafe(Math.min(BLOCK, limit + 1, end - start + 1));
    let held = 0;
    let head: Buffer | null = null;
    let skip = start === 0;
    for (let at = start; at < end; ) {
      const read = readSync(handle, buffer, held, Math.min(buffer.length - held, end - at), at);
      if (read === 0) break;
      at += read;
      held += read;
      if (skip && held < 3 && at < end) continue;
      let from = skip && isMarked(buffer, held) ? 3 : 0;
      skip = false;
      if (head) {
        const over = buffer.subarray(0, held).indexOf(LF);
        if (over < 0) {
          held = 0;
          continue;
        }
        yield { head };
        head = null;
        from = over + 1;
      }
      const last = buffer.subarray(0, held).lastIndexOf(LF) + 1;
      if (last > from) {
        yield { bytes: buffer.subarray(from, last) };
        from = last;
      }
      buffer.copyWithin(0, from, held);
      held -= from;
      if (held <= limit && held < buffer.length) continue;
      if (held > limit) {
        head = Buffer.from(buffer.subarray(0, HEAD));
        held = 0;
      } else {
        const more = Buffer.allocUnsafe(Math.min(2 * buffer.length, limit + 1));
        buffer.copy(more, 0, 0, held);
        buffer = more;
      }
    }
    if (head) yield { head };
    else if (held > 0) yield { bytes: buffer.subarray(0, held) };
  } finally {
    closeSync(handle);
  }
}

const isMarked = (b: Buffer, held: number): boolean => held >= 3 && b[0] === 0xef && b[1] === 0xbb && b[2] === 0xbf;

/** Calls back with each line's offsets, its line break (LF or CRLF) left out. */
export const eachLine = (bytes: Buffer, line: (start: number, end: number) => void): void => {
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(LF, start);
    const stop = found < 0 ? bytes.length : found;
    line(start, stop > start && bytes[stop - 1] === CR ? stop - 1 : stop);
    start = stop + 1;
  }
};
