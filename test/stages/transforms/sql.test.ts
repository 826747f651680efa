import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Fields, Row } from '../../../stages/contract.ts';
import sql, { type Options } from '../../../stages/transforms/sql.ts';
import { project } from '../../rig/project.ts';
import { random } from '../../rig/random.ts';
import { optionsOf } from '../options.ts';
import { inputFile, rowsInput, runWhole } from '../whole.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sql-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

type Tables = Readonly<Record<string, readonly (Row | Fields)[]>>;

const asRow = (given: Row | Fields, i: number): Row =>
  'fields' in given ? (given as Row) : { id: `r${i}`, parent: null, fields: given };

const run = (query: string, tables: Tables, options: object = {}) =>
  runWhole(sql, optionsOf<Options>('transforms/sql', { query, ...options }), {
    inputs: Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, rowsInput(rows.map(asRow))])),
    folder,
  });

const result = async (query: string, tables: Tables, options: object = {}) =>
  (await run(query, tables, options)).rows.map(r => r.fields);

describe('tables', () => {
  test('rows that a query passes on keep their ids, parents and order, and are what they were', async () => {
    const rows: Row[] = [
      {
        id: 'a.md/1',
        parent: 'a.md',
        fields: { n: 1, text: 'é "quoted"\n', ok: true, tags: ['x', null], deep: { a: { b: 1.5 } } },
      },
      { id: 'a.md/2', parent: 'a.md', fields: { n: -2, text: '', ok: false, tags: [], deep: { a: { b: -3 } } } },
      { id: 'b.md', parent: null, fields: { n: 3, text: '日本', ok: null, tags: null, deep: null } },
    ];
    const { rows: all } = await run('SELECT * FROM rows', { rows });
    expect(all).toEqual(rows);
    const { rows: some } = await run('SELECT *, upper(text) AS loud FROM rows WHERE n <> -2', { rows });
    expect(some.map(r => [r.id, r.parent, r.fields.loud])).toEqual([
      ['a.md/1', 'a.md', 'É "QUOTED"\n'],
      ['b.md', null, '日本'],
    ]);
  });

  test('lists of groups are lists of structs: turns of chats can be asked for', async () => {
    const chats = [
      {
        messages: [
          { role: 'user', content: 'q' },
          { role: 'assistant', content: 'a', thinking: 't' },
        ],
      },
      { messages: [{ role: 'user', content: 'q2' }] },
    ];
    expect(
      await result('SELECT len(messages) AS n, messages[1].content AS first FROM rows ORDER BY n', { rows: chats }),
    ).toEqual([
      { n: 1, first: 'q2' },
      { n: 2, first: 'q' },
    ]);
    const turns = 'SELECT unnest(messages, recursive := true) FROM rows';
    expect(await result(turns, { rows: chats })).toEqual([
      { role: 'user', content: 'q', thinking: null },
      { role: 'assistant', content: 'a', thinking: 't' },
      { role: 'user', content: 'q2', thinking: null },
    ]);
  });

  test('fields whose values differ in kind are JSON, and come out as they went in', async () => {
    const rows = [{ v: 1 }, { v: 'text' }, { v: [1, { a: null }] }, { v: { x: true } }, { v: null }, {}];
    const all = await result('SELECT v FROM rows', { rows });
    expect(all).toEqual([...rows.slice(0, 5), { v: null }]);
    expect(await result("SELECT v->'$[1]' AS second FROM rows WHERE json_type(v) = 'ARRAY'", { rows })).toEqual([
      { second: { a: null } },
    ]);
  });

  test('odd names and texts go through: letters and capitals, quotes, half a surrogate, NUL', async () => {
    const rows = [{ Text: 'A', text: 'b', 'it\'s "one"': 'c', 'a.b': 1, select: 2, t: 'x\u0000y \ud800 \\ud800 🎉' }];
    expect(await result('SELECT * FROM rows', { rows })).toEqual([
      { Text: 'A', text_1: 'b', 'it\'s "one"': 'c', 'a.b': 1, select: 2, t: 'x\u0000y \ufffd \\ud800 🎉' },
    ]);
  });

  test('several inputs are joined by their names', async () => {
    const tables = {
      orders: [
        { user: 1, sum: 10.5 },
        { user: 2, sum: 1 },
        { user: 1, sum: 0.5 },
      ],
      'big-users': [
        { id: 1, name: 'Ann' },
        { id: 2, name: 'Bo' },
      ],
    };
    const query =
      'SELECT name, sum(sum) AS total, count(*) AS n FROM orders JOIN "big-users" u ON u.id = user GROUP BY name ORDER BY name';
    const { rows } = await run(query, tables, { key: 'name' });
    expect(rows).toEqual([
      { id: 'Ann', parent: null, fields: { name: 'Ann', total: 11, n: 2 } },
      { id: 'Bo', parent: null, fields: { name: 'Bo', total: 1, n: 1 } },
    ]);
  });

  test('rows longer than DuckDB takes by itself go in and out', async () => {
    const long = 'x'.repeat(20 * 2 ** 20);
    const rows = [{ t: long }, { t: 'short' }];
    expect(await result('SELECT t, len(t) AS n FROM rows', { rows })).toEqual([
      { t: long, n: long.length },
      { t: 'short', n: 5 },
    ]);
  });
});

