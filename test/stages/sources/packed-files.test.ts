import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digest } from '../../../cache/digest.ts';
import files, { type Options } from '../../../stages/sources/files.ts';
import { MESSAGES, parquetOf, TEXT } from '../../rig/parquet.ts';
import { project } from '../../rig/project.ts';
import { optionsOf } from '../options.ts';
import { runRead } from '../read.ts';
import { inputFile } from '../whole.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'packed-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: string | Uint8Array) => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return { ...inputFile(path, folder), digest: digest(Buffer.from(content)) };
};

const run = (inputs: ReturnType<typeof write>[], options: object = {}) =>
  runRead(files, optionsOf<Options>('sources/files', { paths: '**', ...options }), inputs);

const FAST = { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } };
const PACK = { gz: gzipSync, zst: zstdCompressSync, br: (bytes: Uint8Array) => brotliCompressSync(bytes, FAST) };
const PACKED = Object.entries(PACK) as [string, (bytes: Buffer) => Buffer][];
const LINES = Array.from({ length: 20_000 }, (_, i) => `{"n":${i},"t":"${'é'.repeat(i % 40)}"}\n`).join('');

describe('packed files', () => {
  test.each(PACKED)('records of .jsonl.%s are those of the file unpacked', async (ending, pack) => {
    const plain = await run([write('a.jsonl', LINES)]);
    const packed = await run([write(`b.jsonl.${ending}`, pack(Buffer.from(`\ufeff${LINES}`)))]);
    expect(packed.rows).toEqual(plain.rows);
    expect(packed.lineage[7]).toEqual({ path: `b.jsonl.${ending}`, line: 8 });
  });

  test.each(PACKED)('so are those of tables (.%s), and documents', async (ending, pack) => {
    const csv = await run([write(`a.csv.${ending}`, pack(Buffer.from('q,a\n"two\nlines",x\n')))]);
    expect(csv.rows.map(r => r.fields)).toEqual([{ q: 'two\nlines', a: 'x' }]);
    const tsv = await run([write(`a.TSV.${ending}`, pack(Buffer.from('q\ta\n1,5\t2\n')))]);
    expect(tsv.rows.map(r => r.fields)).toEqual([{ q: '1,5', a: '2' }]);
    const page = await run([write(`docs/a.md.${ending}`, pack(Buffer.from('# Guide\n\nText.\n')))]);
    expect(page.rows).toEqual([
      {
        id: `docs/a.md.${ending}`,
        parent: null,
        fields: { path: `docs/a.md.${ending}`, title: 'Guide', text: '# Guide\n\nText.\n' },
      },
    ]);
  });

  test.each(PACKED)(
    'one that is cut off (.%s) gives what is there, and a reject that says so',
    async (ending, pack) => {
      const noise = Array.from({ length: 30_000 }, (_, i) => `{"n":"${digest(Buffer.from(`${i}`))}"}\n`).join('');
      const bytes = pack(Buffer.from(noise));
      const { rows, rejects } = await run([write(`a.jsonl.${ending}`, bytes.subarray(0, bytes.length / 2))]);
      expect(rows.length).toBeGreaterThan(1000);
      expect(rows.length).toBeLessThan(30_000);
      expect(rejects).toEqual([
        expect.objectContaining({
          fields: {
            ...{ path: `a.jsonl.${ending}`, line: rows.length + 1 },
            reason: expect.stringMatching(/^the \w+ data ends too early: it is cut off$/),
          },
        }),
      ]);
    },
  );

  test.each(PACKED)('what is called .%s and is not is one reject', async ending => {
    for (const content of ['no such thing', '']) {
      const { rows, rejects } = await run([write(`a.jsonl.${ending}`, content), write(`a.md.${ending}`, content)]);
      expect(rows).toEqual([]);
      expect(rejects.map(r => r.fields.reason)).toEqual([
        expect.stringMatching(/^no (gzip|zstd|brotli)/),
        expect.stringMatching(/^no (gzip|zstd|brotli)/),
      ]);
    }
  });

  test('a document that unpacks to more than 64 MB is refused before it fills the memory', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 2 ** 20, 97));
    expect(bomb.length).toBeLessThan(2 ** 20);
    const { rejects } = await run([write('a.txt.gz', bomb)]);
    expect(rejects.map(r => r.fields.reason)).toEqual(['larger than 64 MB']);
  });

  test('a line over the limit is refused, and the lines around it are read', async () => {
    const long = `{"t":"${'x'.repeat(17 * 2 ** 20)}"}`;
    const { rows, rejects } = await run([write('a.jsonl.gz', gzipSync(`{"n":1}\n${long}\n{"n":2}\n`, { level: 1 }))]);
    expect(rows.map(r => r.fields)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(rejects.map(r => [r.fields.line, r.fields.reason])).toEqual([[2, 'line longer than 16 MB']]);
  });

  test('other archives are named as what they are not', async () => {
    await expect(run([write('a.jsonl.bz2', 'x')])).rejects.toMatchObject({
      reason: 'unknown-format',
      advice: expect.stringContaining('.gz, .zst, .br'),
    });
    await expect(run([write('a.parquet.gz', 'x')], { format: 'parquet' })).rejects.toMatchObject({
      message: 'Parquet is not read out of gzip: it compresses itself',
    });
  });
});

