/** Writes the records that a query gives, some at a time, as rows. */
import type { Json, WholeContext } from '../contract.ts';
import { naming, throwIfLost, throwIfTwice } from './naming.ts';

export interface Batch {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Json[])[];
}

interface Options {
  readonly key: string | undefined;
  /** See `naming`. */
  readonly ids: boolean;
}

/** Returns how many there were. */
export const writeRecords = async (
  context: WholeContext<unknown>,
  batches: AsyncIterable<Batch>,
  { key, ids }: Options,
): Promise<number> => {
  const [rows, rejects] = [context.rows('rows'), context.rows('rejects')];
  const name = naming({ key, ids, contentId: context.contentId });
  let n = 0;
  let first = true;
  for await (const { columns, rows: records } of batches) {
    if (first) {
      throwIfTwice(columns);
      throwIfLost(key, columns);
      first = false;
    }
    for (const values of records) {
      n++;
      const row = name(Object.fromEntries(values.map((v, i) => [columns[i]!, v])), n);
      if ('id' in row) await rows.write(row);
      else await rejects.write({ id: `row:${n}`, parent: null, fields: { reason: row.reason, row: n } });
    }
    context.progress(n, null, 'rows');
  }
  return n;
};
