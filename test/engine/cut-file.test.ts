/** Files of lines are cut where their bytes say, whatever is known of an earlier version of them. */
import '../rig/fine-grain.ts';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { often, SEED } from '../rig/effort.ts';
import { project } from '../rig/project.ts';
import { type Random, random } from '../rig/random.ts';

const { cutFile, stretchName } = await import('../../src/engine/rows/cut-file.ts');

const line = (r: Random): string => 'x'.repeat(r.below(30) === 0 ? 3000 : r.below(60)) + r.below(1000);

/** A line changed, put in, taken out, moved, or put to an end. */
const edited = (r: Random, lines: readonly string[]): string[] => {
  const at = r.below(lines.length + 1);
  const [one = ''] = lines.slice(at);
  return r.pick([
    () => lines.toSpliced(at, 1, line(r)),
    () => lines.toSpliced(at, 0, line(r), line(r)),
    () => lines.toSpliced(at, 1 + r.below(40)),
    () => lines.toSpliced(at, 1).toSpliced(r.below(lines.length), 0, one),
    () => [...lines, line(r)],
    () => [line(r), ...lines],
    () => [...lines],
  ])();
};

test(`with and without them the stretches are the same, seed ${SEED}`, () => {
  const r = random(SEED);
  const p = project({});
  const path = p.path('a.jsonl');
  let sought = 0;
  for (let round = 0; round < often(200); round++) {
    let lines = Array.from({ length: 1 + r.below(120) }, () => line(r));
    p.write({ 'a.jsonl': lines.join('\n') + r.pick(['', '\n']) });
    for (let edit = 0; edit < 5; edit++) {
      const before = cutFile(path);
      expect(before.map(s => s.end - s.start).reduce((a, b) => a + b, 0)).toBe(readFileSync(path).length);
      const known = before.map((s, i) => ({
        ...{ name: stretchName(s.start, s.digest), bytes: s.end - s.start },
        isLast: i === before.length - 1,
      }));
      lines = edited(r, lines);
      p.write({ 'a.jsonl': lines.join('\n') + r.pick(['', '\n']) });
      const now = cutFile(path);
      expect(cutFile(path, known)).toEqual(now);
      const names = new Set(known.map(k => k.name));
      sought += now.filter(s => names.has(stretchName(s.start, s.digest))).length;
    }
  }
  expect(sought).toBeGreaterThan(1000);
});
