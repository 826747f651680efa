/**
 * Cuts a file of lines into stretches whose borders depend on the bytes near them alone, so that an edit changes the stretch
 * that it is in, or two (content-defined chunking with a gear hash; Xia et al., "FastCDC", 2016).
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { digest, hasher } from '../../../cache/digest.ts';
import { STRETCH } from '../../../cache/grain.ts';
import type { InputFile } from '../../../stages/contract.ts';
import type { CutAnswer } from './tasks.ts';

const { least: LEAST, one: ONE, most: MOST } = STRETCH;
/** The hash's upper bits, which all of the last 32 bytes have a share in. */
const MASK = (ONE - 1) << 17;
const READ = 1 << 20;

/** 256 fixed words, from a linear congruential generator. */
const GEAR = (() => {
  let state = 0x2545f491;
  return Int32Array.from({ length: 256 }, () => {
    state = Math.imul(state, 1664525) + 1013904223;
    return state ^ (state >>> 15);
  });
})();

/** A stretch of an earlier version of a file. */
export interface KnownStretch {
  /** As `stretchName` gives it. */
  readonly name: string;
  readonly bytes: number;
  /** Its file ended with it, so that no border of its own need be where it ends. */
  readonly isLast: boolean;
}

/** The beginning of a file may hold a byte-order mark, which is read otherwise there than elsewhere. */
export const stretchName = (start: number, content: string): string =>
  start === 0 ? digest(`start\n${content}`) : content;

type Stretch = CutAnswer['stretches'][number];

/**
 * All stretches of a file. Where the bytes of a known one follow a border, its end is one too, as it was before: then they
 * need only be hashed, not searched.
 */
export const cutFile = (path: string, known: readonly KnownStretch[] = []): Stretch[] => {
  const out: Stretch[] = [];
  const index = new Map(known.map(({ name }, i) => [name, i]));
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    let start = 0;
    let next = 0;
    /** Searches where nothing known is in sight. */
    let search: Generator<Stretch> | null = null;
    let missed = false;
    while (start < size) {
      const same: Stretch | null = search ? null : sameAs(known[next], { fd, start, size });
      if (same) {
        next++;
        missed = false;
      } else search ??= stretchesFrom(fd, start);
      const found: Stretch | undefined = same ?? search!.next().value;
      if (!found) break;
      out.push(found);
      start = found.end;
      if (same) continue;
      const at = index.get(stretchName(found.start, found.digest));
      // An edit changes one, mostly: the next is looked for once, and after that whatever turns up again.
      if (at === undefined && missed) continue;
      missed = at === undefined;
      next = (at ?? next) + 1;
      search = null;
    }
    return out;
  } finally {
    closeSync(fd);
  }
};

/** Longer ones are searched like new ones, so that memory stays bounded. */
const LONG = 4 << 20;

let piece: Buffer | null = null;

/** The known stretch, if it is what stands there and ends there. */
const sameAs = (
  known: KnownStretch | undefined,
  { fd, start, size }: { readonly fd: number; readonly start: number; readonly size: number },
): Stretch | null => {
  if (!known || known.bytes === 0 || known.bytes > LONG) return null;
  const end = start + known.bytes;
  if (end > size || (known.isLast && end !== size)) return null;
  if (!piece || piece.length < known.bytes) piece = Buffer.allocUnsafeSlow(Math.max(MOST * 2, known.bytes));
  const bytes = piece.subarray(0, known.bytes);
  for (let done = 0; done < bytes.length; ) {
    const n = readSync(fd, bytes, done, bytes.length - done, start + done);
    if (n === 0) return null;
    done += n;
  }
  const content = digest(bytes);
  return stretchName(start, content) === known.name ? { start, end, digest: content } : null;
};

/** The stretches from a border on. */
function* stretchesFrom(fd: number, from: number): Generator<Stretch> {
  const buffer = Buffer.allocUnsafe(READ);
  let hash = hasher();
  let start = from;
  let offset = from;
  /** Bytes of the stretch so far; whether its border is found and only its last line is to be completed. */
  let length = 0;
  let ending = false;
  let gear = 0;
  for (let n = readSync(fd, buffer, 0, READ, offset); n > 0; n = readSync(fd, buffer, 0, READ, offset)) {
    let done = 0;
    for (let i = 0; i < n; ) {
      if (!ending) {
        const skip = Math.min(n - i, Math.max(0, LEAST - length));
        i += skip;
        length += skip;
        const until = Math.min(n, i + Math.max(0, MOST - length));
        const before = i;
        while (i < until) {
          gear = (gear << 1) + GEAR[buffer[i]!]!;
          i++;
          if ((gear & MASK) === 0) {
            ending = true;
            break;
          }
        }
        length += i - before;
        if (length >= MOST) ending = true;
        if (!ending) continue;
      }
      const newline = buffer.subarray(0, n).indexOf(10, i === 0 ? 0 : i - 1);
      if (newline === -1) {
        i = n;
        continue;
      }
      i = newline + 1;
      hash.update(buffer.subarray(done, i));
      done = i;
      const end = offset + i;
      yield { start, end, digest: hash.digest() };
      hash = hasher();
      start = end;
      length = 0;
      ending = false;
      gear = 0;
    }
    if (done < n) hash.update(buffer.subarray(done, n));
    offset += n;
  }
  if (offset > start) yield { start, end: offset, digest: hash.digest() };
}

/** Parts that a stage cuts a file into, named by their bytes and by what else their rows depend on. */
export const namedParts = (
  file: InputFile,
  parts: readonly { readonly start: number; readonly end: number; readonly of: string }[],
): CutAnswer['stretches'] => {
  const fd = openSync(file.path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(READ);
    return parts.map(({ start, end, of }) => {
      const hash = hasher();
      hash.update(Buffer.from(`${file.name}\n${of}\n`));
      for (let at = start; at < end; ) {
        const n = readSync(fd, buffer, 0, Math.min(READ, end - at), at);
        if (n === 0) break;
        hash.update(buffer.subarray(0, n));
        at += n;
      }
      return { start, end, digest: hash.digest() };
    });
  } finally {
    closeSync(fd);
  }
};
