/** What is kept under a checksum is read back whole or not at all; the table of files' states is such a thing. */
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digest } from '../../cache/digest.ts';
import { readFileTable, type TableEntry, writeFileTable } from '../../cache/file-table.ts';
import { Files } from '../../cache/files.ts';
import { seal, unseal } from '../../cache/sealed.ts';
import { isRacy } from '../../cache/sight.ts';
import { project } from '../rig/project.ts';

const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });

test('parts come back as they were', () => {
  fc.assert(
    fc.property(parts, given => {
      expect(unseal(seal(given))?.map(p => [...p])).toEqual(given.map(p => [...p]));
    }),
  );
});

test('no truncation, no flipped bit and no byte more is taken for the whole', () => {
  fc.assert(
    fc.property(parts, given => {
      const bytes = seal(given);
      for (let end = 0; end < bytes.length; end++) expect(unseal(bytes.subarray(0, end))).toBe(null);
      expect(unseal(Buffer.concat([bytes, Buffer.alloc(8)]))).toBe(null);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const wrong = Buffer.from(bytes);
        wrong[bit >> 3]! ^= 1 << (bit & 7);
        expect(unseal(wrong)).toBe(null);
      }
    }),
    { numRuns: 20 },
  );
});

const bigint = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const time = fc.bigInt({ min: -(1n << 62n), max: 1n << 62n });
const entry = fc.record({
  sight: fc.record({ dev: bigint, ino: bigint, size: bigint, mtimeNs: time, ctimeNs: time }),
  digest: fc.string().map(text => digest(text)),
  seen: fc.double({ noNaN: true }),
});

test('a table of files finds each by its path and state, in any order', () => {
  const p = project({});
  const path = p.path('files.bin');
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string({ minLength: 1 }).filter(s => !s.includes('\0')),
        entry,
      ),
      entries => {
        const all = new Map<string, TableEntry>(Object.entries(entries));
        writeFileTable(path, all);
        const table = readFileTable(path);
        for (const [name, e] of [...all].reverse()) {
          expect(table.find(name, e.sight)).toEqual(e);
          expect(table.find(name, { ...e.sight, size: e.sight.size ^ 1n })).toBe(null);
        }
        expect(table.find('\0', entry as never)).toBe(null);
      },
    ),
    { numRuns: 50 },
  );
  const bytes = readFileSync(path);
  for (const wrong of [bytes.subarray(0, 8), Buffer.from('{}'), Buffer.alloc(64), Buffer.alloc(0)]) {
    writeFileSync(path, wrong);
    expect(readFileTable(path).paths).toEqual([]);
  }
});

test('files that another recipe asked for are not forgotten', () => {
  const p = project({ 'a.md': 'a', 'b.md': 'b' });
  const open = () => new Files(p.path('files.bin'));
  for (const name of ['a.md', 'b.md']) {
    const files = open();
    files.look(p.path(name));
    files.save();
  }
  expect(readFileTable(p.path('files.bin')).paths.toSorted()).toEqual([p.path('a.md'), p.path('b.md')]);
});

test('what was written less than two seconds before the look is racy, by either of its times', () => {
  const at = (ms: number) => BigInt(ms) * 1_000_000n;
  const sight = { dev: 1n, ino: 1n, size: 1n, mtimeNs: at(10_000), ctimeNs: at(5_000) };
  expect([11_999, 12_000, 12_001].map(seen => isRacy(sight, seen))).toEqual([true, true, false]);
  expect(isRacy({ ...sight, ctimeNs: at(20_000) }, 12_001)).toBe(true);
});