describe('JSON', () => {
  const read = async (text: string | Uint8Array, options = {}) => {
    const { rows, rejects, lineage } = await run([write('a.json', text)], options);
    return { rows: rows.map(r => r.fields), rejects: rejects.map(r => r.fields), lines: lineage.map(l => l.line) };
  };
  const RECORDS = [{ a: 'x, ] } \\" "', b: [1, { c: null }] }, { a: '' }, {}];

  test('an array of objects, on one line or many', async () => {
    expect(await read(JSON.stringify(RECORDS))).toEqual({ rows: RECORDS, rejects: [], lines: [1, 1, 1] });
    const spread = await read(JSON.stringify(RECORDS, null, 2));
    expect(spread).toEqual({ rows: RECORDS, rejects: [], lines: [2, 11, 14] });
  });

  test('objects one after the other, which is what many files of that name hold', async () => {
    const text = RECORDS.map(r => JSON.stringify(r, null, 1)).join('\n');
    expect((await read(`\ufeff${text}`)).rows).toEqual(RECORDS);
    expect((await read(RECORDS.map(r => JSON.stringify(r)).join('\n'))).rows).toEqual(RECORDS);
  });

  test('what spans blocks of the file is put together', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => ({ n: i, t: 'y\\"]'.repeat(50) }));
    expect((await read(JSON.stringify(many))).rows).toEqual(many);
    const { rows } = await run([write('b.json.zst', zstdCompressSync(JSON.stringify(many)))]);
    expect(rows.map(r => r.fields)).toEqual(many);
  });

  test('what is no object, or broken, is refused, and the others are read', async () => {
    const { rows, rejects } = await read('[{"a":1},\n 12, "text",\n {"a":}, [1],\n {"a":2}]');
    expect(rows).toEqual([{ a: 1 }, { a: 2 }]);
    expect(rejects.map(r => [r.line, r.reason])).toEqual([
      [2, 'a number where an object is expected'],
      [2, 'a string where an object is expected'],
      [3, expect.stringMatching(/^no JSON: Unexpected token/)],
      [3, 'an array where an object is expected'],
    ]);
  });

  test.each([
    ['[{"a":1},{"a":', 'the file ends inside this record'],
    ['[{"a":1},', 'the file ends before its array does'],
    ['{"a":1}\n{"a":"', 'the file ends inside this record'],
  ])('a file that is cut off is told: %s', async (text, reason) => {
    const { rows, rejects } = await read(text);
    expect(rows).toEqual([{ a: 1 }]);
    expect(rejects.map(r => r.reason)).toEqual([reason]);
  });
});

