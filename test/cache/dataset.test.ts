/** The dataset format: rows to lines and back, and chunks whose borders only their own rows decide. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeLineage,
  decodeManifest,
  decodeRow,
  decodeRows,
  encodeLineage,
  encodeManifest,
  encodeRow,
  endHash,
  endsChunk,
} from '../../cache/dataset.ts';
import { DatasetWriter, PieceMaker } from '../../src/engine/rows/pieces.ts';
import type { Row } from '../../stages/contract.ts';

// JSON has one zero.
const json = fc.jsonValue().map(v => JSON.parse(JSON.stringify(v)));
const row: fc.Arbitrary<Row> = fc.record({
  id: fc.string({ minLength: 1 }),
  parent: fc.option(fc.string()),
  fields: fc.dictionary(fc.string(), json),
});
const below = fc
  .tuple(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }))
  .map(([parent, end]): Row => ({ id: `${parent}/${end}`, parent, fields: {} }));

/** The pieces that workers would make of these rows, cut into tasks at these places, joined. */
const joined = (rows: readonly Row[], cuts: readonly number[]) => {
  const blobs = new Map<string, number>();
  const writer = new DatasetWriter(b => void blobs.set(b.digest, b.size));
  const ends = [...cuts.map(c => c % (rows.length + 1)).sort((a, b) => a - b), rows.length];
  let from = 0;
  for (const to of ends) {
    const maker = new PieceMaker();
    for (const r of rows.slice(from, to)) maker.add(r, r.parent === null ? null : { start: 1, end: 2 });
    for (const piece of maker.take(true)) writer.add(piece);
    from = Math.max(from, to);
  }
  return { ...writer.finish(), blobs };
};

describe('rows', () => {
  test('come back as they were written', () => {
    fc.assert(
      fc.property(fc.oneof(row, below), r => {
        const line = encodeRow(r);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(decodeRow(line)).toEqual(JSON.parse(JSON.stringify(r)));
      }),
    );
  });

  test('an empty parent is not the same as none', () => {
    for (const parent of ['', null, 'a', 'ab', '0', '1'])
      expect(decodeRow(encodeRow({ id: 'ab', parent, fields: {} })).parent).toBe(parent);
  });

  test('hold line separators and lone surrogates', () => {
    const fields = { text: 'a\u2028b\nc\r\ud800x' };
    expect(decodeRows(Buffer.from(encodeRow({ id: 'x', parent: null, fields })))).toEqual([
      { id: 'x', parent: null, fields },
    ]);
    expect(decodeLineage(Buffer.from(encodeLineage(null) + encodeLineage({ path: 'a\nb', line: 3 })))).toEqual([
      null,
      { path: 'a\nb', line: 3 },
    ]);
  });

  test('manifests come back, and nothing else is taken for one', () => {
    const manifest = {
      rows: 3,
      chunks: [
        { digest: 'aa'.repeat(32), rows: 1, bytes: 2, end: 0xffffffff },
        { digest: 'bb'.repeat(32), rows: 2, bytes: 9, end: 0 },
      ],
      open: true,
    };
    expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest);
    const bytes = encodeManifest(manifest);
    for (const other of [Buffer.from(''), Buffer.from('{}'), bytes.subarray(1), bytes.subarray(0, -1)])
      expect(() => decodeManifest(other)).toThrow();
  });
});

describe('chunks', () => {
  const many = Array.from(
    { length: 5000 },
    (_, i): Row => ({ id: `row-${i}`, parent: i % 3 ? 'p' : null, fields: { n: i } }),
  );

  test('are the same however the rows were dealt to workers', () => {
    const whole = joined(many, []);
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 12 }), cuts => {
        expect(joined(many, cuts)).toMatchObject({ digest: whole.digest, lineage: whole.lineage, rows: 5000 });
      }),
      { numRuns: 15 },
    );
  });

  test('have about 128 rows', () => {
    const ends = Array.from({ length: 100_000 }, (_, i) =>
      endsChunk(endHash(`docs/${i}.md#x/${i * 7919}`), 100),
    ).filter(Boolean).length;
    expect(100_000 / ends).toBeGreaterThan(110);
    expect(100_000 / ends).toBeLessThan(150);
  });

  test('end after a very long line, so that none grows without bound', () => {
    const long = Array.from(
      { length: 20 },
      (_, i): Row => ({ id: `long-${i}`, parent: null, fields: { text: 'x'.repeat(300_000) } }),
    );
    expect(Math.max(...joined(long, []).blobs.values())).toBeLessThan(700_000);
  });
});
