/** The lock file as text: what is written is read back, what people and merges leave in it is told by its line. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatLock, type LockEntry, lockPath, parseLock } from '../../src/engine/lock/lock-file.ts';
import { FailureError } from '../../src/failure.ts';

const KEY = 'a'.repeat(64);
const DIGEST = '0123456789abcdef'.repeat(4);
const HEAD = 'version 1\n';

const mistakes = (text: string) => {
  try {
    parseLock(text, 'finetune.lock');
  } catch (error) {
    if (error instanceof FailureError) return error.failures.map(f => [f.reason, f.place?.line, f.message]);
    throw error;
  }
  return [];
};

const bare = ({ line: _, ...entry }: LockEntry): LockEntry => entry;

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 });
const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const entry: fc.Arbitrary<LockEntry> = fc.record({
  node: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).map(s => `n${s}`),
  profile: fc.oneof(fc.constant(''), value),
  key: fc.option(hex),
  pins: fc
    .record({
      'result.adapter': hex,
      'files.paths': fc.tuple(hex, fc.nat()).map(([d, n]) => `${d}/${n}`),
      seconds: fc.nat().map(String),
      env: value,
    })
    .map(({ env, ...rest }) => ({ ...rest, 'env.node': env })),
});

describe('a lock file', () => {
  test('is beside its recipe', () => {
    expect(lockPath('/a/finetune.yaml')).toBe('/a/finetune.lock');
    expect(lockPath('pipelines/x.yml')).toBe('pipelines/x.lock');
  });

  test('is read as it was written, one sorted line a node, whatever names and values hold', () => {
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: e => `${e.node} ${e.profile} ${e.key}` }), entries => {
        const text = formatLock(entries);
        const read = parseLock(text, 'x');
        expect(formatLock(read)).toBe(text);
        expect(read.length).toBe(entries.length);
        const byText = (e: LockEntry) => JSON.stringify(bare(e));
        expect(read.map(bare).map(byText).sort()).toEqual(
          entries.map(e => byText({ ...e, pins: sorted(e.pins) })).sort(),
        );
        const lines = text.split('\n').slice(2, -1);
        expect(lines).toEqual(lines.toSorted());
      }),
    );
  });

  test('says where it is wrong, and never crashes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.string()), (bytes, words) => {
        mistakes(Buffer.from(bytes).toString());
        mistakes(`${HEAD}node ${words.join(' ')}\n`);
      }),
    );
  });

  test.each([
    ['adapter key=zz result.adapter=1', 'result.adapter is not a digest of 64 hex digits'],
    [`adapter key=${KEY}`, 'nothing is pinned for adapter'],
    [`base files.path=${DIGEST}/9 files.path=${DIGEST}/9`, '"files.path" stands here twice'],
    ['base what', '"what" is not of the form name=value'],
    [`adapter key=${KEY} result.adapter=${DIGEST} seconds=soon`, 'seconds is not a whole number'],
  ])('%s', (line, message) => {
    expect(mistakes(`# head\n${HEAD}${line}\n`)).toEqual([['lock-corrupt', 3, message]]);
  });

  test('has one line a node and key', () => {
    const line = `adapter key=${KEY} result.adapter=${DIGEST}\n`;
    expect(mistakes(`${HEAD}${line}${line}`)).toEqual([
      ['lock-corrupt', 3, 'a second line for adapter: the first is line 2'],
    ]);
    const other = `adapter key=${'b'.repeat(64)} result.adapter=${DIGEST}\n`;
    expect(mistakes(`${HEAD}${line}${other}adapter profile=gpu key=${KEY} result.adapter=${DIGEST}\n`)).toEqual([]);
  });

  test('of another version is told so', () => {
    expect(mistakes('version 2\nwhat ever\n')[0]).toEqual([
      'lock-corrupt',
      1,
      'a lock file of version 2; this finetune reads version 1',
    ]);
  });

  test('with the marks of a merge is told at the first of them', () => {
    const text = `${HEAD}<<<<<<< HEAD\nadapter key=1\n=======\nadapter key=2\n>>>>>>> other\n`;
    expect(mistakes(text)).toEqual([['lock-conflict', 2, 'a merge has left a conflict here']]);
  });
});

const sorted = (pins: LockEntry['pins']): LockEntry['pins'] =>
  Object.fromEntries(Object.entries(pins).sort(([a], [b]) => (a < b ? -1 : 1)));
