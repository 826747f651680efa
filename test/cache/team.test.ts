/** Records that a team shares through Redis or PostgreSQL, and their blobs over HTTP: all of them real. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createClient } from '@redis/client';
import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openBlobSource } from '../../cache/blob-source.ts';
import { digest } from '../../cache/digest.ts';
import { Records } from '../../cache/records.ts';
import { Store } from '../../cache/store.ts';
import { openTeam, TeamError } from '../../cache/team.ts';
import { project } from '../rig/project.ts';
import { documentOf, make, recordOf, rowsOf } from '../rig/results.ts';
import { HAS_POSTGRES, HAS_REDIS, nowhere, POSTGRES, REDIS, serveBlobs } from '../rig/servers.ts';

/** A machine of the team: a store of its own. */
const machine = (records: string | null, blobs: string | null = null) => {
  const p = project({});
  const store = new Store(p.path('.finetune'));
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const team = openTeam({
    store,
    records: records === null ? null : new URL(records),
    blobs: blobs === null ? null : openBlobSource(new URL(blobs), store, warn),
  });
  const mine = new Records(store.db, team);
  mine.onWarning = warn;
  onTestFinished(() => {
    mine.close();
    store.close();
  });
  return { p, store, records: mine, warnings };
};

/** Puts all blobs of a store where a server has them. */
const publishBlobs = (store: Store, folder: string): void => {
  mkdirSync(join(folder, 'blobs'), { recursive: true });
  for (const name of store.all()) writeFileSync(join(folder, 'blobs', name), store.read(name)!);
};

