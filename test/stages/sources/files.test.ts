import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import files, { type Options } from '../../../stages/sources/files.ts';
import { optionsOf } from '../options.ts';
import { readPart, runRead } from '../read.ts';
import { inputFile } from '../whole.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: string | Uint8Array) => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return inputFile(path, folder);
};

const run = (inputs: ReturnType<typeof write>[], options: object = {}) =>
  runRead(files, optionsOf<Options>('sources/files', { paths: '**', ...options }), inputs);

describe('documents', () => {
  test('a Markdown file is one row named by its path, its first heading the title', async () => {
    const { rows, lineage } = await run([write('docs/a.md', '# Guide to `x`\n\nSome *text*.\n')]);
    expect(rows).toEqual([
      {
        id: 'docs/a.md',
        parent: null,
        fields: { path: 'docs/a.md', title: 'Guide to x', text: '# Guide to `x`\n\nSome *text*.\n' },
      },
    ]);
    expect(lineage).toEqual([{ path: 'docs/a.md', line: 1 }]);
  });

  test('front matter is taken off, its title kept', async () => {
    const { rows, lineage } = await run([write('a.md', '---\ntitle: "Real title"\ntags: [a]\n---\n# H\n\nText.\n')]);
    expect(rows[0]!.fields).toEqual({ path: 'a.md', title: 'Real title', text: '# H\n\nText.\n' });
    expect(lineage[0]!.line).toBe(5);
  });

  test('each heading starts a row; repeats are numbered, text before the first heading is `path#`', async () => {
    const text =
      'Preface.\n\n# One\n\nText 1.\n\n## Same\n\nA.\n\n## Same\n\nB.\n\nUnder\n-----\n\nC.\n\n```\n# no heading\n```\n';
    const { rows, lineage } = await run([write('a.md', text)], { by: 'section' });
    expect(rows.map(r => [r.id, r.fields.title, r.fields.text])).toEqual([
      ['a.md#', 'One', 'Preface.'],
      ['a.md#one', 'One', 'Text 1.'],
      ['a.md#same', 'Same', 'A.'],
      ['a.md#same-2', 'Same', 'B.'],
      ['a.md#under', 'Under', 'C.\n\n```\n# no heading\n```'],
    ]);
    expect(lineage.map(at => at!.line)).toEqual([1, 3, 7, 11, 15]);
  });

  test('a heading called as a numbered repeat does not clash with it', async () => {
    const { rows } = await run([write('a.md', '# a-2\n\nx\n\n# a\n\nx\n\n# a\n\nx\n')], { by: 'section' });
    expect(rows.map(r => r.id)).toEqual(['a.md#a-2', 'a.md#a', 'a.md#a-3']);
  });

  test('section ids are unique, whatever the headings', async () => {
    const line = fc.constantFrom(
      '# A',
      '## A',
      '## A-2',
      '',
      'text',
      'Title\n=====',
      '```',
      '---',
      '- item',
      '#',
      '# ???',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 20 }), async lines => {
        const input = write('p.md', `start\n\n${lines.join('\n')}`);
        const { rows } = await run([input], { by: 'section' });
        expect(new Set(rows.map(r => r.id)).size).toBe(rows.length);
      }),
      { numRuns: 200 },
    );
  });

  test('a byte-order mark and CRLF line breaks change nothing', async () => {
    const plain = await run([write('a.md', '# T\n\nx\ny\n')]);
    const windows = await run([write('a.md', '\uFEFF# T\r\n\r\nx\r\ny\r\n')]);
    expect(windows.rows).toEqual(plain.rows);
  });

  test('a text file is one row without a title', async () => {
    const { rows } = await run([write('a.txt', 'Just # text.\n')], { by: 'section' });
    expect(rows).toEqual([{ id: 'a.txt', parent: null, fields: { path: 'a.txt', text: 'Just # text.\n' } }]);
  });

  test.each([
    ['latin-1', Buffer.from('caf\xe9', 'latin1'), 'not UTF-8: byte 3 is 0xe9'],
    ['UTF-16', Buffer.from('\uFEFFabc', 'utf16le'), 'not UTF-8 but UTF-16 (by its byte-order mark): save it as UTF-8'],
    ['binary', Buffer.from('ab\0c'), 'not text: byte 2 is NUL'],
  ])('a %s file becomes a reject, the others are read', async (_, bytes, reason) => {
    const { rows, rejects } = await run([write('bad.md', bytes), write('good.md', 'fine')]);
    expect(rows.map(r => r.id)).toEqual(['good.md']);
    expect(rejects).toEqual([{ id: 'bad.md', parent: null, fields: { reason, path: 'bad.md' } }]);
  });

  test('a file that has gone, or is a folder, becomes a reject without a path of this machine', async () => {
    const gone = write('gone.md', 'x');
    rmSync(gone.path);
    const { rejects } = await run([gone, { ...gone, name: 'sub', path: folder }], { format: 'markdown' });
    expect(rejects.map(r => r.fields.reason)).toEqual([
      'cannot be read: it has gone since the build began',
      'cannot be read: it is a folder',
    ]);
    expect(JSON.stringify(rejects)).not.toContain(folder);
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be read becomes a reject', async () => {
    const file = write('secret.md', 'x');
    chmodSync(file.path, 0);
    const { rejects } = await run([file]);
    expect(rejects[0]!.fields.reason).toBe('cannot be read: permission denied');
  });

  test('an unknown extension is an error that names the file and the way out', async () => {
    await expect(run([write('a.xyz', 'x')])).rejects.toMatchObject({
      reason: 'unknown-format',
      place: { path: 'a.xyz' },
    });
    const { rows } = await run([write('a.xyz', 'x')], { format: 'text' });
    expect(rows).toHaveLength(1);
  });
});

