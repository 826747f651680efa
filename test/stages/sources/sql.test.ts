import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import sql, { type Options } from '../../../stages/sources/sql.ts';
import { MESSAGES, parquetOf, TEXT } from '../../rig/parquet.ts';
import { project } from '../../rig/project.ts';
import { HAS_POSTGRES, nowhere, POSTGRES } from '../../rig/servers.ts';
import { optionsOf } from '../options.ts';
import { inputFile, runWhole } from '../whole.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sql-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: string | Uint8Array) => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return inputFile(path, folder);
};

describe('over files', () => {
  const run = (query: string, files: ReturnType<typeof write>[], options: object = {}) =>
    runWhole(sql, optionsOf<Options>('sources/sql', { query, files: files.map(f => f.name), ...options }), {
      files: { files },
      folder,
    });
  const result = async (...of: Parameters<typeof run>) => (await run(...of)).rows.map(r => r.fields);

  test('each is a table by its name and by its path, a glob is all of its files', async () => {
    const files = [
      write('data/users.csv', 'id,name,born\n1,Ann,2001-02-03\n2,"B, o",1999-12-31\n'),
      write('data/orders-1.jsonl', '{"user":1,"sum":10.5}\n{"user":2,"sum":1}\n'),
      write('data/orders-2.jsonl.zst', zstdCompressSync('{"user":1,"sum":0.5,"note":"x"}\n')),
    ];
    const join = `SELECT name, born, sum(sum) AS total FROM users JOIN 'data/orders-*' o ON o.user = id GROUP BY ALL ORDER BY 1`;
    const globbed = { files: ['data/users.csv', 'data/orders-*'] };
    const { rows } = await run(join, files, { ...globbed, key: 'name' });
    expect(rows).toEqual([
      { id: 'Ann', parent: null, fields: { name: 'Ann', born: '2001-02-03', total: 11 } },
      { id: 'B, o', parent: null, fields: { name: 'B, o', born: '1999-12-31', total: 1 } },
    ]);
    expect(await result(`SELECT count(*) AS n FROM 'data/orders-1.jsonl'`, files)).toEqual([{ n: 2 }]);
    expect(await result(`SELECT note FROM "orders-2"`, files)).toEqual([{ note: 'x' }]);
  });

  test('Parquet, with chats in it', async () => {
    const chats = parquetOf([TEXT('id'), ...MESSAGES('messages', ['role', 'content'])], {
      id: ['a', 'b'],
      messages: [
        [{ role: 'user', content: 'q' }],
        [
          { role: 'user', content: 'w' },
          { role: 'assistant', content: 'v' },
        ],
      ],
    });
    expect(
      await result('SELECT id, messages FROM chats WHERE len(messages) = 2', [write('chats.parquet', chats)]),
    ).toEqual([
      {
        id: 'b',
        messages: [
          { role: 'user', content: 'w' },
          { role: 'assistant', content: 'v' },
        ],
      },
    ]);
  });

  test('a type fits all of a file, not only its beginning', async () => {
    const lines = Array.from({ length: 60_000 }, (_, i) => `${i}\n`).join('');
    const all = await result('SELECT v FROM a', [write('a.csv', `v\n${lines}x\n`)]);
    expect(all.at(-1)).toEqual({ v: 'x' });
  });

  test('no other file can be read, nor one that is not declared', async () => {
    const files = [write('a.csv', 'x\n1\n')];
    write('secret.csv', 'x\n2\n');
    for (const name of [`${folder}/secret.csv`, 'secret.csv', `${folder}/*.csv`, '/etc/passwd'])
      await expect(run(`SELECT * FROM '${name}'`, files)).rejects.toMatchObject({ reason: 'sql-error' });
    await expect(run(`SELECT * FROM read_text('${folder}/secret.csv')`, files)).rejects.toMatchObject({
      reason: 'sql-error',
    });
  });

  test('what is wrong with a file is told with its name, and no path of this machine', async () => {
    const bad = [write('data/a.parquet', 'no such thing'), write('data/b.csv', 'x\n1\n')];
    const error = await run('SELECT * FROM a', bad).then(
      () => null,
      e => e,
    );
    expect(error).toMatchObject({ reason: 'bad-file', place: { path: 'data/a.parquet' } });
    expect(`${error.message} ${error.advice}`).not.toContain(folder);
    await expect(run('SELECT 1', [write('a.txt', 'x')])).rejects.toMatchObject({ reason: 'unknown-format' });
    await expect(run('SELECT * FROM b WHERE x > 1', [bad[1]!])).rejects.toMatchObject({ reason: 'empty-source' });
    await expect(run('SELECT y FROM b', [bad[1]!])).rejects.toMatchObject({
      message: expect.stringMatching(/at line 1, column 8 of the query/),
    });
  });
});

