/** Connections to PostgreSQL: for a team's records, and for data. The only module that imports `pg`. */
import { Socket } from 'node:net';
import { type ClientConfig, Client as PgClient, type QueryConfig } from 'pg';

export type { ClientConfig, QueryConfig };

export interface Client extends PgClient {
  /** Ends the connection at once, whatever it is in the middle of. */
  destroy(): void;
}

const CONNECT_MS = 5000;

interface PostgresOptions extends Pick<ClientConfig, 'query_timeout' | 'types'> {
  readonly url: string;
}

/** Rejects when the server does not answer. A connection that is lost stays so: whoever needs it opens another. */
export const connectPostgres = async ({ url, ...options }: PostgresOptions): Promise<Client> => {
  const socket = new Socket();
  const client = new PgClient({
    stream: () => socket,
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    application_name: 'finetune',
    ...options,
  });
  // What fails is told by the call that it fails for.
  client.on('error', () => {});
  await client.connect();
  return Object.assign(client, { destroy: () => void socket.destroy() });
};
