/** Brings files of a repository to a folder: once, whole or not at all, and from where an earlier attempt was killed. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  createReadStream,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { StageError } from '../contract.ts';
import { hold } from '../trainer/holder.ts';
import { huggingFaceBlob } from './hugging-face-cache.ts';
import type { RemoteFile, Repository } from './repository.ts';

export interface Wanted {
  readonly file: RemoteFile;
  /** Absolute path that it is to have. */
  readonly to: string;
}

interface Download {
  readonly repository: Repository;
  readonly kind: 'dataset' | 'model';
  readonly commit: string;
  readonly wanted: readonly Wanted[];
  /** Nobody else brings files into it meanwhile. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Bytes that are here, of all that are wanted. */
  progress(done: number, total: number): void;
  log(line: string): void;
}

interface Each extends Omit<Download, 'progress'> {
  count(bytes: number): void;
}

const AT_ONCE = 4;
/** How often nothing at all may come, in a row, of a file that the server begins to give. */
const VAIN = 4;
/** Left on the disk for what else is at work. */
const SPARE = 256 * 2 ** 20;

/** Resolves when all are there, each with the digest that the commit says. Throws StageError. */
export const download = async (d: Download): Promise<void> => {
  const total = d.wanted.reduce((n, w) => n + w.file.size, 0);
  let done = 0;
  const count = (bytes: number): void => {
    done += bytes;
    d.progress(done, total);
  };
  const missing: Wanted[] = [];
  for (const wanted of d.wanted) {
    if (await isThere(wanted, d.signal)) count(wanted.file.size);
    else missing.push(wanted);
  }
  if (missing.length === 0) return;
  mkdirSync(d.folder, { recursive: true });
  const release = await hold(join(d.folder, 'any'), d.signal);
  const failed = new AbortController();
  const each: Each = { ...d, signal: AbortSignal.any([d.signal, failed.signal]), count };
  try {
    throwIfNoRoom(d.folder, missing);
    const queue = missing.values();
    const bring = async (): Promise<void> => {
      for (const wanted of queue) await bringOne(each, wanted);
    };
    // Where one fails the others end, too, before the folder is let go of.
    const all = await Promise.allSettled(
      Array.from({ length: AT_ONCE }, () =>
        bring().catch(error => {
          failed.abort(error);
          throw error;
        }),
      ),
    );
    const first = all.find(one => one.status === 'rejected');
    if (first) throw failed.signal.reason ?? first.reason;
  } finally {
    release();
  }
};

/** Looked through each time: somebody may have been at it. */
const isThere = async ({ file, to }: Wanted, signal: AbortSignal): Promise<boolean> =>
  statSync(to, { throwIfNoEntry: false })?.size === file.size && (await digestOf(to, file, signal)) === file.digest;

const digestOf = async (path: string, file: RemoteFile, signal: AbortSignal): Promise<string> => {
  const hash = hashOf(file);
  for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20, signal })) hash.update(bytes as Buffer);
  return hash.digest('hex');
};

const partOf = ({ to }: Wanted): string => `${to}.part`;

const throwIfNoRoom = (folder: string, missing: readonly Wanted[]): void => {
  const { bavail, bsize } = statfsSync(folder);
  const have = missing.reduce((n, w) => n + (statSync(partOf(w), { throwIfNoEntry: false })?.size ?? 0), 0);
  const needed = missing.reduce((n, w) => n + w.file.size, 0) - have;
  if (bavail * bsize - SPARE >= needed) return;
  const gb = (bytes: number) => (bytes / 1e9).toFixed(1);
  throw new StageError('disk-full', `${gb(needed)} GB are to come, and ${gb(bavail * bsize)} GB are free on the disk`, {
    advice: 'Make room, or let the files come to another disk (FINETUNE_MODELS for models, FINETUNE_STORE for data).',
  });
};

