/**
 * What a team shares, by URL: records of keys through Keyv in Redis or PostgreSQL, and blobs from a server or folder that has
 * them. Records are only ever added: the first one published under a key counts, for everybody.
 */
import Keyv from 'keyv';
import type { BlobSource } from './blob-source.ts';
import type { NodeRecord } from './node-record.ts';
import { reach } from './reach.ts';
import type { Team } from './records.ts';
import type { Store } from './store.ts';

/** What a server has to do for Keyv. */
export interface TeamServer {
  get(key: string): Promise<string | undefined>;
  /** Only where there is none yet; false where there was. */
  set(key: string, value: string): Promise<boolean>;
  delete(key: string): Promise<boolean>;
  clear(): Promise<void>;
  close(): void;
}

/** The server cannot be reached, or does not do what is asked of it. */
export class TeamError extends Error {}

export interface TeamOptions {
  readonly store: Store;
  /** redis:, rediss:, postgres: or postgresql:; `?namespace=` keeps several teams apart on one server. */
  readonly records: URL | null;
  readonly blobs: BlobSource | null;
}

const NAMESPACE = 'finetune';

/** Connects when it is first asked for something. */
export const openTeam = ({ store, records, blobs }: TeamOptions): Team => {
  const server = records && (records.protocol.startsWith('redis') ? redis : postgres)(records);
  const keyv = server && new Keyv({ store: server });
  const told = async <T>(work: (k: Keyv) => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries++) {
      try {
        return await work(keyv!);
      } catch (error) {
        if (tries < PAUSES.length && isPassing(error)) await pause(PAUSES[tries]!);
        else throw new TeamError(`${shownOf(records!)} cannot be used: ${withoutSecrets(error, records!)}`);
      }
    }
  };
  const get = async (key: string): Promise<string | null> => {
    const value = await told(async k => {
      try {
        return await k.get<unknown>(`node:${key}`);
      } catch (error) {
        if (error instanceof SyntaxError) return null;
        throw error;
      }
    });
    return typeof value === 'string' ? value : null;
  };
  return {
    get: async key => (keyv ? get(key) : null),
    publish: async (key, sealed) =>
      !keyv || (await told(k => k.set(`node:${key}`, sealed))) ? sealed : ((await get(key)) ?? sealed),
    hasBlobs: blobs !== null,
    obtain: record => obtain(store, blobs, record),
    close: () => server?.close(),
  };
};

/** Milliseconds before each try: a server that restarts is back by then. */
const PAUSES = [0, 300, 1500];

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

/** Nobody listens, or PostgreSQL is starting. */
const isPassing = (error: unknown): boolean =>
  ['ECONNREFUSED', 'ECONNRESET', '57P03'].includes((error as { code?: string }).code ?? '');

/** Whether all blobs of the record are here, those included that could be brought. */
const obtain = async (store: Store, blobs: BlobSource | null, { outputs }: NodeRecord): Promise<boolean> => {
  const names = Object.values(outputs).flatMap(o =>
    o.type === 'model' && o.digest === ''
      ? []
      : o.type === 'rows' && o.lineage !== null
        ? [o.digest, o.lineage]
        : [o.digest],
  );
  const isMissing = (digest: string): boolean => store.locate(digest) === null;
  const bring = async (digests: readonly string[]): Promise<void> => {
    const missing = [...new Set(digests)].filter(isMissing);
    if (missing.length > 0) await blobs?.bring(missing);
  };
  // First what names the rest.
  await bring(names);
  if (names.some(isMissing)) return false;
  const rest = [...reach(store, { outputs, alignment: null }, name => store.isKnownWhole(name))].flatMap(r => r.blobs);
  await bring(rest);
  return !rest.some(isMissing);
};

const namespaceOf = (url: URL): string => url.searchParams.get('namespace') ?? NAMESPACE;

/** The URL for the client, which knows nothing of namespaces. */
const plainUrl = (url: URL): string => {
  const plain = new URL(url);
  plain.searchParams.delete('namespace');
  return plain.href;
};

/** Connects at the first call, and anew where the connection has been lost since the last one. */
const lazily = (connect: () => Promise<TeamServer>): TeamServer => {
  let server: Promise<TeamServer> | null = null;
  const hangUp = (open: Promise<TeamServer>): void => {
    if (server === open) server = null;
    void open.then(
      s => s.close(),
      () => {},
    );
  };
  const using = async <T>(work: (s: TeamServer) => Promise<T>): Promise<T> => {
    for (;;) {
      const isNew = server === null;
      const open = (server ??= connect());
      try {
        return await work(await open);
      } catch (error) {
        hangUp(open);
        if (isNew) throw error;
      }
    }
  };
  return {
    get: key => using(s => s.get(key)),
    set: (key, value) => using(s => s.set(key, value)),
    delete: key => using(s => s.delete(key)),
    clear: () => using(s => s.clear()),
    close: () => {
      if (server) hangUp(server);
    },
  };
};

const redis = (url: URL): TeamServer =>
  lazily(async () => (await import('./team-redis.ts')).openRedis(plainUrl(url), namespaceOf(url)));

const postgres = (url: URL): TeamServer =>
  lazily(async () => (await import('./team-postgres.ts')).openPostgres(plainUrl(url), namespaceOf(url)));

/** Without user, password and parameters. */
export const shownOf = (url: URL): string => `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`;

const withoutSecrets = (error: unknown, url: URL): string => {
  const { code, message, errors } = error as { code?: string; message: string; errors?: readonly Error[] };
  // Several addresses were tried, each with an error of its own.
  const text = message || errors?.[0]?.message || code || String(error);
  return [url.href, url.password, decodeURIComponent(url.password)]
    .filter(secret => secret !== '')
    .reduce((t, secret) => t.replaceAll(secret, '***'), text);
};
