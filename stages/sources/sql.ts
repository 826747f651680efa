/** Source `sql`: a query over files (DuckDB), an SQLite database, or a PostgreSQL server. */
import { join } from 'node:path';
import type { SqlOptions } from '../../schemas/types.ts';
import { StageError, type WholeContext, type WholeStage } from '../contract.ts';
import { queryOf } from '../sql/query-text.ts';
import { type Batch, writeRecords } from '../sql/write-records.ts';

export type Options = SqlOptions;

type Context = WholeContext<Options>;

const run = async (context: Context): Promise<void> => {
  const { options, files, signal } = context;
  const query = queryOf(options, files);
  const batches =
    options.postgres !== undefined
      ? (await import('../sql/postgres.ts')).postgresRows(options.postgres, query, signal)
      : options.sqlite !== undefined
        ? (await import('../sql/sqlite.ts')).sqliteRows(files.sqlite![0]!, query, signal)
        : overFiles(context);
  const count = await writeRecords(context, batches, { key: options.key, ids: false });
  if (count === 0) throw new StageError('empty-source', 'the query gives no rows');
};

const overFiles = async function* (context: Context): AsyncGenerator<Batch> {
  const { options, files, signal } = context;
  const data = files.files ?? [];
  const patterns = [options.files ?? []].flat();
  if (data.length === 0) {
    throw new StageError('empty-source', `no file matches ${patterns.join(', ')}`, {
      advice: 'Globs are relative to the folder of the recipe; `**` crosses folders.',
    });
  }
  const { Session } = await import('../sql/session.ts');
  const { createViews, withNames } = await import('../sql/views.ts');
  const { runQuery } = await import('../sql/run-query.ts');
  const session = await Session.open({ folder: join(context.work, 'sql'), memory: options.memory, signal });
  try {
    const paths = await createViews(session, data, patterns);
    const columns = await session.columns();
    await session.shutOff(paths);
    yield* runQuery(session, queryOf(options, files), columns);
  } catch (error) {
    throw withNames(error, data);
  } finally {
    session.close();
  }
};

export default { kind: 'whole', runs: 'main', run } satisfies WholeStage<Options>;
