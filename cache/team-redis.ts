/** A team's records in Redis: SET with NX keeps the first one of each key. */
import { createClient } from '@redis/client';
import type { TeamServer } from './team.ts';

const CONNECT_MS = 5000;
const ANSWER_MS = 10_000;

/** Rejects when the server does not answer. A connection that is lost stays so: whoever needs it opens another. */
export const openRedis = async (url: string, namespace: string): Promise<TeamServer> => {
  const client = createClient({
    url,
    name: 'finetune',
    disableOfflineQueue: true,
    commandOptions: { timeout: ANSWER_MS },
    socket: { connectTimeout: CONNECT_MS, reconnectStrategy: false },
  });
  // What fails is told by the call that it fails for.
  client.on('error', () => {});
  await client.connect();
  const at = (key: string): string => `${namespace}:${key}`;
  return {
    get: async key => (await client.get(at(key))) ?? undefined,
    set: async (key, value) => (await client.set(at(key), value, { condition: 'NX' })) !== null,
    delete: async key => (await client.del(at(key))) > 0,
    clear: async () => {
      for await (const keys of client.scanIterator({ MATCH: `${namespace}:*`, COUNT: 1000 }))
        if (keys.length > 0) await client.del(keys);
    },
    close: () => {
      if (client.isOpen) client.destroy();
    },
  };
};