describe('of SQLite', () => {
  const database = (fill: (db: DatabaseSync) => void) => {
    const path = join(folder, 'shop.sqlite');
    const db = new DatabaseSync(path);
    fill(db);
    db.close();
    return inputFile(path, folder);
  };
  const shop = () =>
    database(db => {
      db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price REAL, picture BLOB, big INTEGER)');
      const add = db.prepare('INSERT INTO items VALUES (?, ?, ?, ?, ?)');
      for (let i = 1; i <= 1200; i++) add.run(i, `item ${i}`, i / 4, new Uint8Array([i % 256]), 2n ** 60n + BigInt(i));
    });
  const run = (query: string, file: ReturnType<typeof write>, options: object = {}) =>
    runWhole(sql, optionsOf<Options>('sources/sql', { query, sqlite: file.name, ...options }), {
      files: { sqlite: [file] },
      folder,
    });

  test('numbers, text and blobs come as they are stored; whole numbers keep their digits', async () => {
    const { rows } = await run('SELECT * FROM items ORDER BY id', shop(), { key: 'id' });
    expect(rows).toHaveLength(1200);
    expect(rows[1]).toEqual({
      id: '2',
      parent: null,
      fields: { id: 2, name: 'item 2', price: 0.5, picture: 'Ag==', big: '1152921504606846978' },
    });
  });

  test('mistakes are told with their place; what is no SELECT is refused, and changes nothing', async () => {
    const file = shop();
    await expect(run('SELECT name,\n nme FROM items', file)).rejects.toMatchObject({
      reason: 'sql-error',
      message: 'no such column: nme at line 2, column 2 of the query (nme FROM items)',
    });
    await expect(run('SELECT name FRM items WHERE x', file)).rejects.toMatchObject({
      message: expect.stringContaining('syntax error'),
    });
    for (const query of ['DELETE FROM items', 'DROP TABLE items', 'VACUUM'])
      await expect(run(query, file)).rejects.toMatchObject({ reason: 'sql-error' });
    expect((await run('SELECT count(*) AS n FROM items', file)).rows[0]!.fields).toEqual({ n: 1200 });
  });

  test('changes that have not come into the database yet are not overlooked', async () => {
    const path = join(folder, 'open.sqlite');
    const db = new DatabaseSync(path);
    db.exec('PRAGMA journal_mode = WAL; CREATE TABLE a (x); INSERT INTO a VALUES (1)');
    await expect(run('SELECT x FROM a', inputFile(path, folder))).rejects.toMatchObject({
      reason: 'sqlite-open',
      advice: expect.stringContaining('wal_checkpoint'),
    });
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    expect((await run('SELECT x FROM a', inputFile(path, folder))).rows.map(r => r.fields)).toEqual([{ x: 1 }]);
    db.close();
  });

  test('what is no database, or a damaged one, is told', async () => {
    await expect(run('SELECT 1', write('a.sqlite', 'text'))).rejects.toMatchObject({
      message: 'this is no SQLite database',
      place: { path: 'a.sqlite' },
    });
    const whole = shop();
    const { readFileSync } = await import('node:fs');
    const bytes = readFileSync(whole.path);
    bytes.fill(0xff, 4096, 12_000);
    await expect(run('SELECT * FROM items', write('b.sqlite', bytes))).rejects.toMatchObject({ reason: 'bad-file' });
  });
});

