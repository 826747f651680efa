/** Recipes of thousands of nodes load in time that grows with them and not with their square, mistakes included. */
import { describe, expect, test } from 'vitest';
import { FailureError } from '../../src/failure.ts';
import { loadRecipe } from '../../src/load/recipe.ts';
import { project } from '../rig/project.ts';

const COUNT = 5000;

/** Messages of the mistakes, or the number of nodes. */
const load = async (line: (i: number) => string): Promise<number | readonly string[]> => {
  const lines = Array.from({ length: COUNT }, (_, i) => `  ${line(i)}\n`).join('');
  const p = project({
    'finetune.yaml': `version: 1\nsources:\n  docs: { uses: files, with: { paths: "*.md" } }\ntransforms:\n${lines}`,
  });
  try {
    return (await loadRecipe({ path: p.path('finetune.yaml'), project: p.folder })).nodes.length;
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return error.failures.map(f => f.message);
  }
};

const before = (i: number): string => (i === 0 ? 'docs' : `n${i - 1}`);

// Anything quadratic takes half a minute and more.
describe('five thousand nodes', { timeout: 15_000 }, () => {
  test('in one chain', async () => {
    expect(await load(i => `n${i}: { uses: filter, from: ${before(i)}, with: { min: ${i} } }`)).toBe(COUNT + 1);
  });

  test('that share options by an alias', async () => {
    const options = (i: number) => (i === 0 ? '&w { min: 1, without: x }' : '*w');
    expect(await load(i => `n${i}: { uses: filter, from: ${before(i)}, with: ${options(i)} }`)).toBe(COUNT + 1);
  });

  test('that are variants, and what is made of them', async () => {
    const first = `n0: { uses: filter, from: docs, matrix: { a: [${Array.from({ length: 1000 }, (_, i) => i)}] }, with: { min: "\${matrix.a}" } }`;
    const line = (i: number) => (i === 0 ? first : `n${i}: { uses: filter, from: n0@a=${i % 1000}, with: { min: 1 } }`);
    expect(await load(line)).toBe(COUNT + 1000);
  });

  test('that all refer to nodes that are not there', async () => {
    const messages = (await load(i => `n${i}: { uses: dedup, from: n${i}x }`)) as string[];
    expect(messages).toHaveLength(COUNT);
    expect(messages[0]).toBe('there is no node "n0x"; did you mean "n0"?');
  });

  test('of one name', async () => {
    const messages = (await load(() => 'n: { uses: dedup, from: docs }')) as string[];
    expect(messages).toHaveLength(COUNT - 1);
    expect(messages[9]).toBe('the name "n" is taken: a node of that name stands at line 5, column 3');
  });

  test('in one cycle', async () => {
    expect(await load(i => `n${i}: { uses: dedup, from: n${(i + 1) % COUNT} }`)).toEqual([
      'these nodes wait for each other: n0 <- n1 <- n2 <- n3 <- n4 <- n5 <- … 4991 more … <- n4997 <- n4998 <- n4999 <- n0',
    ]);
  });
});
