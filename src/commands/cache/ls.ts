/** `finetune cache ls`: the results that the store holds, last used first: what each takes, and what keeps it. */
import { BlobTable } from '../../../cache/blob-table.ts';
import { liveLeases } from '../../../cache/lease.ts';
import { Scales, type StoredResult, storedResults } from '../../../cache/results.ts';
import type { ExitCode } from '../../command.ts';
import { storedBytes } from '../../engine/housekeep.ts';
import { findRoots } from '../../engine/roots.ts';
import { sizeInWords } from '../../engine/store-size.ts';
import { counted, duration } from '../../views/numbers.ts';
import { columns, print, printJson } from '../../views/print.ts';
import type { CacheCall } from '../cache.ts';

export const ls = ({ store, records, project, flags }: CacheCall): ExitCode => {
  const table = new BlobTable(store.db);
  const scales = new Scales(store, table);
  const roots = findRoots(store, records, project.folder);
  const results = storedResults(records, roots, liveLeases(store.folder)).map(r => ({ ...r, bytes: scales.whole(r) }));
  const total = storedBytes(store);
  if (flags.json) {
    for (const r of results) {
      const { key, node, recipe, stage, made, used, seconds, bytes, paid, protectedBy } = r;
      printJson({ type: 'result', node, recipe, stage, key, made, used, seconds, bytes, paid, protectedBy });
    }
    printJson({ type: 'total', results: results.length, bytes: total });
    return 0;
  }
  const rows = results.map(r => [
    r.node ?? '-',
    r.recipe ?? '-',
    r.stage,
    minute(r.made),
    duration(r.seconds),
    sizeInWords(r.bytes),
    keptBy(r),
  ]);
  if (rows.length > 0) print(columns(['node', 'recipe', 'stage', 'made', 'took', 'size', 'kept by'], rows));
  print(`${counted(results.length, 'result')}, ${sizeInWords(total)} on disk (what several share counts once)`);
  return 0;
};

const keptBy = ({ protectedBy, paid }: StoredResult): string =>
  [...protectedBy, ...(!paid ? [] : protectedBy.length > 0 ? ['paid for'] : ['paid for (gc --paid removes it)'])].join(
    ', ',
  );

/** "2026-11-20 21:40", where people are. */
export const minute = (seconds: number): string => {
  const at = new Date(seconds * 1000);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
};
