/** Rows compared between datasets: the counts are those of a plain comparison by id, in one pass or in many. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dirtyRows, rowChanges } from '../../src/engine/compare/row-changes.ts';
import { Pool } from '../../src/engine/pool.ts';
import { project } from '../rig/project.ts';

const RECIPE = `version: 1
sources:
  rows: { uses: files, with: { paths: "rows.jsonl", key: id } }
`;

type Rows = readonly (readonly [id: number, text: string])[];

const dataset: fc.Arbitrary<Rows> = fc.uniqueArray(fc.tuple(fc.nat(900), fc.constantFrom('x', 'y')), {
  selector: ([id]) => id,
  minLength: 1,
  maxLength: 700,
  size: 'max',
});

describe('rows of two datasets', () => {
  test('are matched by id: added, removed, changed, with examples', async () => {
    const p = project({ 'finetune.yaml': RECIPE, 'rows.jsonl': '' });
    const seed = Math.floor(Math.random() * 2 ** 31);
    const datasets = fc.sample(dataset, { seed, numRuns: 4 });
    // A large one, some of it edited, and moved: what people do most.
    const large: Rows = Array.from({ length: 3000 }, (_, i) => [i, 'x']);
    datasets.push(large, large.with(700, [700, 'y']).toSpliced(1500, 2).toSpliced(10, 0, [9999, 'new']));
    datasets.push([...large.slice(1000), ...large.slice(0, 1000)]);
    const pool = new Pool(1);
    const made: { rows: Rows; digest: string }[] = [];
    for (const rows of datasets) {
      p.write({ 'rows.jsonl': rows.map(([id, text]) => `${JSON.stringify({ id: `r${id}`, text })}\n`).join('') });
      made.push({ rows, digest: (await p.buildHere({ pool })).digests['rows.rows']! });
    }
    await pool.terminate();
    const { store, close } = await p.open();
    for (const a of made) {
      for (const b of made) {
        const [old, now] = [new Map(a.rows), new Map(b.rows)];
        const added = [...now.keys()].filter(id => !old.has(id)).length;
        const removed = [...old.keys()].filter(id => !now.has(id)).length;
        const changed = [...now].filter(([id, text]) => old.has(id) && old.get(id) !== text).length;
        for (const waiting of [1000, 100_000]) {
          const changes = (await rowChanges(store, a.digest, b.digest, { most: 2, waiting }))!;
          expect(changes, `seed ${seed}`).toMatchObject({ before: old.size, after: now.size, added, removed, changed });
          expect(changes.examples.added.length).toBe(Math.min(2, added));
          expect(changes.examples.removed.length).toBe(Math.min(2, removed));
          expect(changes.examples.changed.length).toBe(Math.min(2, changed));
          for (const { before: x, after: y } of changes.examples.changed) {
            expect(x.id).toBe(y.id);
            expect(x.fields).not.toEqual(y.fields);
          }
        }
        expect(dirtyRows(store, a.digest, b.digest)!.after).toBeGreaterThanOrEqual(added + changed);
      }
    }
    const [, , , , first, edited] = made;
    expect(dirtyRows(store, first!.digest, edited!.digest)!.after).toBeLessThan(1500);
    expect(await rowChanges(store, null, first!.digest, { most: 0 })).toMatchObject({ added: 3000, removed: 0 });
    close();
  });

  test('of a dataset that is gone there is nothing to say', async () => {
    const p = project({ 'finetune.yaml': RECIPE, 'rows.jsonl': '{"id":"a","text":"x"}\n' });
    const { digests } = await p.buildHere();
    const { store, close } = await p.open();
    expect(await rowChanges(store, 'f'.repeat(64), digests['rows.rows']!, { most: 1 })).toBe(null);
    close();
  });
});