const SERVERS = {
  Redis: {
    isHere: HAS_REDIS,
    url: REDIS,
    /** What somebody else writes under a key. */
    put: async (namespace: string, key: string, value: string) => {
      const client = await createClient({ url: REDIS }).connect();
      await client.set(`${namespace}:${key}`, value);
      client.destroy();
    },
    /** Ends the connections of all machines. */
    hangUp: async () => {
      const client = await createClient({ url: REDIS }).connect();
      const list = await client.sendCommand<string>(['CLIENT', 'LIST']);
      for (const [, id] of list.matchAll(/^id=(\d+) .* name=finetune /gm))
        await client.sendCommand(['CLIENT', 'KILL', 'ID', id!]);
      client.destroy();
    },
    clear: async (namespace: string) => {
      const client = await createClient({ url: REDIS }).connect();
      for await (const keys of client.scanIterator({ MATCH: `${namespace}:*` }))
        if (keys.length > 0) await client.del(keys);
      client.destroy();
    },
  },
  PostgreSQL: {
    isHere: HAS_POSTGRES,
    url: POSTGRES,
    put: async (namespace: string, key: string, value: string) => {
      await withPostgres(c =>
        c.query('INSERT INTO finetune_records (namespace, key, value) VALUES ($1, $2, $3)', [namespace, key, value]),
      );
    },
    hangUp: async () => {
      await withPostgres(c =>
        c.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'finetune' AND pid <> pg_backend_pid()`),
      );
    },
    clear: async (namespace: string) => {
      await withPostgres(c => c.query('DELETE FROM finetune_records WHERE namespace = $1', [namespace]));
    },
  },
};

const withPostgres = async (work: (c: Client) => Promise<unknown>): Promise<void> => {
  const client = new Client({ connectionString: POSTGRES });
  await client.connect();
  await work(client);
  await client.end();
};

for (const [name, server] of Object.entries(SERVERS))
  describe.skipIf(!server.isHere)(`records in ${name}`, () => {
    const shared = () => {
      const namespace = `test-${randomBytes(6).toString('hex')}`;
      onTestFinished(() => server.clear(namespace));
      return { namespace, url: `${server.url}?namespace=${namespace}` };
    };

    test('are found by others, and their blobs brought', async () => {
      const { url } = shared();
      const here = machine(url);
      const made = await make(here.store, here.records, 'a', ['one', 'two']);
      const folder = project({}).folder;
      publishBlobs(here.store, folder);
      const blobs = await serveBlobs(folder);
      const there = machine(url, blobs.url);
      const record = await there.records.get(made.key);
      expect(record!.outputs).toEqual(made.outputs);
      for (const blob of made.blobs) expect(there.store.read(blob)).toEqual(here.store.read(blob));
      expect([...blobs.asked].sort()).toEqual(made.blobs.map(b => `/blobs/${b}`).sort());
      // From here on it is a record of its own.
      expect(await new Records(there.store.db).get(made.key)).toEqual(record);
      expect(there.warnings).toEqual([]);
    });

    test('are made again, and said so, where their blobs cannot be had; the first one stays', async () => {
      const { url } = shared();
      const here = machine(url);
      const made = await make(here.store, here.records, 'a', ['one']);
      const there = machine(url);
      expect(await there.records.get(made.key)).toBeNull();
      expect(there.warnings).toEqual([
        'transforms/filter has been made by somebody else (in 1 s), but its result is neither here nor at FINETUNE_BLOBS: it is made again',
      ]);
      const again = await make(there.store, there.records, 'a', ['other']);
      expect((await there.records.get(made.key))!.outputs).toEqual(again.outputs);
      expect((await machine(url).records.get(made.key)) === null).toBe(true);
      expect((await here.records.get(made.key))!.outputs).toEqual(made.outputs);
    });

    test('that are published at once have one winner, which everybody takes', async () => {
      const { url } = shared();
      const folder = project({}).folder;
      const document = documentOf('trainer/lora', { r: 8 });
      const blobs = await serveBlobs(folder);
      const machines = Array.from({ length: 6 }, () => machine(url, blobs.url));
      const outputs = machines.map(({ store }, i) => {
        const { output } = rowsOf(store, [`weights ${i}`]);
        store.flush();
        publishBlobs(store, folder);
        return output;
      });
      for (const { records } of machines) expect(await records.get(digest(document))).toBeNull();
      const published = await Promise.all(
        machines.map(({ records }, i) =>
          records.publish(digest(document), recordOf(document, { rows: outputs[i]! }), true),
        ),
      );
      expect(new Set(published.map(r => r.outputs.rows!.digest)).size).toBe(1);
      expect(outputs).toContainEqual(published[0]!.outputs.rows);
      for (const { store } of machines) {
        const record = await new Records(store.db).get(digest(document));
        expect(record!.outputs).toEqual(published[0]!.outputs);
        expect(store.read(record!.outputs.rows!.digest)).not.toBeNull();
      }
    });

    test('that the user forced count here, and change nothing for others', async () => {
      const { url } = shared();
      const here = machine(url);
      const document = documentOf('trainer/lora', {});
      const key = digest(document);
      await here.records.publish(key, recordOf(document, {}, { note: 'first' }), true);
      const there = machine(url);
      expect((await there.records.publish(key, recordOf(document, {}, { note: 'mine' }), 'forced')).note).toBe('mine');
      expect((await there.records.get(key))!.note).toBe('mine');
      expect((await machine(url).records.get(key))!.note).toBe('first');
    });

    test('are shared, histories are not', async () => {
      const { url } = shared();
      const here = machine(url);
      const { key } = await make(here.store, here.records, 'a', ['one']);
      await here.records.remember('finetune.yaml', 'a', key);
      expect(await machine(url).records.history('finetune.yaml', 'a')).toBeNull();
    });

    test('that others have written as garbage, or under a wrong key, are none', async () => {
      const { url, namespace } = shared();
      const here = machine(url);
      const made = await make(here.store, here.records, 'a', ['one']);
      expect(await here.records.get(made.key)).not.toBeNull();
      const there = machine(url);
      for (const [i, value] of ['', 'x', '{"value":5}', '{"value":"x"}', `{"value":"${digest('{}')}{}"}`].entries()) {
        const key = digest(`garbage ${i}`);
        await server.put(namespace, `node:${key}`, value);
        expect(await there.records.get(key), value).toBeNull();
      }
    });

    test('are found again when the server has hung up', async () => {
      const { url } = shared();
      const here = machine(url);
      const first = documentOf('transforms/x', 1);
      await here.records.publish(digest(first), recordOf(first, {}), true);
      await server.hangUp();
      const second = documentOf('transforms/x', 2);
      await here.records.publish(digest(second), recordOf(second, {}), true);
      expect(await machine(url).records.get(digest(second))).not.toBeNull();
    });
  });

describe('a server that cannot be reached', () => {
  test.each(['redis', 'postgres'])('is an error that shows no password (%s)', async scheme => {
    const { records } = machine(`${scheme}://me:s3cret@127.0.0.1:${await nowhere()}/0`);
    const error = await records.get(digest('x')).then(
      () => null,
      e => e as Error,
    );
    expect(error).toBeInstanceOf(TeamError);
    expect(error!.message).toMatch(new RegExp(`^${scheme}://127.0.0.1:\\d+/0 cannot be used: .*ECONNREFUSED`));
    expect(error!.message).not.toContain('s3cret');
  });

  test.skipIf(!HAS_REDIS)(
    'loses nothing that was made meanwhile: it is kept here, and shared by the next build that reaches it',
    async () => {
      const namespace = `test-${randomBytes(6).toString('hex')}`;
      onTestFinished(() => SERVERS.Redis.clear(namespace));
      const p = project({});
      const store = new Store(p.path('.finetune'));
      const document = documentOf('trainer/lora', {});
      const key = digest(document);
      const away = openTeam({ store, records: new URL(`redis://127.0.0.1:${await nowhere()}`), blobs: null });
      const records = new Records(store.db, away);
      const warnings: string[] = [];
      records.onWarning = m => void warnings.push(m);
      expect(await records.publish(key, recordOf(document, {}, { note: 'dear' }), true)).toMatchObject({
        note: 'dear',
      });
      expect(warnings).toEqual([expect.stringMatching(/^the record of trainer\/lora is kept here only: redis:/)]);
      const back = new Records(
        store.db,
        openTeam({ store, records: new URL(`${REDIS}?namespace=${namespace}`), blobs: null }),
      );
      expect(await back.get(digest('something else'))).toBeNull();
      back.close();
      store.close();
      expect((await machine(`${REDIS}?namespace=${namespace}`).records.get(key))!.note).toBe('dear');
    },
  );
});

