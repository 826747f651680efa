/** Keeps watchers over all that is read, whatever becomes of the recipe. */
import { statSync } from 'node:fs';
import { type Filter, openFilter } from './filter.ts';
import type { Glob, Reads } from './reads.ts';
import { openWatcher, type Watcher } from './watcher.ts';

/** Watchers that may stand beside each other before one takes over all. */
const MOST = 4;
/** The kernel drops what does not fit its queue (16,384 by default), and nobody is told. */
const STORM = 4096;

const NO_ROOM = new Set(['ENOSPC', 'EMFILE', 'ENFILE']);

export interface CoverEvents {
  /** Null: nobody knows where. */
  onChange(path: string | null): void;
  onWarn(message: string): void;
}

export class Cover {
  readonly #events: CoverEvents;
  #reads: Reads = { folder: '', files: [], globs: [], written: [] };
  #filter: Filter = { roots: [], counts: () => true };
  /** Everything that is watched, and what is not though it lies there. */
  #watched = new Set<string>();
  #written = '';
  #watchers: Watcher[] = [];
  /** The folders that it is under, by identity: a new one at an old path is another. */
  #ground = new Map<string, string>();
  /** What the system has told since the last watcher was opened. */
  #noise = 0;
  /** What there is cannot be relied on any more. */
  #anew = false;
  #polling = false;
  readonly #told = new Set<string>();

  constructor(events: CoverEvents) {
    this.#events = events;
  }

  /**
   * Watches `reads`. True when that was not so before: then what changed until now may not have been told, and has to be
   * looked at again.
   */
  async over(reads: Reads): Promise<boolean> {
    const files = reads.files.filter(path => !this.#watched.has(path));
    const globs = reads.globs.filter(glob => !this.#watched.has(keyOf(glob)));
    const written = reads.written.join('\0');
    if (!isSame(reads, this.#reads)) this.#filter = openFilter(reads);
    this.#reads = reads;
    const ground = identities(this.#filter.roots);
    const anew =
      this.#anew ||
      this.#noise >= STORM ||
      written !== this.#written ||
      [...ground].some(([path, id]) => (this.#ground.get(path) ?? id) !== id);
    if (files.length === 0 && globs.length === 0 && !anew) return false;
    const whole = anew || this.#watchers.length >= MOST;
    this.#anew = false;
    this.#noise = 0;
    this.#written = written;
    this.#ground = ground;
    // chokidar's watchers share what they hold of a folder, dead or alive: the old ones have to go first.
    if (whole) await this.close();
    const filter = whole ? this.#filter : openFilter({ ...reads, files, globs });
    this.#watchers.push(
      await openWatcher(filter, this.#polling, {
        onChange: path => this.#onChange(path),
        onNoise: folder => this.#onNoise(folder),
        onError: error => this.#onError(error),
      }),
    );
    if (whole) this.#watched.clear();
    for (const key of [...reads.files, ...reads.globs.map(keyOf)]) this.#watched.add(key);
    return true;
  }

  async close(): Promise<void> {
    await Promise.all(this.#watchers.splice(0).map(w => w.close()));
  }

  #onChange(path: string): void {
    // What only an earlier recipe read is watched a while longer.
    if (this.#filter.counts(path, null)) this.#events.onChange(path);
  }

  /** In a storm chokidar may lose a folder that is moved, removed and made again: only a new watcher is sure of it. */
  #onNoise(folder: boolean): void {
    this.#noise++;
    if (!folder || this.#anew) return;
    this.#anew = true;
    this.#events.onChange(null);
  }

  #onError(error: Error): void {
    const { code = error.message } = error as { code?: string };
    if (this.#told.has(code)) return;
    this.#told.add(code);
    if (NO_ROOM.has(code)) {
      this.#polling = true;
      this.#anew = true;
      this.#events.onWarn(
        `the system cannot watch so many folders (${code}): they are looked at twice a second instead; on Linux, more room: sysctl fs.inotify.max_user_watches=524288`,
      );
    } else this.#events.onWarn(`watching: ${error.message}`);
    this.#events.onChange(null);
  }
}

const isSame = (a: Reads, b: Reads): boolean => JSON.stringify(a) === JSON.stringify(b);

const keyOf = ({ folder, pattern }: Glob): string => `${folder}\0${pattern}`;

const identities = (folders: readonly string[]): Map<string, string> =>
  new Map(
    folders.map(path => {
      const { ino, birthtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? {};
      return [path, `${ino} ${birthtimeMs}`];
    }),
  );