describe('JSON Lines', () => {
  test('each object is a row; ids are the key field or made of the content', async () => {
    const input = write('d.jsonl', '{"k":"a","t":1}\r\n\n{"k":"b","t":2}');
    const keyed = await run([input], { key: 'k' });
    expect(keyed.rows.map(r => r.id)).toEqual(['a', 'b']);
    expect(keyed.lineage.map(at => at!.line)).toEqual([1, 3]);
    expect(keyed.rows[0]!.fields).toEqual({ k: 'a', t: 1 });
    const hashed = await run([write('e.jsonl', '{"t":1}\n{"t":2}\n{"t":1}\n')]);
    expect(hashed.rows[2]!.id).toBe(`${hashed.rows[0]!.id}~2`);
  });

  test('a broken line, a line that is no object and a line of other bytes are rejects with their place', async () => {
    const bad = Buffer.concat([
      Buffer.from(`{"a":1}\n{"a":\n[1]\nnull\n"${'x'.repeat(300)}\n`),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from('{"a":2}'),
    ]);
    const { rows, rejects } = await run([write('d.jsonl', bad)]);
    expect(rows.map(r => r.fields)).toEqual([{ a: 1 }, { a: 2 }]);
    expect(rejects.map(r => [r.id, r.fields.line])).toEqual([2, 3, 4, 5, 6].map(n => [`d.jsonl:${n}`, n]));
    expect(rejects.map(r => r.fields.reason)).toEqual([
      expect.stringMatching(/^no JSON: Unexpected end/),
      'an array where an object is expected',
      'null where an object is expected',
      expect.stringMatching(/^no JSON: Unterminated string/),
      'not UTF-8: byte 1 is 0xff',
    ]);
    expect((rejects[3]!.fields.text as string).length).toBe(200);
  });

  test('a line over 16 MB is a reject; the next one is read', async () => {
    const input = write('big.jsonl', `{"t":"${'x'.repeat(17 * 2 ** 20)}"}\n{"t":"y"}\n`);
    const { rows, rejects } = await run([input]);
    expect(rows.map(r => r.fields)).toEqual([{ t: 'y' }]);
    expect(rejects[0]!.fields).toMatchObject({ reason: 'line longer than 16 MB', line: 1 });
  });

  test('a byte-order mark is taken off the first line of the file, and of no other', async () => {
    const input = write('d.jsonl', '\uFEFF{"t":1}\n\uFEFF{"t":2}\n');
    const { rows, rejects } = await run([input]);
    expect(rows.map(r => r.fields)).toEqual([{ t: 1 }]);
    expect(rejects.map(r => r.fields.line)).toEqual([2]);
  });

  test('the key that the recipe names is told', () => {
    expect(files.key(optionsOf<Options>('sources/files', { paths: '**', key: 'k' }))).toBe('k');
  });
});

