import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SchemaElement } from 'hyparquet/src/types.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digest } from '../../../../cache/digest.ts';
import type { Read } from '../../../../stages/contract.ts';
import { parquet, parquetParts } from '../../../../stages/sources/readers/parquet.ts';
import { MESSAGES, parquetOf, TEXT } from '../../../rig/parquet.ts';
import { random } from '../../../rig/random.ts';
import { inputFile } from '../../whole.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parquet-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (bytes: Uint8Array) => {
  const path = join(folder, 'data.parquet');
  writeFileSync(path, bytes);
  // Footers are kept by digest.
  return { ...inputFile(path, folder), digest: digest(bytes) };
};

const readAll = (bytes: Uint8Array, columns?: readonly string[]): NonNullable<Read>[] => {
  const file = write(bytes);
  return [...parquet({ file, start: 0, end: file.size }, columns)].flat().filter(r => r !== null);
};

const fieldsOf = (reads: readonly Read[]) => reads.map(r => (r && 'fields' in r ? r.fields : r));

/** One column of one type, and what becomes of its values. */
const column = (element: Omit<SchemaElement, 'name'>, values: readonly unknown[]) => {
  const schema = [{ repetition_type: 'OPTIONAL', ...element, name: 'v' } as SchemaElement];
  return fieldsOf(readAll(parquetOf(schema, { v: values }))).map(f => (f as { v?: unknown }).v);
};

const CHATS = Array.from({ length: 2500 }, (_, i) => ({
  id: i,
  messages:
    i % 7 === 3
      ? null
      : Array.from({ length: i % 4 }, (_, k) => ({
          role: k % 2 ? 'assistant' : 'user',
          content: `turn ${k} of ${i} ${'x'.repeat(i % 50)}`,
          thinking: k % 2 ? `because ${i}` : null,
        })),
}));
const chats = (options = {}) =>
  parquetOf(
    [
      { name: 'id', type: 'INT32', repetition_type: 'REQUIRED' },
      ...MESSAGES('messages', ['role', 'content', 'thinking']),
    ],
    { id: CHATS.map(c => c.id), messages: CHATS.map(c => c.messages) },
    options,
  );

