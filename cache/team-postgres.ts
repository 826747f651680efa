/** A team's records in PostgreSQL: INSERT with ON CONFLICT DO NOTHING keeps the first one of each key. */
import { connectPostgres } from '../stages/postgres.ts';
import type { TeamServer } from './team.ts';

const ANSWER_MS = 10_000;
/** Somebody made the table at the same moment. */
const EXISTS = new Set(['23505', '42P07']);

const TABLE = `
  CREATE TABLE finetune_records (
    namespace text NOT NULL, key text NOT NULL, value text NOT NULL, made timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, key)
  )
`;

/** As `connectPostgres`. */
export const openPostgres = async (url: string, namespace: string): Promise<TeamServer> => {
  const client = await connectPostgres({ url, query_timeout: ANSWER_MS });
  try {
    // Who may not make tables can still use one.
    const { rows } = await client.query<{ at: string | null }>("SELECT to_regclass('finetune_records') AS at");
    if (rows[0]!.at === null) {
      await client.query(TABLE).catch(error => {
        if (!EXISTS.has((error as { code?: string }).code ?? '')) throw error;
      });
    }
  } catch (error) {
    void client.end().catch(() => {});
    throw error;
  }
  return {
    get: async key => {
      const { rows } = await client.query<{ value: string }>(
        'SELECT value FROM finetune_records WHERE namespace = $1 AND key = $2',
        [namespace, key],
      );
      return rows[0]?.value;
    },
    set: async (key, value) => {
      const { rowCount } = await client.query(
        'INSERT INTO finetune_records (namespace, key, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
        [namespace, key, value],
      );
      return rowCount === 1;
    },
    delete: async key => {
      const { rowCount } = await client.query('DELETE FROM finetune_records WHERE namespace = $1 AND key = $2', [
        namespace,
        key,
      ]);
      return rowCount === 1;
    },
    clear: async () => void (await client.query('DELETE FROM finetune_records WHERE namespace = $1', [namespace])),
    close: () => void client.end().catch(() => {}),
  };
};