describe('parts', () => {
  const options = optionsOf<Options>('sources/files', { paths: '**' });
  const whole = (file: ReturnType<typeof write>) => readPart(files, { file, start: 0, end: file.size }, options);

  test('only JSON Lines are cut at line ends', () => {
    const input = ['a.jsonl', 'a.ndjson', 'a.csv', 'a.md', 'a.txt'].map(name => write(name, 'x'));
    expect(input.map(file => files.byLine(file, options))).toEqual([true, true, false, false, false]);
    expect(input.map(file => files.givesIds(file, options))).toEqual([false, false, false, true, true]);
  });

  test('a line is one answer, null when it is blank; lines count from the start of the part', async () => {
    const input = write('d.jsonl', '{"t":1}\n\n{"t":2}\n \r\n[]\n');
    const part = await readPart(files, { file: input, start: 8, end: 20 }, options);
    expect(part).toEqual([null, { line: 2, fields: { t: 2 } }, null]);
    expect(await readPart(files, { file: input, start: 8, end: 8 }, options)).toEqual([]);
    expect(await whole(input)).toHaveLength(5);
  });

  test('parts that are cut at any lines give together what the whole file gives', async () => {
    const line = fc.constantFrom(
      '{"t":1}',
      '{"t":"é日本👍"}',
      '',
      ' ',
      '\uFEFF',
      '{',
      '[1]',
      '\0',
      `{"t":"${'y'.repeat(300_000)}"}`,
    );
    const file = fc.tuple(
      fc.boolean(),
      fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n'), fc.boolean())),
      fc.boolean(),
    );
    await fc.assert(
      fc.asyncProperty(file, async ([marked, lines, ended]) => {
        let text = marked ? '\uFEFF' : '';
        const cuts = [0];
        for (const [i, [content, end, cut]] of lines.entries()) {
          text += content + (i + 1 < lines.length || ended ? end : '');
          if (cut) cuts.push(Buffer.byteLength(text));
        }
        const input = write('p.jsonl', text);
        cuts.push(input.size);
        const together: unknown[] = [];
        for (let i = 1; i < cuts.length; i++) {
          const before = together.length;
          for (const read of await readPart(files, { file: input, start: cuts[i - 1]!, end: cuts[i]! }, options)) {
            together.push(read && { ...read, line: read.line! + before });
          }
        }
        expect(together).toEqual(await whole(input));
      }),
      { numRuns: 150 },
    );
  });

  test.skipIf(process.platform !== 'linux')('a reader that is left early closes its file', async () => {
    const input = write('d.jsonl', `${JSON.stringify({ t: 'x'.repeat(1000) })}\n`.repeat(1000));
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    for await (const batch of files.read({ file: input, start: 0, end: input.size }, options)) {
      expect(batch.length).toBeLessThan(1000);
      expect(open()).toBeGreaterThan(before);
      break;
    }
    expect(open()).toBe(before);
  });
});

describe('CSV', () => {
  test('quotes, doubled quotes, delimiters and line breaks inside quotes are read', async () => {
    const text = 'id,text\n1,"a, ""b""\nc"\n2,plain\n3,\n4,5" pipe\n';
    const { rows, lineage } = await run([write('a.csv', text)], { key: 'id' });
    expect(rows.map(r => r.fields)).toEqual([
      { id: '1', text: 'a, "b"\nc' },
      { id: '2', text: 'plain' },
      { id: '3', text: '' },
      { id: '4', text: '5" pipe' },
    ]);
    expect(lineage.map(at => at!.line)).toEqual([2, 4, 5, 6]);
  });

  test('the delimiter is told by the header, or by .tsv', async () => {
    const semicolon = await run([write('a.csv', 'a;b\n1,5;2\n')]);
    expect(semicolon.rows[0]!.fields).toEqual({ a: '1,5', b: '2' });
    const tab = await run([write('a.tsv', 'a,x\tb\n1\t2\n')]);
    expect(tab.rows[0]!.fields).toEqual({ 'a,x': '1', b: '2' });
  });

  test('a row with more or fewer cells than the header is a reject with its line', async () => {
    const { rows, rejects } = await run([write('a.csv', 'a,b\n1,2\n1\n1,2,3\n"x\ny",2\n')]);
    expect(rows).toHaveLength(2);
    expect(rejects.map(r => r.fields)).toEqual([
      { reason: '1 cells where the header has 2', path: 'a.csv', line: 3, text: '1' },
      { reason: '3 cells where the header has 2', path: 'a.csv', line: 4, text: '1,2,3' },
    ]);
  });

  test('a quote that is never closed is a reject at the line that opens it', async () => {
    const { rows, rejects } = await run([write('a.csv', 'a,b\n1,2\n1,"x\n3,4\n')]);
    expect(rows).toHaveLength(1);
    expect(rejects[0]!.fields).toMatchObject({
      line: 3,
      reason: 'a quote is opened and not closed before the end of the file',
    });
  });

  test.each([
    ['a,a\n', 'column "a" occurs twice'],
    ['a,\n', 'column 2 has no name'],
  ])('the header %j is an error at line 1', async (text, why) => {
    await expect(run([write('a.csv', text)])).rejects.toMatchObject({
      reason: 'bad-header',
      message: `the header row cannot be used: ${why}`,
      place: { path: 'a.csv', line: 1 },
    });
  });

  test('what is written by the rules of RFC 4180 is read back', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', ';', ' ', 'é') });
    const quote = (s: string) => `"${s.replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 6 }), async records => {
        const lines = records.map(r => r.map(quote).join(','));
        const input = write('p.csv', `x,y\n${lines.join('\n')}\n`);
        const { rows } = await run([input]);
        expect(rows.map(r => [r.fields.x, r.fields.y])).toEqual(records);
      }),
      { numRuns: 200 },
    );
  });
});

describe('an empty source', () => {
  test('no file: the globs are named', async () => {
    await expect(run([], { paths: ['a/*.md', 'b/*.md'] })).rejects.toMatchObject({
      reason: 'empty-source',
      message: 'no file matches a/*.md, b/*.md',
    });
  });
});
