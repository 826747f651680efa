/** A store that is damaged, full or cannot be written: a clear message or the right result, never a wrong one. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canMount, smallDisk } from '../rig/disk.ts';
import { type Built, type Project, pages, project, RECIPE } from '../rig/project.ts';

const NODES = ['text', 'lines', 'good', 'pairs', 'unique', 'split'];
const docs = pages(25, 12);
const STORE = '.finetune/store.db';

const made = async () => {
  const p = project({ 'finetune.yaml': RECIPE, ...docs });
  const { digests } = await p.buildHere();
  return { p, digests };
};

const packs = (p: Project): string[] => p.files('.finetune/packs');
const calm = ({ stdout, stderr }: { stdout: string; stderr: string }) =>
  expect(stdout + stderr).not.toMatch(/\n {4}at |node:internal|is a bug of the stage|\\n {4}at /);

const flip = (path: string, offset: number): void => {
  const bytes = readFileSync(path);
  bytes[offset % bytes.length]! ^= 0x55;
  writeFileSync(path, bytes);
};

describe('packs', () => {
  test('a flipped byte anywhere gives the right rows or a message, and the build after that the right rows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async at => {
        const { p, digests } = await made();
        flip(p.path(packs(p)[0]!), at);
        // Every node is run again on what is stored of the one before it.
        for (let i = 0; ; i++) {
          const here = await p.buildHere({ force: i === 0 ? NODES : [], keepGoing: true });
          for (const [output, digest] of Object.entries(here.digests)) expect(digest, output).toBe(digests[output]);
          if (here.ok) break;
          for (const e of here.events)
            if (e.type === 'failed')
              expect(e.failure).toMatchObject({ reason: 'store-corrupt', advice: expect.any(String) });
          expect(i).toBeLessThan(3);
        }
        // What no stage reads (lineage) may still be wrong: verify finds it, and the next build mends it.
        await p.run(['cache', 'verify']);
        expect((await p.buildHere()).ok).toBe(true);
        expect((await p.run(['cache', 'verify'])).code).toBe(0);
      }),
      { numRuns: 4, endOnFailure: true },
    );
  });

  test('`cache verify` finds a flipped byte and takes it out, so that the next build mends it', async () => {
    const { p, digests } = await made();
    flip(p.path(packs(p)[0]!), Math.floor(statSync(p.path(packs(p)[0]!)).size / 2));
    const found = await p.run(['cache', 'verify', '--json']);
    expect(found.code).toBe(1);
    expect(JSON.parse(found.stdout)).toMatchObject({
      type: 'verify',
      ok: false,
      wrong: [{ digest: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    });
    expect((await p.run(['cache', 'verify'])).code).toBe(0);
    const here = await p.buildHere();
    expect(here.ok).toBe(true);
    expect(here.digests).toEqual(digests);
    expect((await p.run(['cache', 'verify'])).stdout).toMatch(/^\d+ blobs, .*: all sound\n$/);
  });

  for (const [what, damage] of Object.entries({
    'a pack cut short': (p: Project) =>
      truncateSync(p.path(packs(p)[0]!), Math.floor(statSync(p.path(packs(p)[0]!)).size / 3)),
    'an empty pack': (p: Project) => truncateSync(p.path(packs(p)[0]!), 0),
    'a pack that is gone': (p: Project) => p.write({ [packs(p)[0]!]: null }),
    'no folder of packs': (p: Project) => p.write({ '.finetune/packs': null }),
    'no database': (p: Project) => p.write({ [STORE]: null, [`${STORE}-wal`]: null, [`${STORE}-shm`]: null }),
  })) {
    test(`${what} is made again`, async () => {
      const { p, digests } = await made();
      damage(p);
      const built = await p.build();
      expect(built.code).toBe(0);
      expect(built.stderr).toBe('');
      const again = await p.buildHere();
      expect(again.digests).toEqual(digests);
      expect(Object.values(again.states)).toEqual(Object.keys(again.states).map(() => 'cached'));
    });
  }
});

describe('files beside the packs', () => {
  test('that hold garbage are as good as not there', async () => {
    for (const garbage of [
      '',
      'null',
      '5',
      '[]',
      '{}',
      '{"format":1}',
      '{"format":1,"files":{"a":null}}',
      '{"format":1,"files":5}',
      '\0\0\0',
      '["x",{}]',
      '["x",null]',
    ]) {
      const { p, digests } = await made();
      for (const file of [...p.files('.finetune/graphs'), '.finetune/files.bin', '.finetune/outs.json'])
        p.write({ [file]: garbage });
      const here = await p.buildHere();
      expect(here.digests, garbage).toEqual(digests);
      expect(new Set(Object.values(here.states)), garbage).toEqual(new Set(['cached']));
    }
  });

  test('a wrong digest of a file is never believed for longer than the file stays as it is', async () => {
    const { p } = await made();
    const files = readFileSync(p.path('.finetune/files.bin'));
    p.edit('docs/0000.md', 'sentence 0 of', 'sentence zero of');
    p.write({ '.finetune/files.bin': files });
    const here = await p.buildHere();
    expect(here.states.docs).toBe('built');
  });
});

describe('the database', () => {
  test('records that hold garbage are made again', async () => {
    for (const garbage of ['', 'garbage', '{"value":null}', '{"value":["0","{}"]}']) {
      const { p, digests } = await made();
      const db = new DatabaseSync(p.path(STORE));
      db.prepare('UPDATE records SET value = ?').run(garbage);
      db.close();
      const built = await p.build();
      expect(built.code, garbage).toBe(0);
      calm(built);
      expect((await p.buildHere()).digests).toEqual(digests);
    }
  });

  test('a record that was changed by a character is made again', async () => {
    const { p, digests } = await made();
    const db = new DatabaseSync(p.path(STORE));
    db.exec(`UPDATE records SET value = replace(value, 'computed', 'computer') WHERE key LIKE '%node:%'`);
    db.close();
    const here = await p.buildHere();
    expect(here.digests).toEqual(digests);
    expect(here.states.docs).toBe('built');
  });

  const warnings = (built: Built): string[] => built.events.flatMap(e => (e.type === 'warn' ? [e.message] : []));

  test('that is none is set aside, and all is made again', async () => {
    const { p, digests } = await made();
    p.write({
      [STORE]: 'This is no database at all, but long enough to be looked at as if it were one. '.repeat(60),
      [`${STORE}-wal`]: null,
      [`${STORE}-shm`]: null,
    });
    const built = await p.build();
    expect(built.code).toBe(0);
    expect(warnings(built)).toEqual([
      expect.stringMatching(
        /^the store's index was damaged: 0 entries of it could be read .*quarantine\/store-\d+\.db$/,
      ),
    ]);
    calm(built);
    const again = await p.buildHere();
    expect(again.digests).toEqual(digests);
    expect(new Set(Object.values(again.states))).toEqual(new Set(['cached']));
  });

  test('whose bad page shows in the middle of a build is saved as far as it can be read, and the build done once more', async () => {
    const { p, digests } = await made();
    const db = new DatabaseSync(p.path(STORE));
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const page = (name: string) =>
      (db.prepare('SELECT rootpage FROM sqlite_master WHERE name = ?').get(name) as { rootpage: number }).rootpage;
    const size = (db.prepare('PRAGMA page_size').get() as { page_size: number }).page_size;
    const at = (page('uses') - 1) * size;
    db.close();
    flip(p.path(STORE), at);
    p.edit('docs/0001.md', 'sentence 3 of', 'sentence three of');
    const built = await p.build();
    expect(built.code).toBe(0);
    expect(warnings(built).join()).toMatch(/the store's index was damaged: [1-9]\d+ entries/);
    calm(built);
    // What was recorded before is still known.
    p.edit('docs/0001.md', 'sentence three of', 'sentence 3 of');
    const before = await p.buildHere();
    expect(before.digests).toEqual(digests);
    expect(new Set(Object.values(before.states))).toEqual(new Set(['cached']));
  });

  test('with bytes flipped gives a message or the right result', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { minLength: 1, maxLength: 30 }), async at => {
        const { p, digests } = await made();
        const db = new DatabaseSync(p.path(STORE));
        db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
        db.close();
        for (const offset of at) flip(p.path(STORE), 100 + offset);
        const built = await p.build(['--keep-going', '--force', 'text']);
        calm(built);
        if (built.code !== 0) expect(built.reasons.length).toBeGreaterThan(0);
        for (const e of built.events)
          if (e.type === 'done')
            for (const [o, { digest }] of Object.entries(e.outputs)) expect(digest).toBe(digests[`${e.node}.${o}`]);
        for (const command of [['plan'], ['cache', 'verify'], ['show', 'pairs']]) calm(await p.run(command));
      }),
      { numRuns: 2, endOnFailure: true },
    );
  });

  test('of another version is told', async () => {
    const { p } = await made();
    const db = new DatabaseSync(p.path(STORE));
    db.exec('UPDATE meta SET version = 99');
    db.close();
    const built = await p.build();
    expect(built.code).toBe(2);
    expect(built.reasons).toEqual(['store-version']);
  });
});

describe('a store that cannot be written', () => {
  const told = (built: Built, reason: string) => {
    expect([1, 2]).toContain(built.code);
    expect(new Set(built.reasons)).toEqual(new Set([reason]));
    calm(built);
  };

  test('because a file stands in its place', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...docs });
    p.write({ store: 'a file' });
    told(await p.build([], { env: { FINETUNE_STORE: 'store' } }), 'read-only');
    told(await p.build([], { env: { FINETUNE_STORE: '/proc/finetune/store' } }), 'read-only');
  });

  test.skipIf(!canMount())('because it is mounted read-only', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...docs });
    const disk = smallDisk(p.path('disk'), 20_000);
    const env = { FINETUNE_STORE: p.path('disk/store') };
    expect((await p.build([], { env })).code).toBe(0);
    disk.readOnly();
    told(await p.build(['--set', 'transforms.good.with.min=11'], { env }), 'read-only');
    disk.remove();
  });

  test.skipIf(!canMount())(
    'because the disk is full: nothing finished is lost, and with space it goes on',
    async () => {
      const wanted = (await project({ 'finetune.yaml': RECIPE, ...docs }).buildHere()).digests;
      for (const kilobytes of [12, 120, 200, 280, 400]) {
        const p = project({ 'finetune.yaml': RECIPE, ...docs });
        const disk = smallDisk(p.path('disk'), kilobytes);
        const env = { FINETUNE_STORE: p.path('disk/store') };
        const full = await p.build([], { env });
        if (full.code !== 0) told(full, 'disk-full');
        disk.grow(20_000);
        const next = await p.build([], { env });
        expect(next.code).toBe(0);
        for (const { name, state } of full.summary.nodes)
          if (state === 'built') expect(next.states[name], `${name}, ${kilobytes} kB`).toBe('cached');
        for (const e of next.events)
          if (e.type === 'done')
            for (const [o, { digest }] of Object.entries(e.outputs)) expect(digest).toBe(wanted[`${e.node}.${o}`]);
        expect((await p.run(['cache', 'verify'], { env })).code).toBe(0);
        disk.remove();
      }
    },
  );

  test('because its files are made immutable', async ({ skip }) => {
    const p = project({ 'finetune.yaml': RECIPE, ...docs });
    expect((await p.build()).code).toBe(0);
    try {
      execFileSync('chattr', ['+i', p.path('.finetune/packs')], { stdio: 'ignore' });
    } catch {
      skip('no chattr here');
    }
    try {
      told(await p.build(['--set', 'transforms.good.with.min=11']), 'read-only');
    } finally {
      execFileSync('chattr', ['-i', p.path('.finetune/packs')]);
    }
    expect((await p.build(['--set', 'transforms.good.with.min=11'])).code).toBe(0);
  });
});

test('a pack that another process is writing does not disturb', async () => {
  const { p, digests } = await made();
  const fd = openSync(p.path('.finetune/packs/0123456789abcdef.pack'), 'w');
  writeSync(fd, 'the beginning of something');
  closeSync(fd);
  expect((await p.buildHere()).digests).toEqual(digests);
});