describe('values', () => {
  test.each([
    ['9007199254740993::BIGINT', '9007199254740993'],
    ['42::HUGEINT', 42],
    ['1.10::DECIMAL(10,2)', 1.1],
    ['1.10::DECIMAL(30,2)', '1.10'],
    ["DATE '2024-02-29'", '2024-02-29'],
    ["TIMESTAMP '2024-02-29 01:02:03.25'", '2024-02-29T01:02:03.25'],
    ["TIMESTAMPTZ '2024-02-29 01:02:03+02'", '2024-02-28T23:02:03Z'],
    ["TIME '01:02:03'", '01:02:03'],
    ["INTERVAL '1 month -2 days 3.5 seconds'", 'P1M-2DT3.5S'],
    ["'\\xAA\\x00'::BLOB", 'qgA='],
    ["'nan'::DOUBLE", null],
    ["uuid '01234567-89ab-cdef-0123-456789abcdef'", '01234567-89ab-cdef-0123-456789abcdef'],
    ["MAP {'a': 1, 'b': NULL}", { a: 1, b: null }],
    ["{'a': [1, 2], 'b': {'c': NULL}}", { a: [1, 2], b: { c: null } }],
    ['[1, 2]::INTEGER[2]', [1, 2]],
    ["'red'::ENUM('red', 'blue')", 'red'],
    ['union_value(n := 2)', 2],
    ['\'{"a": [1.50]}\'::JSON', { a: [1.5] }],
    ["'101'::BIT", '101'],
    ['NULL', null],
  ])('%s is %j', async (expression, value) => {
    expect(await result(`SELECT ${expression} AS v`, { rows: [{ a: 1 }] })).toEqual([{ v: value }]);
  });
});

describe('ids', () => {
  const rows = [
    { q: 'a', n: 1 },
    { q: 'b', n: 2 },
    { q: 'b', n: null },
  ];

  test('are made of the content where a query makes rows of its own', async () => {
    const { rows: out } = await run('SELECT q FROM rows', { rows });
    expect(out[0]!.id).toMatch(/^[0-9a-f]{20}$/);
    expect(out[2]!.id).toBe(`${out[1]!.id}~2`);
  });

  test('a key that names two rows, or none, is told', async () => {
    await expect(run('SELECT * FROM rows', { rows }, { key: 'q' })).rejects.toMatchObject({
      reason: 'duplicate-key',
      message: 'q "b" stands in two rows of the result, 2 and 3',
    });
    await expect(run('SELECT * FROM rows', { rows }, { key: 'id' })).rejects.toMatchObject({
      reason: 'unknown-column',
    });
    const { rejects } = await run('SELECT * FROM rows', { rows }, { key: 'n' });
    expect(rejects.map(r => r.fields)).toEqual([
      { row: 3, reason: 'column "n" names no row: it is neither text nor a number' },
    ]);
  });

  test('of rows that a join repeats, or of two tables, are told with what to do', async () => {
    const tables = { a: rows, b: rows };
    await expect(run('SELECT a.* FROM a, b', tables)).rejects.toMatchObject({
      reason: 'duplicate-key',
      advice: expect.stringContaining('EXCLUDE (_id, _parent)'),
    });
    await expect(run('SELECT * FROM a JOIN b ON a._id = b._id', tables)).rejects.toMatchObject({
      reason: 'sql-columns',
    });
    expect(await result('SELECT a.* EXCLUDE (_id, _parent) FROM a, b', tables)).toHaveLength(9);
  });

  test('a field called _id is the data’s own', async () => {
    const { rows: out } = await run('SELECT * FROM rows', {
      rows: [
        { _id: 'x', a: 1 },
        { _id: 'x', a: 2 },
      ],
    });
    expect(out.map(r => r.fields)).toEqual([
      { _id: 'x', a: 1 },
      { _id: 'x', a: 2 },
    ]);
  });
});

