/** Transform `sql`: a query over rows, by DuckDB. */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { SqlOptions } from '../../schemas/types.ts';
import { type RowsInput, StageError, type WholeContext, type WholeStage } from '../contract.ts';
import { loadTable } from '../sql/load.ts';
import { queryOf } from '../sql/query-text.ts';
import { runQuery } from '../sql/run-query.ts';
import { Session } from '../sql/session.ts';
import { writeRecords } from '../sql/write-records.ts';

export type Options = Pick<SqlOptions, 'query' | 'key' | 'memory'>;

const run = async (context: WholeContext<Options>): Promise<void> => {
  const { options, files, inputs, signal } = context;
  const query = queryOf(options, files);
  const folder = join(context.work, 'sql');
  const session = await Session.open({ folder, memory: options.memory, signal });
  const tables = Object.entries(inputs) as [string, RowsInput][];
  try {
    let ids = true;
    let done = 0;
    for (const [name, rows] of tables) {
      context.progress(done++, tables.length, 'tables');
      const tick = async (): Promise<void> => {
        await setImmediate();
        signal.throwIfAborted();
      };
      const loaded = await loadTable(session, { name, rows }, folder, tick);
      ids &&= loaded.ids;
    }
    const columns = await session.columns();
    await session.shutOff([]);
    const count = await writeRecords(context, runQuery(session, query, columns), { key: options.key, ids });
    if (count === 0) throw new StageError('empty-output', 'the query gives no rows');
  } catch (error) {
    const empty = tables.filter(([, rows]) => rows.count === 0).map(([name]) => name);
    throw empty.length > 0 && error instanceof StageError ? withoutColumns(error, empty) : error;
  } finally {
    session.close();
  }
};

/** Nobody knows the columns of a table of no rows: so it has none. */
const withoutColumns = ({ reason, message, place }: StageError, empty: readonly string[]): StageError =>
  new StageError(reason, message, {
    advice: `${empty.join(' and ')} ${empty.length > 1 ? 'hold' : 'holds'} no rows, and so no columns but _id and _parent.`,
    ...(place ? { place } : {}),
  });

export default { kind: 'whole', runs: 'main', run } satisfies WholeStage<Options>;
