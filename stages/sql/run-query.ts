/** Runs the user's query on a session that has its tables: the records of its result, some at a time. */
import { setImmediate } from 'node:timers/promises';
import { StageError } from '../contract.ts';
import { NoJson } from '../sources/readers/json-values.ts';
import type { Query } from './query-text.ts';
import { throwUnlessRepeatable } from './repeatable.ts';
import type { Session } from './session.ts';
import { toJson } from './to-json.ts';
import type { Batch } from './write-records.ts';

/** `columns` are the names of all tables' columns, in small letters. Throws StageError. */
export async function* runQuery(session: Session, query: Query, columns: ReadonlySet<string>): AsyncGenerator<Batch> {
  try {
    await throwUnlessRepeatable(session, query, columns);
    const result = await session.connection.stream(query.text);
    const names = result.columnNames();
    const parsers = result.columnTypes().map((type, i) => {
      try {
        return toJson(type, session.duck);
      } catch (error) {
        if (error instanceof NoJson) throw new StageError('sql-columns', `column "${names[i]}" holds ${error.message}`);
        throw error;
      }
    });
    yield { columns: names, rows: [] };
    for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
      yield { columns: names, rows: chunk.getRows().map(values => values.map((v, i) => parsers[i]!(v))) };
      // We are in the main thread: others want their turn.
      await setImmediate();
      session.throwIfAborted();
    }
  } catch (error) {
    throw session.explain(error, query);
  }
}