describe('what goes wrong', () => {
  const rows = [{ text: 'a', n: 1 }];
  const failure = (query: string, options: object = {}) =>
    run(query, { rows }, options).then(
      () => null,
      (e: unknown) => e,
    );

  test('is told with its place in the query', async () => {
    expect(await failure('SELECT text,\n  txt\nFROM rows')).toMatchObject({
      reason: 'sql-error',
      message: 'Referenced column "txt" not found in FROM clause! at line 2, column 3 of the query (txt)',
      advice: expect.stringContaining('text'),
    });
    expect(await failure("SELECT 'é', texte FROM rows")).toMatchObject({
      message: expect.stringMatching(/at line 1, column 13 of the query \(texte FROM rows\)$/),
    });
    expect(await failure('SELECT text FORM rows WHERE')).toMatchObject({
      message: expect.stringMatching(/^syntax error.* at line 1, column/),
    });
    expect(await failure('SELECT * FROM nowhere')).toMatchObject({ message: expect.stringContaining('nowhere') });
    expect(await failure('SELECT text::INT FROM rows')).toMatchObject({
      message: expect.stringContaining('Could not convert'),
    });
  });

  test('in a file, is told with its line there', async () => {
    const path = join(folder, 'q.sql');
    writeFileSync(path, '-- what it is for\nSELECT nope\nFROM rows;\n');
    const options = optionsOf<Options>('transforms/sql', { file: 'q.sql' });
    const given = { inputs: { rows: rowsInput(rows.map(asRow)) }, files: { file: [inputFile(path, folder)] }, folder };
    await expect(runWhole(sql, options, given)).rejects.toMatchObject({
      reason: 'sql-error',
      place: { path: 'q.sql', line: 2, column: 8 },
    });
    writeFileSync(path, '-- what it is for\nSELECT n\nFROM rows;\n');
    expect((await runWhole(sql, options, given)).rows.map(r => r.fields)).toEqual([{ n: 1 }]);
  });

  test.each([
    ['DROP TABLE rows', 'the query is no SELECT'],
    ['SELECT 1; SELECT 2', 'the query is 2 statements'],
    ['-- nothing', 'the query is empty'],
    ["COPY rows TO 'x.csv'", 'the query is no SELECT'],
    ["ATTACH 'x.db'", 'the query is no SELECT'],
    ['SET threads = 8', 'the query is no SELECT'],
  ])('one SELECT, and nothing else: %s', async (query, message) => {
    expect(await failure(query)).toMatchObject({ reason: 'sql-error', message });
  });

  test.each([
    ['SELECT random() AS r FROM rows', /^random\(\) gives something else each time at line 1, column 8/],
    ['SELECT * FROM (SELECT now() AS t)', /^now\(\)/],
    ['SELECT current_date', /^current_date/],
    ['SELECT uuid() FROM rows', /^uuid\(\)/],
    ['SELECT * FROM rows USING SAMPLE 10%', /^a sample/],
    ['SELECT * FROM rows TABLESAMPLE reservoir(20%)', /^a sample/],
  ])('what is another thing each time is refused: %s', async (query, message) => {
    expect(await failure(query)).toMatchObject({
      reason: 'sql-not-repeatable',
      message: expect.stringMatching(message),
    });
  });

  test('a sample that names its seed is the same each time', async () => {
    const many = Array.from({ length: 1000 }, (_, n) => ({ n }));
    const query = 'SELECT n FROM rows TABLESAMPLE reservoir(10 ROWS) REPEATABLE (7)';
    const first = await result(query, { rows: many });
    expect(first).toHaveLength(10);
    expect(await result(query, { rows: many })).toEqual(first);
  });

  test.each([
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('package.json')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM 'https://example.org/a.parquet'",
    "SELECT * FROM sqlite_scan('a.db', 't')",
  ])('no file and no network can be read: %s', async query => {
    expect(await failure(query)).toMatchObject({ reason: 'sql-error' });
  });

  test('memory is limited, and what does not fit is told', async () => {
    const query = 'SELECT list(a.range) AS l FROM range(30000000) a';
    expect(await failure(query, { memory: '64MB' })).toMatchObject({
      reason: 'sql-memory',
      message: 'the query needs more than 64MB of memory',
    });
  });

  test('an interrupted build ends the query', async () => {
    const given = { inputs: { rows: rowsInput(rows.map(asRow)) }, folder, signal: AbortSignal.timeout(300) };
    const query = 'SELECT sum(a.range * b.range) AS s FROM range(1000000) a, range(1000000) b';
    const begun = performance.now();
    await expect(runWhole(sql, optionsOf<Options>('transforms/sql', { query }), given)).rejects.toThrow(
      /timeout|aborted/i,
    );
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(readdirSync(join(folder, 'work'))).toEqual([]);
  });

  test('an empty input has no columns, which is said', async () => {
    await expect(run('SELECT text FROM rows', { rows: [] })).rejects.toMatchObject({
      reason: 'sql-error',
      advice: 'rows holds no rows, and so no columns but _id and _parent.',
    });
  });
});

