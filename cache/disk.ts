/**
 * Every operation by which the store reads or changes the disk, so that a test can come between.
 *
 *   interpose((operation, args, run) => {                  // called instead of each operation, in its order
 *     if (++n === 17) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });       // or EIO
 *     if (operation === 'write') return run(args[0], args[1], args[2], args[3] >> 1);     // a short write
 *     return run(...args);
 *   });
 *
 * To stand for a kill, throw at the Nth operation and at every one after it, and drop the Store without closing it, or, in
 * a child started with `--import`, send SIGKILL to oneself. `commit` is SQLite's COMMIT: before `run` the transaction is
 * lost, after it it is kept. Worker threads have a module of their own: what they read is not seen here.
 */
import {
  appendFileSync,
  closeSync,
  constants,
  copyFileSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';

const real = {
  open: (path: string, flags: string): number => openSync(path, flags),
  close: (fd: number): void => closeSync(fd),
  /** Returns how many bytes came: 0 at the end. */
  read: (fd: number, into: Buffer, at: number, length: number, position: number | null): number =>
    readSync(fd, into, at, length, position),
  /** Returns how many bytes were taken, which may be fewer. */
  write: (fd: number, data: Uint8Array, at: number, length: number): number => writeSync(fd, data, at, length),
  sync: (fd: number): void => fsyncSync(fd),
  syncData: (fd: number): void => fdatasyncSync(fd),
  append: (path: string, text: string): void => appendFileSync(path, text),
  rename: (from: string, to: string): void => renameSync(from, to),
  /** Shares the blocks where the file system can. */
  copy: (from: string, to: string): void => copyFileSync(from, to, constants.COPYFILE_FICLONE),
  remove: (path: string): void => rmSync(path, { recursive: true, force: true }),
  makeFolder: (path: string): void => void mkdirSync(path, { recursive: true }),
  commit: (db: DatabaseSync): void => db.exec('COMMIT'),
};

export type Operation = keyof typeof real;
type Run = (...args: readonly unknown[]) => unknown;
export type Between = (operation: Operation, args: readonly unknown[], run: Run) => unknown;

let between: Between | null = null;

/** Puts `by` between the store and the disk; returns what takes it away again. */
export const interpose = (by: Between): (() => void) => {
  between = by;
  return () => {
    between = null;
  };
};

export const disk = Object.fromEntries(
  Object.entries(real).map(([name, run]) => [
    name,
    (...args: unknown[]) =>
      between === null ? (run as Run)(...args) : between(name as Operation, args, (...given) => (run as Run)(...given)),
  ]),
) as typeof real;

/** Writes all of it, in as many pieces as the disk takes it in. */
export const writeAll = (fd: number, data: Uint8Array): void => {
  for (let done = 0; done < data.byteLength; ) done += disk.write(fd, data, done, data.byteLength - done);
};