describe('values', () => {
  test('whole numbers are numbers, and text where a number would lose digits', () => {
    const INT64 = { type: 'INT64' } as const;
    expect(column(INT64, [1n, -5n, 2n ** 53n - 1n, 2n ** 53n, null, -(2n ** 63n)])).toEqual([
      ...[1, -5, 9007199254740991, '9007199254740992', null, '-9223372036854775808'],
    ]);
    expect(column({ type: 'INT32', converted_type: 'UINT_32' }, [4294967295, 7])).toEqual([4294967295, 7]);
    expect(column({ type: 'INT64', converted_type: 'UINT_64' }, [2n ** 64n - 1n])).toEqual(['18446744073709551615']);
  });

  test('decimals are exact: numbers up to 15 digits, else text', () => {
    const decimal = (precision: number, scale: number) =>
      ({ type: 'INT64', converted_type: 'DECIMAL', precision, scale }) as const;
    expect(
      column(
        decimal(10, 1),
        [3n, -12345n, 0n].map(v => Number(v) / 10),
      ),
    ).toEqual([0.3, -1234.5, 0]);
    expect(column(decimal(18, 3), [1.5])).toEqual(['1.500']);
  });

  test('dates and times are written as ISO 8601', () => {
    expect(column({ type: 'INT32', converted_type: 'DATE' }, [new Date('1969-12-31'), new Date('2024-02-29')])).toEqual(
      [...['1969-12-31', '2024-02-29']],
    );
    const at = new Date('2024-05-01T13:45:00.25Z');
    expect(column({ type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' }, [at])).toEqual(['2024-05-01T13:45:00.25Z']);
    const before = new Date('1901-01-01T00:00:00.001Z');
    const local = {
      type: 'INT64',
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MILLIS' },
    } as const;
    expect(column(local, [before])).toEqual(['1901-01-01T00:00:00.001']);
    expect(column({ type: 'INT32', converted_type: 'TIME_MILLIS' }, [86_399_999, 0])).toEqual([
      ...['23:59:59.999', '00:00:00'],
    ]);
  });

  test('binary is base64, UUIDs and JSON are what they hold, NaN is null', () => {
    expect(column({ type: 'BYTE_ARRAY' }, [new Uint8Array([0, 255, 1])])).toEqual(['AP8B']);
    const uuid = '01234567-89ab-cdef-0123-456789abcdef';
    expect(column({ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } }, [uuid])).toEqual([
      uuid,
    ]);
    expect(column({ type: 'BYTE_ARRAY', converted_type: 'JSON' }, [{ a: [1, null] }, null])).toEqual([
      { a: [1, null] },
      null,
    ]);
    expect(column({ type: 'DOUBLE' }, [1.5, Number.NaN, Number.POSITIVE_INFINITY])).toEqual([1.5, null, null]);
  });

  test('text that is not UTF-8 is refused with its column, and only that row', () => {
    // A binary column whose declaration is made a text's afterwards: no writer writes such text.
    const bytes = parquetOf([{ name: 'v', type: 'BYTE_ARRAY', repetition_type: 'REQUIRED', field_id: 1 }], {
      v: [new Uint8Array([65]), new Uint8Array([0xff, 0xfe]), new Uint8Array([66])],
    });
    const declared = parquetOf(
      [{ name: 'v', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }],
      { v: ['A', 'zz', 'B'] },
    );
    expect(fieldsOf(readAll(bytes))[1]).toEqual({ v: '//4=' });
    const at = Buffer.from(declared).indexOf('zz');
    declared[at] = 0xff;
    expect(fieldsOf(readAll(declared))).toEqual([
      { v: 'A' },
      { line: 2, reason: 'column "v" holds text that is not UTF-8' },
      { v: 'B' },
    ]);
  });
});

describe('shapes', () => {
  test.each(['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'ZSTD', 'BROTLI'])('lists of groups, packed by %s', codec => {
    const reads = readAll(chats({ codec, group: 600, page: 4000 }));
    expect(fieldsOf(reads)).toEqual(CHATS);
    expect(reads.map(r => r.line)).toEqual(CHATS.map((_, i) => i + 1));
  });

  test('columns that are asked for come alone, in the order of the file', () => {
    expect(fieldsOf(readAll(chats(), ['id']))).toEqual(CHATS.map(({ id }) => ({ id })));
  });

  test('a column that is not there is named with those that are', () => {
    expect(() => readAll(chats(), ['id', 'text'])).toThrow(
      expect.objectContaining({ reason: 'unknown-column', advice: 'It has: id, messages.' }),
    );
  });

  test('a file without rows gives none', () => {
    expect(readAll(parquetOf([TEXT('a')], { a: [] }))).toEqual([]);
  });
});

describe('parts', () => {
  test('of row groups give together what the whole file gives', () => {
    const noise = random(1);
    const text = Array.from({ length: 3000 }, () => Array.from({ length: 1500 }, () => noise.below(10)).join(''));
    const file = write(
      parquetOf([TEXT('t')], { t: text.map(t => t.repeat(10)) }, { codec: 'UNCOMPRESSED', group: 500 }),
    );
    const parts = parquetParts(file)!;
    expect(parts.length).toBe(3);
    expect(parts[0]!.start).toBe(0);
    const all = parts.flatMap(({ start, end }) => [...parquet({ file, start, end })].flat());
    expect(all.map(r => r!.line)).toEqual(text.map((_, i) => i + 1));
  });

  test('a small file is one part', () => {
    expect(parquetParts(write(chats({ group: 100 })))).toBeNull();
  });
});

describe('damage', () => {
  const whole = chats({ group: 500, codec: 'ZSTD' });

  test.each([
    [whole.subarray(0, whole.length - 1), 'no Parquet, or cut off: it does not end as Parquet does'],
    [whole.subarray(0, 1000), 'no Parquet, or cut off: it does not end as Parquet does'],
    [new Uint8Array(3), 'too short to be Parquet'],
    [Buffer.from('PAR1 and then nothing of the kind\xff\xff\xff\x7fPAR1', 'latin1'), /footer cannot be as long/],
  ])('a file that is cut off is refused as a whole (%#)', (bytes, reason) => {
    expect(readAll(bytes)).toEqual([{ reason: expect.stringMatching(reason) }]);
  });

  test('a damaged row group is refused with its rows, the others are read', () => {
    const bytes = Uint8Array.from(whole);
    // Somewhere in the second of five groups.
    bytes.fill(0xaa, 0.25 * bytes.length, 0.27 * bytes.length);
    const reads = readAll(bytes);
    const refused = reads.filter(r => 'reason' in r);
    expect(refused.length).toBe(1);
    expect(refused[0]).toMatchObject({
      line: 501,
      reason: expect.stringMatching(/^rows 501 to 1000 cannot be read: column/),
    });
    expect(fieldsOf(reads.filter(r => !('reason' in r)))).toEqual([...CHATS.slice(0, 500), ...CHATS.slice(1000)]);
  });

  test('whatever is broken, reading ends, and says so in reasons alone', () => {
    const r = random(5);
    const small = chats({ codec: 'UNCOMPRESSED', group: 900 });
    for (let i = 0; i < 150; i++) {
      const bytes = Uint8Array.from(small);
      // Half of the time in the footer, which everything hangs on.
      const from = i % 2 === 0 ? 0 : bytes.length - 900;
      for (let k = 0; k < 4; k++) bytes[from + r.below(bytes.length - from)] = r.below(256);
      for (const read of readAll(bytes))
        if ('reason' in read) expect(read.reason).not.toMatch(/undefined|not a function|prototype/);
    }
  });
});
