/** Looks at a query before it runs: it must be one SELECT, and give the same for the same rows whenever it runs. */
import { StageError } from '../contract.ts';
import { literal } from './columns.ts';
import { notOneSelect, type Query } from './query-text.ts';
import type { Session } from './session.ts';

interface Serialized {
  readonly error: boolean;
  readonly error_type?: string;
  readonly error_message?: string;
  readonly position?: string;
  readonly statements?: readonly unknown[];
}

/** Words that read as columns and are the time of day, where no table has a column of that name. */
const NOW = new Set(['current_date', 'current_time', 'current_timestamp', 'localtime', 'localtimestamp']);
/** They depend on the session, which is always the same here. */
const SETTLED = new Set([
  'current_database',
  'current_schema',
  'current_schemas',
  'current_query',
  'in_search_path',
  'error',
]);

/** `columns` are the names of all tables' columns, in small letters. Throws StageError. */
export const throwUnlessRepeatable = async (
  session: Session,
  query: Query,
  columns: ReadonlySet<string>,
): Promise<void> => {
  const { connection } = session;
  const ask = async (sql: string): Promise<string[]> =>
    (await connection.runAndReadAll(sql)).getRows().map(row => String(row[0]));
  const [json = '{}'] = await ask(`SELECT json_serialize_sql(${literal(query.text)})`);
  const tree = JSON.parse(json) as Serialized;
  if (tree.error) {
    if (tree.error_type === 'not implemented') throw notOneSelect(query, 'the query is no SELECT');
    const { at, place } = query.locate(tree.position === undefined ? null : Number(tree.position));
    throw new StageError('sql-error', `${tree.error_message}${at}`, place ? { place } : {});
  }
  const count = tree.statements?.length ?? 0;
  if (count !== 1) throw notOneSelect(query, count === 0 ? 'the query is empty' : `the query is ${count} statements`);
  const fickle = new Set(
    await ask("SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"),
  );
  const found = first(tree.statements, node => {
    if (node.type === 'FUNCTION' && fickle.has(String(node.function_name)) && !SETTLED.has(String(node.function_name)))
      return `${node.function_name}()`;
    if (node.type === 'COLUMN_REF') {
      const names = node.column_names as readonly string[];
      const name = names[0]!.toLowerCase();
      return names.length === 1 && NOW.has(name) && !columns.has(name) ? name : null;
    }
    const sample = node.sample as { seed?: number } | null | undefined;
    return sample && sample.seed === -1 ? 'a sample' : null;
  });
  if (!found) return;
  const { at, place } = query.locate(found.location);
  throw new StageError('sql-not-repeatable', `${found.what} gives something else each time${at}`, {
    advice:
      found.what === 'a sample'
        ? 'name its seed: REPEATABLE (1).'
        : 'A node must give the same for the same rows: take hash(_id) for chance, and write dates out.',
    ...(place ? { place } : {}),
  });
};

interface Fickle {
  readonly what: string;
  readonly location: number | null;
}

/** The first node of the tree that `judge` has a word for. */
const first = (value: unknown, judge: (node: Record<string, unknown>) => string | null): Fickle | null => {
  if (typeof value !== 'object' || value === null) return null;
  if (!Array.isArray(value)) {
    const node = value as Record<string, unknown>;
    const what = judge(node);
    const at = node.query_location;
    if (what !== null) return { what, location: typeof at === 'number' && at < 2 ** 53 ? at : null };
  }
  for (const inner of Object.values(value)) {
    const found = first(inner, judge);
    if (found) return found;
  }
  return null;
};
