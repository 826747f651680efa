/**
 * What a path was when it was looked at: how a file or a folder is known to be as it was without being read. With git's
 * rule for racy files: one changed so shortly before the look that a second change could carry the same times is not
 * trusted.
 */
import { type BigIntStats, statSync } from 'node:fs';

/** Device, inode, size, and times in nanoseconds; all zero where nothing was. Links are followed. */
export interface Sight {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export const NOTHING: Sight = { dev: 0n, ino: 0n, size: 0n, mtimeNs: 0n, ctimeNs: 0n };

const OPTIONS = { bigint: true, throwIfNoEntry: false } as const;

/** Null where nothing is; throws other system errors. */
export const sightOf = (path: string): BigIntStats | null => statSync(path, OPTIONS) ?? null;

export const isSame = (a: Sight, b: Sight): boolean =>
  a.mtimeNs === b.mtimeNs && a.size === b.size && a.ctimeNs === b.ctimeNs && a.ino === b.ino && a.dev === b.dev;

/** Coarser than any clock tick of a file system we know (FAT: 2 s). */
const RACY_MS = 2000;

/** Whether what was seen at `seen` (Unix ms) may have changed since without its times showing it. */
export const isRacy = ({ mtimeNs, ctimeNs }: Sight, seen: number): boolean =>
  seen - Number(mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1e6 <= RACY_MS;

/** In one text, for comparing many at once. */
export const inText = (s: Sight): string => `${s.dev}:${s.ino}:${s.size}:${s.mtimeNs}:${s.ctimeNs}`;
