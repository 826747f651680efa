/** A query on a PostgreSQL server, in a transaction that may only read: its rows, some at a time. */
import { StageError } from '../contract.ts';
import { type Client, type ClientConfig, connectPostgres, type QueryConfig } from '../postgres.ts';
import { type FromText, fromText, type PgType } from './postgres-values.ts';
import { notOneSelect, type Query } from './query-text.ts';
import type { Batch } from './write-records.ts';

const FETCH = 1000;
const DECLARE = 'DECLARE finetune_rows NO SCROLL CURSOR FOR ';

/** So that values are written alike, whatever the server's settings are. */
const SETTINGS = [
  "SET LOCAL datestyle = 'ISO, YMD'",
  "SET LOCAL intervalstyle = 'iso_8601'",
  "SET LOCAL timezone = 'UTC'",
  "SET LOCAL bytea_output = 'hex'",
  'SET LOCAL extra_float_digits = 1',
];

const AS_TEXT = { getTypeParser: () => (text: string) => text } as unknown as NonNullable<ClientConfig['types']>;

/** Throws StageError; values are JSON. */
export async function* postgresRows(url: string, query: Query, signal: AbortSignal): AsyncGenerator<Batch> {
  if (!/^postgres(?:ql)?:\/\//.test(url)) {
    throw new StageError('postgres-url', 'the URL of the server does not begin with postgres://', {
      advice: 'It looks like postgres://user:password@host:5432/database.',
    });
  }
  let client: Client | null = null;
  const giveUp = () => client?.destroy();
  try {
    client = await connectPostgres({ url, types: AS_TEXT });
    signal.throwIfAborted();
    signal.addEventListener('abort', giveUp);
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    for (const setting of SETTINGS) await client.query(setting);
    // Extended: one statement, and none after it.
    await client.query({ text: DECLARE + query.text, queryMode: 'extended' } as QueryConfig);
    let parsers: FromText[] | null = null;
    for (;;) {
      const { rows, fields } = await client.query<(string | null)[]>({
        text: `FETCH ${FETCH} FROM finetune_rows`,
        rowMode: 'array',
      });
      if (parsers === null) {
        const types = await typesOf(client, fields);
        parsers = fields.map(f => fromText(f.dataTypeID, types));
      }
      const own = parsers;
      yield {
        columns: fields.map(f => f.name),
        rows: rows.map(row => row.map((v, i) => (v === null ? null : own[i]!(v)))),
      };
      if (rows.length < FETCH) break;
    }
    await client.end();
  } catch (error) {
    throw signal.aborted ? signal.reason : explain(error, query);
  } finally {
    signal.removeEventListener('abort', giveUp);
    client?.destroy();
  }
}

/** Of these columns' types, and of those that they are made of. */
const typesOf = async (
  client: Client,
  fields: readonly { readonly dataTypeID: number }[],
): Promise<ReadonlyMap<number, PgType>> => {
  const types = new Map<number, PgType>();
  let wanted = fields.map(f => f.dataTypeID);
  while (wanted.length > 0) {
    const { rows } = await client.query<[string, string, string, string]>({
      text: 'SELECT oid, typcategory, typelem, typbasetype FROM pg_type WHERE oid = ANY ($1)',
      values: [wanted],
      rowMode: 'array',
    });
    const found = rows.map(
      ([oid, typcategory, elem, base]): PgType => ({
        ...{ oid: Number(oid), typcategory, typelem: Number(elem), typbasetype: Number(base) },
      }),
    );
    for (const type of found) types.set(type.oid, type);
    wanted = found.flatMap(t => [t.typelem, t.typbasetype]).filter(oid => oid !== 0 && !types.has(oid));
  }
  return types;
};

const explain = (error: unknown, query: Query): unknown => {
  if (error instanceof StageError || !(error instanceof Error)) return error;
  const { code = '', message, position, hint, detail } = error as Error & Record<string, string | undefined>;
  const advice = [detail, hint].filter(Boolean).join(' ');
  const fail = (reason: string, words: string, more = advice) =>
    new StageError(reason, words, more === '' ? {} : { advice: more });
  if (/^E[A-Z]+$/.test(code) || /timeout expired|terminated unexpectedly/.test(message))
    return fail('postgres-unreachable', `the PostgreSQL server cannot be reached: ${message}`, REACH);
  if (code.startsWith('28')) return fail('postgres-login', `the PostgreSQL server lets us not in: ${message}`, LOGIN);
  if (code === '3D000') return fail('postgres-database', message, 'The last part of the URL names the database.');
  if (code === '25006') return notOneSelect(query, `the query would change the database: ${message}`);
  if (/multiple commands/.test(message)) return notOneSelect(query, 'the query is several statements');
  // Class 57: the server goes down, or somebody ended the query.
  if (code.startsWith('57') || code.startsWith('08')) return fail('postgres-unreachable', message, REACH);
  if (code === '') return error;
  const at = position === undefined ? null : Number(position) - 1 - DECLARE.length;
  // A command that cannot follow DECLARE … FOR is named where it begins.
  if (code === '42601' && at !== null && at <= leading(query.text))
    return notOneSelect(query, `the query is no SELECT: ${message}`);
  const where = query.locate(at === null || at < 0 ? null : Buffer.byteLength([...query.text].slice(0, at).join('')));
  return new StageError('sql-error', `${message}${where.at}`, {
    ...(advice === '' ? {} : { advice }),
    ...(where.place ? { place: where.place } : {}),
  });
};

const leading = (text: string): number => /^(?:\s|--.*\n)*/.exec(text)![0].length;

const REACH = 'Look whether it runs, and at host and port in the URL.';
const LOGIN = 'Look at user and password in the URL; special characters in them are written as in URLs (%40 for @).';