const bringOne = async (d: Each, wanted: Wanted): Promise<void> => {
  const { count } = d;
  const { file, to } = wanted;
  // Another node may have brought it while we waited.
  if (await isThere(wanted, d.signal)) return count(file.size);
  mkdirSync(dirname(to), { recursive: true });
  const part = partOf(wanted);
  const known = huggingFaceBlob(d.kind, d.repository.name, file);
  if (known && (await digestOf(known, file, d.signal)) === file.digest) {
    takeKnown(known, part);
    count(file.size);
    return finish(part, to);
  }
  for (let tries = 1; ; tries++) {
    let counted = 0;
    const counting = (bytes: number): void => {
      counted += bytes;
      count(bytes);
    };
    const digest = await fetchInto({ ...d, count: counting }, file, part);
    if (digest === file.digest) return finish(part, to);
    rmSync(part, { force: true });
    count(-counted);
    if (tries === 2)
      throw new StageError('hub-damaged', `${file.path} of ${d.repository.page} does not have its digest, twice`, {
        advice: 'Something on the way changes it (a proxy?), or the Hub is in trouble: build again later.',
      });
    d.log(`${file.path} does not have its digest: brought again`);
  }
};

/** What the Hub's own tools have brought already: a link where that can be, else a copy. */
const takeKnown = (known: string, part: string): void => {
  rmSync(part, { force: true });
  try {
    linkSync(known, part);
  } catch {
    copyFileSync(known, part, constants.COPYFILE_FICLONE);
  }
};

/** Git names a blob by its header, too. */
const hashOf = ({ digest, size }: RemoteFile) =>
  digest.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);

/** Goes on where the part ends, and takes up connections that are lost, as long as something comes. Returns the digest. */
const fetchInto = async (d: Each, file: RemoteFile, part: string): Promise<string> => {
  let state = await beginning(file, part);
  d.count(state.at);
  for (let vain = 0; state.at < file.size; ) {
    const before = state.at;
    try {
      const { from, body } = await d.repository.content(d.commit, file.path, before, d.signal);
      if (from !== before) {
        if (from !== 0) throw strange(`${file.path} came from byte ${from} on, in place of ${before}`);
        truncateSync(part, 0);
        d.count(-before);
        state = { at: 0, hash: hashOf(file) };
      }
      await append(state, { file, part, body, count: d.count });
      if (state.at < file.size) throw new Error('it ended too early');
    } catch (error) {
      d.signal.throwIfAborted();
      if (error instanceof StageError) throw error;
      vain = state.at > before ? 0 : vain + 1;
      if (vain === VAIN) throw d.repository.lost(error);
      d.log(`${file.path}: the connection was lost at byte ${state.at} of ${file.size}, and is taken up again`);
      await pause(250 * vain, undefined, { signal: d.signal });
    }
  }
  return state.hash.digest('hex');
};

interface State {
  /** Bytes of the part that are known, and the hash of them. */
  at: number;
  readonly hash: ReturnType<typeof createHash>;
}

const beginning = async (file: RemoteFile, part: string): Promise<State> => {
  const size = statSync(part, { throwIfNoEntry: false })?.size ?? 0;
  if (size > file.size) rmSync(part);
  const state = { at: size > file.size ? 0 : size, hash: hashOf(file) };
  if (state.at === 0) closeSync(openSync(part, 'w'));
  else for await (const bytes of createReadStream(part, { highWaterMark: 1 << 20 })) state.hash.update(bytes as Buffer);
  return state;
};

interface Coming {
  readonly file: RemoteFile;
  readonly part: string;
  readonly body: AsyncIterable<Uint8Array>;
  count(bytes: number): void;
}

const append = async (state: State, { file, part, body, count }: Coming): Promise<void> => {
  const fd = openSync(part, 'r+');
  try {
    for await (const bytes of body) {
      if (state.at + bytes.length > file.size) throw strange(`${file.path} is longer than the commit says`);
      writeSync(fd, bytes, 0, bytes.length, state.at);
      state.hash.update(bytes);
      state.at += bytes.length;
      count(bytes.length);
    }
  } finally {
    closeSync(fd);
  }
};

const strange = (what: string): StageError => new StageError('hub-answer', what);

const finish = (part: string, to: string): void => {
  const fd = openSync(part, 'r');
  fsyncSync(fd);
  closeSync(fd);
  renameSync(part, to);
};
