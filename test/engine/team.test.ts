/** Builds of a team: results are made once, and found by all. */
import { randomBytes } from 'node:crypto';
import { createClient } from '@redis/client';
import { expect, onTestFinished, test } from 'vitest';
import { GATE, pages, project, RECIPE } from '../rig/project.ts';
import { HAS_REDIS, nowhere, REDIS } from '../rig/servers.ts';

const recipe = RECIPE.replace('  pairs:', '  mine:   { uses: ./gate.ts, from: good }\n  pairs:');
const files = { 'finetune.yaml': recipe, 'gate.ts': GATE, ...pages(4) };

const shared = () => {
  const namespace = `test-${randomBytes(6).toString('hex')}`;
  onTestFinished(async () => {
    const client = await createClient({ url: REDIS }).connect();
    for await (const keys of client.scanIterator({ MATCH: `${namespace}:*` }))
      if (keys.length > 0) await client.del(keys);
    client.destroy();
  });
  return `${REDIS}?namespace=${namespace}`;
};

test.skipIf(!HAS_REDIS)('what one has made, another takes from the team, blobs and all', async () => {
  const FINETUNE_RECORDS = shared();
  const one = project(files);
  const first = await one.build([], { env: { FINETUNE_RECORDS } });
  expect(first.code).toBe(0);
  const share = project({});
  expect((await one.run(['cache', 'publish', share.folder])).stdout).toMatch(/^\d+ files, .* added to .*\/blobs\n$/);
  const two = project(files);
  const second = await two.build([], { env: { FINETUNE_RECORDS, FINETUNE_BLOBS: `file://${share.folder}` } });
  expect(second.code).toBe(0);
  expect(new Set(Object.values(second.states))).toEqual(new Set(['cached']));
  expect(two.has('calls.txt')).toBe(false);
  // And from there on alone.
  const third = await two.build([], { env: {} });
  expect(new Set(Object.values(third.states))).toEqual(new Set(['cached']));
});

test('a server that cannot be reached fails what is not here, and only that', async () => {
  const FINETUNE_RECORDS = `redis://me:s3cret@127.0.0.1:${await nowhere()}`;
  const p = project(files);
  expect((await p.build()).code).toBe(0);
  expect((await p.build([], { env: { FINETUNE_RECORDS } })).code).toBe(0);
  p.edit('finetune.yaml', 'min: 10', 'min: 11');
  const built = await p.build([], { env: { FINETUNE_RECORDS } });
  expect(built.code).toBe(1);
  expect(built.reasons).toEqual(['records-unreachable']);
  expect(built.stdout + built.stderr).not.toContain('s3cret');
  expect(built.states).toMatchObject({ lines: 'cached', good: 'failed', mine: 'skipped' });
});

test('an address that is none is told at once, without what it holds', async () => {
  const p = project(files);
  for (const FINETUNE_RECORDS of ['mysql://me:s3cret@host', 'me:s3cret@host:80', '//me:s3cret']) {
    const built = await p.build([], { env: { FINETUNE_RECORDS } });
    expect(built.code).toBe(2);
    expect(built.reasons).toEqual(['usage']);
    expect(built.stdout + built.stderr).not.toContain('s3cret');
  }
});
