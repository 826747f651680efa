/**
 * Digests of files in the user's tree, read again only when a file's state changed (`sight.ts`), and listings of its
 * folders. All that was looked at is noted, so that a later process can tell whether it is still so.
 */
import { closeSync, type Dirent, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { digest, hasher } from './digest.ts';
import { type FileTable, readFileTable, type TableEntry, writeFileTable } from './file-table.ts';
import { inText, isRacy, isSame, NOTHING, type Sight, sightOf } from './sight.ts';

export interface FileState {
  readonly digest: string;
  readonly size: number;
}

/** What a look found, and when (Unix ms); of a file its content's digest, of a folder what is in it. */
export interface Noted {
  readonly sight: Sight;
  readonly seen: number;
  readonly digest?: string;
  readonly entries?: readonly Dirent[];
}

/** Files that have not been asked for, and were read so long ago, are forgotten. */
const KEPT_MS = 60 * 86_400_000;

export class Files {
  readonly #path: string;
  readonly #table: FileTable;
  readonly #noted = new Map<string, Noted>();
  #changed = false;
  #unsure = false;

  /** `path` is where the states are kept; anything unreadable there is an empty cache. */
  constructor(path: string) {
    this.#path = path;
    this.#table = readFileTable(path);
  }

  /** Digest and size of a regular file's content, links followed; null where none is. Throws other system errors. */
  find(path: string): FileState | null {
    const stat = sightOf(path);
    if (!stat?.isFile()) {
      this.#note(path, { sight: stat ?? NOTHING, seen: Date.now() });
      return null;
    }
    const before = this.#noted.get(path);
    const known = before ?? this.#table.find(path, stat);
    if (known?.digest !== undefined && isSame(known.sight, stat) && !isRacy(stat, known.seen)) {
      if (!before) this.#noted.set(path, known);
      return { digest: known.digest, size: Number(stat.size) };
    }
    const seen = Date.now();
    const content = read(path);
    this.#note(path, { sight: content.sight, digest: content.digest, seen });
    this.#changed = true;
    // Trusted by nobody if something moved while we read.
    if (!isSame(content.sight, stat)) this.#noted.set(path, { sight: NOTHING, seen });
    return { digest: content.digest, size: content.size };
  }

  /** As `find`, but where there is no file it throws a system error. */
  look(path: string): FileState {
    const found = this.find(path);
    if (found) return found;
    closeSync(openSync(path, 'r'));
    throw Object.assign(new Error(`not a regular file: ${path}`), { code: 'EISDIR', path });
  }

  /** What is in a folder; null where none is. Throws other system errors. */
  list(folder: string): readonly Dirent[] | null {
    const seen = Date.now();
    const stat = sightOf(folder);
    if (!stat?.isDirectory()) {
      this.#note(folder, { sight: stat ?? NOTHING, seen });
      return null;
    }
    const known = this.#noted.get(folder);
    if (known?.entries && isSame(known.sight, stat) && !isRacy(stat, known.seen)) return known.entries;
    const entries = readdirSync(folder, { withFileTypes: true });
    this.#note(folder, { sight: stat, seen, entries });
    return entries;
  }

  /** The states of files, as the last look at each found them, in one text: equal only if nobody wrote to one in between. */
  states(files: readonly { readonly path: string }[]): string {
    return files.map(({ path }) => `${path} ${inText(this.#noted.get(path)?.sight ?? NOTHING)}`).join('\n');
  }

  /** Something was looked at that nobody can note. */
  overlook(): void {
    this.#unsure = true;
  }

  /** Every path that was looked at, as it was then; null when that is not all, or a second look found one otherwise. */
  noted(): ReadonlyMap<string, Noted> | null {
    return this.#unsure ? null : this.#noted;
  }

  /** Writes the states for the next process; another writer's at the same moment simply wins or loses. */
  save(): void {
    if (!this.#changed) return;
    const all = new Map<string, TableEntry>();
    for (const [path, { sight, seen, digest }] of this.#noted)
      if (digest !== undefined) all.set(path, { sight, seen, digest });
    const oldest = Date.now() - KEPT_MS;
    for (const [at, path] of this.#table.paths.entries()) {
      if (this.#noted.has(path)) continue;
      const entry = this.#table.entry(at);
      if (entry.seen > oldest) all.set(path, entry);
    }
    writeFileTable(this.#path, all);
    this.#changed = false;
  }

  #note(path: string, noted: Noted): void {
    const before = this.#noted.get(path);
    if (before && !(isSame(before.sight, noted.sight) && before.digest === noted.digest)) this.#unsure = true;
    this.#noted.set(path, noted);
  }
}

const PIECE = 1 << 20;
let piece: Buffer | null = null;

const read = (path: string): { digest: string; size: number; sight: Sight } => {
  const fd = openSync(path, 'r');
  try {
    piece ??= Buffer.allocUnsafeSlow(PIECE);
    let n = fill(fd, piece);
    if (n < PIECE) return { digest: digest(piece.subarray(0, n)), size: n, sight: sightOfOpen(fd) };
    const hash = hasher();
    let size = 0;
    for (; n > 0; n = fill(fd, piece)) {
      hash.update(piece.subarray(0, n));
      size += n;
    }
    return { digest: hash.digest(), size, sight: sightOfOpen(fd) };
  } finally {
    closeSync(fd);
  }
};

/** Reads until the buffer is full or the file ends. */
const fill = (fd: number, into: Buffer): number => {
  let done = 0;
  for (let n = 1; n > 0 && done < into.byteLength; done += n)
    n = readSync(fd, into, done, into.byteLength - done, null);
  return done;
};

const sightOfOpen = (fd: number): Sight => {
  const { dev, ino, size, mtimeNs, ctimeNs } = fstatSync(fd, { bigint: true });
  return { dev, ino, size, mtimeNs, ctimeNs };
};
