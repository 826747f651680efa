/** Variants in a build: what they share is made once, each has its own result, and only what changed runs again. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Project, pages, project } from '../rig/project.ts';

const RECIPE = `version: 1
sources:
  docs:  { uses: files, with: { paths: "docs/**/*.md" } }
transforms:
  text:  { uses: ./count.ts, from: docs }
  lines: { uses: sentences, from: text }
  good:  { uses: filter, from: lines, matrix: { min: [5, 30] }, with: { min: "\${matrix.min}" } }
  pairs: { uses: sentence-pairs, from: good, matrix: { max: [50, 60] }, with: { instruction: { max: "\${matrix.max}" } } }
  one:   { uses: dedup, from: "pairs@max=50,min=30" }
`;

/** Notes each call. */
const COUNT = `
import { appendFileSync } from 'node:fs';
export const kind = 'rows';
export default (fields: object, { id }: { id: string }) => {
  appendFileSync(new URL('calls.txt', import.meta.url), id + '\\n');
  return fields;
};
`;

const made = (recipe = RECIPE): Project => project({ 'finetune.yaml': recipe, 'count.ts': COUNT, ...pages(3, 4) });

describe('a build of variants', () => {
  test('makes what is before them once, and each of them', async () => {
    const p = made();
    const { ok, states, digests } = await p.buildHere();
    expect(ok).toBe(true);
    expect(Object.keys(states)).toEqual([
      'docs',
      'text',
      'lines',
      'good@min=5',
      'good@min=30',
      'pairs@min=5,max=50',
      'pairs@min=5,max=60',
      'pairs@min=30,max=50',
      'pairs@min=30,max=60',
      'one',
    ]);
    expect(p.read('calls.txt').trim().split('\n')).toHaveLength(3);
    expect(digests['good@min=5.rows']).not.toBe(digests['good@min=30.rows']);
    expect((await p.rows('good@min=30')).every(r => String(r.fields.text).length >= 30)).toBe(true);
  });

  test('a value more runs only its own', async () => {
    const p = made();
    await p.buildHere();
    p.edit('finetune.yaml', 'min: [5, 30]', 'min: [5, 30, 40]');
    const { states } = await p.buildHere();
    expect(Object.keys(states).filter(n => states[n] === 'built')).toEqual(['good@min=40']);
    // It keeps the same lines as 30 does, so what is made of it is there already.
    expect(states['pairs@min=40,max=50']).toBe('cached');
  });

  test('the axis is in no key: a node with the same option and no matrix finds the result', async () => {
    const p = made();
    const before = await p.buildHere();
    p.edit('finetune.yaml', 'matrix: { min: [5, 30] }, with: { min: "${matrix.min}" }', 'with: { min: 30 }');
    p.edit('finetune.yaml', 'pairs@max=50,min=30', 'pairs@max=50');
    const { states, nodes } = await p.buildHere();
    expect(new Set(Object.values(states))).toEqual(new Set(['cached']));
    expect(nodes.good!.key).toBe(before.nodes['good@min=30']!.key);
  });

  test('other names of the axes and another order of the values change no key', async () => {
    const p = made();
    const before = await p.buildHere();
    p.write({
      'finetune.yaml': RECIPE.replace('min: [5, 30]', 'least: [30, 5]')
        .replace('matrix.min', 'matrix.least')
        .replace('max=50,min=30', 'least=30,max=50'),
    });
    const { states, nodes } = await p.buildHere();
    expect(new Set(Object.values(states))).toEqual(new Set(['cached']));
    expect(nodes['good@least=5']!.key).toBe(before.nodes['good@min=5']!.key);
  });

  test('all variants of a node, or some, can be asked for and forced', async () => {
    const p = made();
    const some = await p.buildHere({ names: ['pairs@min=30'] });
    expect(Object.keys(some.states)).toEqual([
      'docs',
      'text',
      'lines',
      'good@min=30',
      'pairs@min=30,max=50',
      'pairs@min=30,max=60',
    ]);
    const all = await p.buildHere({ names: ['good'] });
    expect(all.states).toMatchObject({ 'good@min=5': 'built', 'good@min=30': 'cached' });
    const forced = await p.build(['good', '--force', 'good@min=5']);
    expect(forced.states).toMatchObject({ 'good@min=5': 'built', 'good@min=30': 'cached' });
    expect((await p.build(['good', '--force', 'good'])).states).toMatchObject({
      'good@min=5': 'built',
      'good@min=30': 'built',
    });
    const outside = await p.run(['build', 'good@min=5', '--force', 'good']);
    expect(outside.code).toBe(2);
    expect(outside.stderr).toContain('--force good@min=30: not among the nodes that this build is for');
  });

  test('one variant that fails takes only its own consumers with it', async () => {
    const p = made(
      RECIPE.replace('./count.ts', 'plain-text')
        .replace('matrix: { min: [5, 30] }', 'matrix: { min: [5, 9000] }')
        .replace('max=50,min=30', 'max=50,min=5'),
    );
    const { ok, states } = await p.buildHere({ keepGoing: true });
    expect(ok).toBe(false);
    expect(states).toMatchObject({
      'good@min=5': 'built',
      'good@min=9000': 'failed',
      'pairs@min=5,max=60': 'built',
      'pairs@min=9000,max=50': 'skipped',
      one: 'built',
    });
  });
});

describe('commands', () => {
  let p: Project;
  beforeAll(async () => {
    p = new Project({ 'finetune.yaml': RECIPE, 'count.ts': COUNT, ...pages(3, 4) });
    expect((await p.buildHere()).ok).toBe(true);
    return () => p.remove();
  });

  test('show one variant, and ask which where there are several', async () => {
    const { code, stdout } = await p.run(['show', 'good@min=30', '--rows', '1']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/1 of \d+ rows of good@min=30\n$/);
    expect((await p.run(['show', 'good@min=30.dropped', '--json'])).stdout).toContain('shorter than 30 characters');
    const several = await p.run(['show', 'pairs@min=5']);
    expect(several.code).toBe(2);
    expect(several.stderr).toContain('pairs has 2 variants: say which, pairs@min=5,max=50 or pairs@min=5,max=60');
    const wrong = await p.run(['show', 'good@min=6']);
    expect(wrong.stderr).toContain('min of good is 5 or 30, not 6');
    expect(wrong.code).toBe(2);
  });

  test('explain each variant', async () => {
    const { code, stdout } = await p.run(['explain', 'good']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^good@min=5: .*\n\ngood@min=30: .*\n$/);
    expect((await p.run(['explain', 'good@min=30'])).stdout).toMatch(/^good@min=30: .*\n$/);
  });

  test('plan one variant', async () => {
    expect((await p.run(['plan', 'good@min=30'])).stdout).toBe('nothing to do: 4 nodes are up to date\n');
  });

  test('draw them', async () => {
    expect((await p.run(['graph'])).stdout).toMatch(/\npairs@min=5,max=50 +transforms +sentence-pairs +good@min=5\n/);
    expect((await p.run(['graph', '--format', 'mermaid'])).stdout).toContain(
      '  good_40_min_3d_5 --> pairs_40_min_3d_5_2c_max_3d_50\n',
    );
    const nodes = (await p.run(['graph', '--json'])).stdout
      .trim()
      .split('\n')
      .map(l => JSON.parse(l));
    expect(nodes[3]).toMatchObject({ name: 'good@min=5', variant: { of: 'good', axes: { min: 5 } } });
  });
});