describe('blobs of others', () => {
  const made = async () => {
    const here = machine(null);
    const result = await make(here.store, here.records, 'a', [
      'one',
      'two'.repeat(200),
      randomBytes(17 << 20).toString('latin1'),
    ]);
    const folder = project({}).folder;
    publishBlobs(here.store, folder);
    return { ...result, folder, here };
  };
  /** A machine that has the record only. */
  const knowing = async (url: string, m: Awaited<ReturnType<typeof made>>) => {
    const there = machine(null, url);
    await there.records.publish(m.key, recordOf(documentOf('transforms/filter', { name: 'a' }), m.outputs), true);
    return there;
  };

  test('come from a folder as well; what is here is not asked for again', async () => {
    const m = await made();
    const there = await knowing(pathToFileURL(m.folder).href, m);
    expect(await there.records.get(m.key)).not.toBeNull();
    for (const blob of m.blobs) expect(there.store.read(blob)).not.toBeNull();
    const server = await serveBlobs(m.folder);
    const again = new Records(
      there.store.db,
      openTeam({
        store: there.store,
        records: null,
        blobs: openBlobSource(new URL(server.url), there.store, () => {}),
      }),
    );
    await again.get(m.key);
    expect(server.asked).toEqual([]);
    expect(there.warnings).toEqual([]);
  });

  test('with another content are refused', async () => {
    const m = await made();
    writeFileSync(join(m.folder, 'blobs', m.blobs[1]!), 'poison');
    const there = await knowing((await serveBlobs(m.folder)).url, m);
    await there.records.get(m.key);
    expect(there.store.locate(m.blobs[1]!)).toBeNull();
    expect(there.warnings).toEqual([expect.stringMatching(/has something else under the name of blob/)]);
  });

  test('of a server that fails are misses, told once', async () => {
    const m = await made();
    const server = await serveBlobs(m.folder, 500);
    const there = await knowing(server.url, m);
    for (let i = 0; i < 3; i++) await there.records.get(m.key);
    expect(there.warnings).toEqual([
      expect.stringMatching(/^http:\/\/127.0.0.1:\d+\/ gives no blobs: it answers 500; /),
    ]);
    expect(server.asked.length).toBe(1);
    const away = await knowing(`http://127.0.0.1:${await nowhere()}`, m);
    await away.records.get(m.key);
    expect(away.warnings).toEqual([expect.stringMatching(/ECONNREFUSED/)]);
  });

  test('are asked for with the password of the URL, which nobody is shown', async () => {
    const m = await made();
    const server = await serveBlobs(m.folder, 403);
    const there = await knowing(server.url.replace('//', '//me:s3%20cret@'), m);
    await there.records.get(m.key);
    expect(server.authorization()).toBe(`Basic ${Buffer.from('me:s3 cret').toString('base64')}`);
    expect(there.warnings.join()).not.toMatch(/s3/);
  });
});