describe.skipIf(!HAS_POSTGRES)('of PostgreSQL', () => {
  const run = (query: string, options: object = {}, signal?: AbortSignal) =>
    runWhole(sql, optionsOf<Options>('sources/sql', { query, postgres: POSTGRES, ...options }), {
      folder,
      ...(signal ? { signal } : {}),
    });
  const result = async (query: string) => (await run(query)).rows.map(r => r.fields);

  test('values of all kinds have the form that they have from elsewhere', async () => {
    const query = `SELECT 1::int2 AS a, 9007199254740993::int8 AS b, 1.10::numeric AS c, 12345678901234567.5::numeric AS d,
      'nan'::float8 AS e, 0.1::float4 AS f, true AS g, 'é"'::text AS h, '{"a": [1.5, null]}'::jsonb AS i,
      '\\xaa00'::bytea AS j, '2024-02-29'::date AS k, '2024-02-29 01:02:03.25'::timestamp AS l,
      '2024-02-29 01:02:03+02'::timestamptz AS m, '1 month 3.5 seconds'::interval AS n, NULL::int AS o,
      ARRAY[[1, NULL], [3, 4]] AS p, ARRAY['a "b"', 'c,d', NULL, 'NULL', ''] AS q, 'infinity'::timestamp AS r,
      '[0:1]={5,6}'::int8[] AS s, '12:30'::time AS t`;
    expect(await result(query)).toEqual([
      {
        ...{ a: 1, b: '9007199254740993', c: 1.1, d: '12345678901234567.5', e: null, f: 0.1, g: true, h: 'é"' },
        ...{ i: { a: [1.5, null] }, j: 'qgA=', k: '2024-02-29', l: '2024-02-29T01:02:03.25' },
        ...{
          m: '2024-02-28T23:02:03Z',
          n: 'P1MT3.5S',
          o: null,
          p: [
            [1, null],
            [3, 4],
          ],
        },
        ...{ q: ['a "b"', 'c,d', null, 'NULL', ''], r: null, s: [5, 6], t: '12:30:00' },
      },
    ]);
  });

  test('many rows come some at a time, in the order of the query', async () => {
    const { rows } = await run('SELECT i AS id, repeat(md5(i::text), 20) AS text FROM generate_series(2500, 1, -1) i', {
      key: 'id',
    });
    expect(rows.map(r => r.id)).toEqual(Array.from({ length: 2500 }, (_, i) => `${2500 - i}`));
  });

  test('mistakes are told with their place in the query', async () => {
    await expect(run("SELECT 'é',\n  nope FROM generate_series(1, 2) i")).rejects.toMatchObject({
      reason: 'sql-error',
      message: expect.stringMatching(/^column "nope" does not exist at line 2, column 3 of the query \(nope FROM/),
    });
    await expect(run('SELEC 1')).rejects.toMatchObject({ message: expect.stringMatching(/^the query is no SELECT/) });
    await expect(run('SELECT 1/0 AS x')).rejects.toMatchObject({
      message: expect.stringContaining('division by zero'),
    });
  });

  test('nothing can be changed, nor a second statement smuggled in', async () => {
    await expect(run('SELECT 1; COMMIT; CREATE TABLE finetune_smuggled (a int)')).rejects.toMatchObject({
      message: 'the query is several statements',
    });
    await expect(run("SELECT nextval('finetune_no_such_sequence')")).rejects.toMatchObject({ reason: 'sql-error' });
    await expect(run('DELETE FROM pg_class')).rejects.toMatchObject({
      message: expect.stringMatching(/^the query is no SELECT/),
    });
    expect(await result("SELECT to_regclass('finetune_smuggled') AS t")).toEqual([{ t: null }]);
  });

  test('a server that is not there, a wrong login, a wrong database are told apart', async () => {
    const url = new URL(POSTGRES);
    const at = (change: (u: URL) => void) => {
      const other = new URL(url);
      change(other);
      return run('SELECT 1 AS a', { postgres: other.href });
    };
    const port = String(await nowhere());
    await expect(at(u => void (u.port = port))).rejects.toMatchObject({ reason: 'postgres-unreachable' });
    await expect(at(u => void (u.pathname = '/no_such_db'))).rejects.toMatchObject({ reason: 'postgres-database' });
    await expect(run('SELECT 1', { postgres: 'secret-that-is-no-url' })).rejects.toMatchObject({
      reason: 'postgres-url',
      message: expect.not.stringContaining('secret'),
    });
  });

  test('an interrupted build leaves the server at once', async () => {
    const begun = performance.now();
    await expect(run('SELECT pg_sleep(20)', {}, AbortSignal.timeout(300))).rejects.toThrow(/timeout|aborted/i);
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  test('in a build the result is pinned, the URL is nowhere, and --refresh asks again', async () => {
    const p = project({
      'finetune.yaml': `version: 1
sources:
  orders:
    uses: sql
    with:
      postgres: "\${env:TEST_DATABASE}"
      query: SELECT i AS id, 'order ' || i AS text FROM generate_series(1, 5) i
      key: id
`,
    });
    const env = { TEST_DATABASE: POSTGRES };
    const first = await p.build([], { env });
    expect(first.nodes.orders).toMatchObject({ state: 'built', rows: 5 });
    expect(p.read('finetune.lock')).toMatch(/^orders key=\w+ result\.dropped=/m);
    expect((await p.build([], { env })).nodes.orders!.state).toBe('cached');
    const without = await p.build(['--force', 'orders']);
    expect(without.reasons).toEqual(['secret-missing']);
    const { password, host } = new URL(POSTGRES);
    expect(`${first.stdout}${p.read('finetune.lock')}`).not.toContain(host);
    if (password) expect(first.stdout).not.toContain(password);
  });
});