describe('columns', () => {
  test('are all that is kept of CSV, JSON Lines and JSON', async () => {
    const options = { columns: ['b'] };
    const csv = await run([write('a.csv', 'a,b\n1,2\n')], options);
    const jsonl = await run([write('a.jsonl', '{"a":1,"b":2}\n{"a":1}\n')], options);
    const json = await run([write('a.json', '[{"b":2,"a":1}]')], options);
    expect([csv, jsonl, json].map(r => r.rows.map(x => x.fields))).toEqual([[{ b: '2' }], [{ b: 2 }], [{ b: 2 }]]);
    expect(jsonl.rejects.map(r => r.fields)).toEqual([
      { path: 'a.jsonl', line: 2, reason: 'has none of the fields b' },
    ]);
    await expect(run([write('a.csv', 'a,b\n1,2\n')], { columns: ['c'] })).rejects.toMatchObject({
      reason: 'unknown-column',
      message: 'there is no column "c"',
    });
  });
});

describe('Parquet in a build', () => {
  const chat = (n: number, from = 0, codec: 'UNCOMPRESSED' | 'ZSTD' = 'UNCOMPRESSED') => {
    const ids = Array.from({ length: n }, (_, i) => `chat-${from + i}`);
    const noise = (id: string) => digest(Buffer.from(id)).repeat(700);
    return parquetOf(
      [TEXT('id'), ...MESSAGES('messages', ['role', 'content'])],
      { id: ids, messages: ids.map(id => [{ role: 'user', content: noise(id) }]) },
      { codec, group: 400 },
    );
  };
  const RECIPE = `version: 1
sources:
  chats: { uses: files, with: { paths: "*.parquet", key: id, columns: [id] } }
  texts: { uses: files, with: { paths: "*.parquet" } }
`;

  test('row groups that are added leave the others as they were read', async () => {
    const p = project({ 'finetune.yaml': RECIPE, 'a.parquet': chat(800) });
    const first = await p.buildHere({ jobs: 2 });
    expect(first.nodes.chats).toMatchObject({ rows: 800, computed: 800 });
    p.write({ 'a.parquet': chat(1000) });
    const second = await p.buildHere({ jobs: 2 });
    expect(second.nodes.chats).toMatchObject({ rows: 1000, computed: 200 });
    expect(second.nodes.texts).toMatchObject({ rows: 1000, computed: 200 });
    const clean = project({ 'finetune.yaml': RECIPE, 'a.parquet': chat(1000) });
    expect((await clean.buildHere({ jobs: 1 })).digests).toEqual(second.digests);
  });

  test('a damaged row group is a reject with its file; a key that comes twice is told with both places', async () => {
    const bytes = chat(800, 0, 'ZSTD');
    bytes.fill(0xaa, bytes.length * 0.7, bytes.length * 0.7 + 40);
    const p = project({ 'finetune.yaml': RECIPE.replace(', columns: [id]', ', mostly: 0'), 'a.parquet': bytes });
    const { rows } = (await p.buildHere({ names: ['chats'] })).nodes.chats!;
    expect(rows).toBeGreaterThanOrEqual(400);
    expect((await p.rows('chats', 'rejects')).map(r => r.fields)).toEqual([
      {
        ...{ path: 'a.parquet', line: rows! + 1 },
        reason: expect.stringMatching(new RegExp(`^rows ${rows! + 1} to 800 cannot be read`)),
      },
    ]);
    p.write({ 'a.parquet': chat(3), 'b.parquet': chat(3, 2) });
    const twice = await p.buildHere({ names: ['chats'] });
    expect(twice.events.find(e => e.type === 'failed')).toMatchObject({
      failure: { reason: 'duplicate-key', message: expect.stringContaining('first at a.parquet:3') },
    });
  });
});