describe('in a build', () => {
  const RECIPE = (query: string) => `version: 1
sources:
  a: { uses: files, with: { paths: a.jsonl } }
  b: { uses: files, with: { paths: b.jsonl } }
transforms:
  both:
    uses: sql
    from: { left-rows: a, b: b }
    with:
      query: |
${query.replaceAll(/^/gm, '        ')}
  one: { uses: sql, from: both, with: { query: "SELECT * FROM rows WHERE n > 1" } }
`;
  const QUERY =
    'SELECT l.k, sum(l.x) AS x, list(b.y) AS ys, any_value(b.y) AS y, count(*) AS n\nFROM "left-rows" l JOIN b USING (k) GROUP BY l.k';

  test('equal rows give equal bytes, whatever the machine and the number of jobs', async () => {
    const r = random(3);
    const lines = (f: () => object) => Array.from({ length: 4000 }, () => JSON.stringify(f())).join('\n');
    const files = {
      'finetune.yaml': RECIPE(QUERY),
      'a.jsonl': lines(() => ({ k: r.below(500), x: r.below(1000) / 7 })),
      'b.jsonl': lines(() => ({ k: r.below(500), y: `y${r.below(100)}` })),
    };
    const first = await project(files).buildHere({ jobs: 1 });
    expect(first.events.filter(e => e.type === 'failed')).toEqual([]);
    const second = await project(files).buildHere({ jobs: 4 });
    expect(second.digests).toEqual(first.digests);
    expect(first.nodes.one!.rows).toBeGreaterThan(400);
  });

  test('inputs are rows, and there is one at least', async () => {
    const p = project({
      'finetune.yaml':
        'version: 1\nsources:\n  a: { uses: files, with: { paths: a.jsonl } }\ntransforms:\n  s: { uses: stats, from: a }\n  x: { uses: sql, from: s, with: { query: "SELECT 1" } }\n  y: { uses: sql, with: { query: "SELECT 1" } }\n  z: { uses: sql, from: a, with: {} }\n  w: { uses: sql, from: a, with: { query: "SELECT 1", file: q.sql } }\n',
      'a.jsonl': '{"a":1}\n',
    });
    const { reasons, events } = await p.build();
    expect([...reasons].sort()).toEqual(['invalid-option', 'invalid-option', 'missing-input', 'wrong-type']);
    const told = events.flatMap(e => (e.type === 'mistakes' ? e.failures.map(f => f.message) : []));
    expect(told).toContain('s is metrics, but this input takes rows');
    expect(told).toContain('sql needs one of query, file');
    expect(told).toContain('sql takes query or file, not both');
  });
});
