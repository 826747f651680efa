/** `finetune cache size`: bytes of each part of the store. */
import { join } from 'node:path';
import { memoPath } from '../../../cache/memo.ts';
import { bytesOf } from '../../../cache/sweep.ts';
import type { ExitCode } from '../../command.ts';
import { sizeInWords, storeSize } from '../../engine/store-size.ts';
import { columns, print, printJson } from '../../views/print.ts';
import type { CacheCall } from '../cache.ts';

/** Name, what it is, and where it lies. */
const PARTS: readonly (readonly [name: string, about: string, paths: readonly string[]])[] = [
  ['packs', 'rows and small files', ['packs']],
  ['blobs', 'large files', ['blobs']],
  ['answers', 'paid answers, row by row', [memoPath(''), `${memoPath('')}-wal`]],
  ['rows', 'what later runs go on from', ['rows']],
  ['kept', 'pages and data, as they came', ['kept']],
  ['trees', 'adapters, unpacked for reading', ['trees']],
  ['work', 'checkpoints of unfinished trainings', ['work']],
  ['scratch', 'results that are being made', ['scratch']],
  ['quarantine', 'what was found damaged', ['quarantine']],
  ['logs', 'logs', ['logs']],
  ['index', 'index, records, file states', ['store.db', 'store.db-wal', 'files.bin', 'graphs']],
];

export const size = ({ store, flags, env }: CacheCall): ExitCode => {
  const parts = PARTS.map(([name, about, paths]) => ({
    name,
    about,
    bytes: paths.reduce((n, path) => n + bytesOf(join(store.folder, path)), 0),
  }));
  const bytes = parts.reduce((n, p) => n + p.bytes, 0);
  const limit = storeSize(env, store.folder);
  if (flags.json) {
    const byName = Object.fromEntries(parts.map(p => [p.name, p.bytes]));
    printJson({
      type: 'size',
      folder: store.folder,
      bytes,
      limit: Number.isFinite(limit) ? limit : null,
      parts: byName,
    });
    return 0;
  }
  const rows = parts.filter(p => p.bytes > 0).map(p => [p.name, sizeInWords(p.bytes), p.about]);
  const of = Number.isFinite(limit) ? ` (may take ${sizeInWords(limit)})` : '';
  print(columns(['part', 'size', 'what'], [...rows, ['total', sizeInWords(bytes), `${store.folder}${of}`]]));
  return 0;
};
