/** `finetune cache gc`: makes room: garbage, leftovers, and what was used longest ago until the rest fits. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Collected, collect } from '../../../cache/collect.ts';
import { lock } from '../../../cache/lock.ts';
import { Memo, memoPath } from '../../../cache/memo.ts';
import { addProject } from '../../../cache/projects.ts';
import { bytesOf } from '../../../cache/sweep.ts';
import { type ExitCode, usage } from '../../command.ts';
import { blobBytes, collectionLock, storedBytes, tidyStore } from '../../engine/housekeep.ts';
import { findRoots } from '../../engine/roots.ts';
import { parseSize, sizeInWords, storeSize } from '../../engine/store-size.ts';
import { fail } from '../../failure.ts';
import { counted } from '../../views/numbers.ts';
import { columns, print, printJson } from '../../views/print.ts';
import type { CacheCall } from '../cache.ts';
import { minute } from './ls.ts';

/** What a collection has done, or would do. */
interface Done extends Collected {
  readonly answers: number;
  /** Bytes that the store takes then. */
  readonly total: number;
}

/** A build that puts the store in order is done by then. */
const WAIT_MS = 5000;

export const gc = async (call: CacheCall): Promise<ExitCode> => {
  const { store, flags, env } = call;
  const size = flags.size === undefined ? storeSize(env, store.folder) : parseSize(flags.size);
  if (size === null) throw usage(`--size takes a size such as 10GB, not "${flags.size}"`);
  const waited = AbortSignal.timeout(WAIT_MS);
  const release = await lock(collectionLock(store), waited).catch(error => {
    if (!waited.aborted) throw error;
    return fail('store-busy', 'another process is collecting garbage in this store', {
      advice: 'run the same command again when it is done',
    });
  });
  try {
    const done = run(call, size);
    if (flags.json) tellPrograms(done, flags['dry-run']);
    else tellPeople(done, size, flags['dry-run']);
    return 0;
  } finally {
    release();
  }
};

const run = ({ store, records, project, flags }: CacheCall, size: number): Done => {
  const { paid, 'dry-run': dryRun } = flags;
  addProject(store.db, project.folder);
  const before = storedBytes(store);
  const roots = findRoots(store, records, project.folder);
  const tidied = tidyStore(store, records, roots, dryRun);
  const memo = join(store.folder, memoPath(''));
  // Answers, where they may go, go last: they are small, and cost the most.
  const others = storedBytes(store) - blobBytes(store) - (paid ? bytesOf(memo) : 0);
  const done = collect(store, records, { roots, size: Math.max(0, size - others), paid, dryRun });
  const answers = paid && existsSync(memo) ? trim(store.folder, Math.max(0, size - others - done.left), dryRun) : 0;
  const total = dryRun ? before - done.freed - tidied : storedBytes(store);
  return { ...done, freed: Math.max(0, before - total), answers, total };
};

const trim = (folder: string, bytes: number, dryRun: boolean): number => {
  const memo = new Memo(folder);
  try {
    return memo.trim(bytes, dryRun);
  } finally {
    memo.close();
  }
};

const tellPrograms = ({ dropped, blobs, answers, freed, later, total, fixed, paid }: Done, dryRun: boolean): void => {
  const results = dropped.map(({ key, node, recipe, stage, used, bytes }) => ({
    ...{ key, node, recipe, stage, used, bytes },
  }));
  printJson({ type: 'gc', dryRun, dropped: results, blobs, answers, freed, later, bytes: total, fixed, paid });
};

const tellPeople = (done: Done, size: number, dryRun: boolean): void => {
  const { dropped, blobs, answers, freed, later, total, fixed, paid } = done;
  if (dropped.length > 0) {
    const rows = dropped.map(r => [
      r.node ?? '-',
      r.recipe ?? '-',
      minute(r.made),
      minute(r.used),
      sizeInWords(r.bytes),
    ]);
    print(columns(['node', 'recipe', 'made', 'last used', 'size'], rows));
  }
  const gone = [
    counted(dropped.length, 'result'),
    counted(blobs, 'blob'),
    ...(answers > 0 ? [counted(answers, 'paid answer')] : []),
  ].join(', ');
  const soon = later > 0 ? ` (${sizeInWords(later)} more once running builds have ended)` : '';
  const back = `${sizeInWords(freed)} ${dryRun ? 'less on' : 'given back to'} the disk${soon}`;
  print(`${dryRun ? 'would remove' : 'removed'} ${gone}; ${back}`);
  const may = Number.isFinite(size) ? ` of ${sizeInWords(size)}` : '';
  const kept = [
    ...(fixed > paid ? [`${sizeInWords(fixed - paid)} of last builds, lock files and tags`] : []),
    ...(paid > 0 ? [`${sizeInWords(paid)} of trainings, which go only with --paid`] : []),
  ].join(', ');
  print(`the store takes ${sizeInWords(total)}${may}${kept === '' ? '' : `; ${kept}`}`);
};
