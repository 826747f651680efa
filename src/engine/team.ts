/** The team's records and blobs that the environment names: checked at the start, loaded and connected to when first needed. */
import type { Team } from '../../cache/records.ts';
import type { Store } from '../../cache/store.ts';
import { FailureError, fail } from '../failure.ts';

const RECORDS = new Set(['redis:', 'rediss:', 'postgres:', 'postgresql:']);
const BLOBS = new Set(['file:', 'http:', 'https:']);

/** Null where neither FINETUNE_RECORDS nor FINETUNE_BLOBS is set. Throws FailureError for a URL that is none of ours. */
export const teamOf = (env: NodeJS.ProcessEnv, store: Store, warn: (message: string) => void): Team | null => {
  const records = urlOf(env, 'FINETUNE_RECORDS', RECORDS, 'redis://host or postgres://user@host/database');
  const blobs = urlOf(env, 'FINETUNE_BLOBS', BLOBS, 'https://host/path or file:///folder');
  if (!records && !blobs) return null;
  let opened: Promise<Team> | null = null;
  const using = async <T>(work: (team: Team) => Promise<T>): Promise<T> => {
    opened ??= open(store, records, blobs, warn);
    const team = await opened;
    try {
      return await work(team);
    } catch (error) {
      const { TeamError } = await import('../../cache/team.ts');
      if (!(error instanceof TeamError)) throw error;
      const advice =
        'start the server or mend the address; without FINETUNE_RECORDS, only what this machine has made counts as made';
      throw new FailureError([{ reason: 'records-unreachable', message: error.message, advice }]);
    }
  };
  return {
    get: key => (records ? using(t => t.get(key)) : Promise.resolve(null)),
    publish: (key, sealed) => (records ? using(t => t.publish(key, sealed)) : Promise.resolve(sealed)),
    hasBlobs: blobs !== null,
    obtain: record => using(t => t.obtain(record)),
    close: () => void opened?.then(t => t.close()),
  };
};

const open = async (
  store: Store,
  records: URL | null,
  blobs: URL | null,
  warn: (message: string) => void,
): Promise<Team> => {
  const [{ openTeam }, { openBlobSource }] = await Promise.all([
    import('../../cache/team.ts'),
    import('../../cache/blob-source.ts'),
  ]);
  return openTeam({ store, records, blobs: blobs && openBlobSource(blobs, store, warn) });
};

const urlOf = (env: NodeJS.ProcessEnv, name: string, known: ReadonlySet<string>, like: string): URL | null => {
  const text = env[name];
  if (!text) return null;
  const url = URL.parse(text);
  // It is not shown: what cannot be read as a URL may still hold a password.
  if (!url || !known.has(url.protocol)) return fail('usage', `${name} takes a URL such as ${like}`);
  return url;
};
