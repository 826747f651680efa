/** What is kept of chunks is found as it was written, or not at all; and what is found no more can be kept anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { digest } from '../../cache/digest.ts';
import { ChunkLog } from '../../src/engine/rows/chunk-log.ts';
import { EFFORT, SEED } from '../rig/effort.ts';
import { type Project, project } from '../rig/project.ts';
import { random } from '../rig/random.ts';

const PARTS = new Map(Array.from({ length: 6 }, (_, i) => [digest(`part ${i}`), Buffer.alloc(i * 17, i + 1)]));
const LIVE = new Set(PARTS.keys());

/** Adds parts as a build does, two at a time. */
const made = (): { p: Project; path: string } => {
  const p = project({});
  const path = p.path('rows/x.hot');
  const all = [...PARTS];
  for (let i = 0; i < all.length; i += 2) {
    const log = new ChunkLog(path, i === 2);
    for (const [name, bytes] of all.slice(i, i + 2)) log.add(name, bytes);
    log.save(LIVE);
    log.close();
  }
  return { p, path };
};

/** How many parts are found, each as it was; and all of them after they have been made again. */
const check = (path: string, held: boolean, what: string): number => {
  const log = new ChunkLog(path, held);
  let found = 0;
  for (const [name, bytes] of PARTS) {
    const got = log.get(name);
    if (got) {
      expect(Buffer.from(got).equals(bytes), what).toBe(true);
      found++;
    } else log.add(name, bytes);
  }
  log.save(LIVE);
  log.close();
  const again = new ChunkLog(path, !held);
  for (const [name, bytes] of PARTS) {
    const got = again.get(name);
    expect(got && Buffer.from(got).equals(bytes), `${what}, kept anew`).toBe(true);
  }
  again.close();
  return found;
};

test('as it was', () => {
  const { path } = made();
  for (const held of [true, false]) expect(check(path, held, 'as it was')).toBe(PARTS.size);
});

test('cut short at any length', () => {
  const { path } = made();
  const whole = readFileSync(path);
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    expect(check(path, length % 2 === 0, `cut at ${length}`)).toBeLessThan(PARTS.size);
  }
});

test(`with any bit turned over (in CI, one of each byte), seed ${SEED}`, () => {
  const { path } = made();
  const whole = readFileSync(path);
  const r = random(SEED);
  const bits = Array.from({ length: whole.length }, (_, at) =>
    (EFFORT > 5 ? [0, 1, 2, 3, 4, 5, 6, 7] : [r.below(8)]).map(b => at * 8 + b),
  );
  for (const bit of bits.flat()) {
    const wrong = Buffer.from(whole);
    wrong[bit >> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, wrong);
    check(path, bit % 2 === 0, `bit ${bit & 7} of byte ${bit >> 3}`);
  }
});
