/**
 * The law: after any edits, reverts and option changes, with any number of workers, every result is byte for byte what a
 * clean build gives, and what is said of the work is what was done. Here data is cut finely: a hundred rows have as many
 * borders as a hundred thousand. `edits-coarse.test.ts` cuts it as users do; FINETUNE_SCRIPTS is the number of scripts of both.
 */
import '../rig/fine-grain.ts';
import { expect, test } from 'vitest';
import { Pool } from '../../src/engine/pool.ts';
import { calls, setDown, startCounting } from '../rig/counted/calls.ts';
import { begin, countedNodes, put, type State } from '../rig/edits.ts';
import { often, SEED, within } from '../rig/effort.ts';
import { project } from '../rig/project.ts';
import { random } from '../rig/random.ts';
import { runScripts } from '../rig/script.ts';

const SCRIPTS = Math.ceil(Number(process.env.FINETUNE_SCRIPTS ?? often(1000)) * 0.6);

test(
  `after ${SCRIPTS} scripts of edits every result equals a clean build's, seed ${SEED}`,
  async () => {
    const sums = await runScripts(SCRIPTS, SEED, { records: 30, pages: 3, nodes: 5 });
    // Or else nothing would have been compared, or taken over.
    expect(sums.failed).toBeLessThan(sums.compared / 20 + 20);
    expect(sums.called).toBeLessThan(sums.fresh * 1.5 + 20);
    expect(sums.rows).toBeGreaterThan(sums.fresh * 5);
  },
  within(120),
);

const counted = (version = 1) => {
  const all: Record<string, object> = countedNodes(version);
  return { alter: <N extends { uses: string }>(n: N) => ({ ...n, ...all[n.uses] }) };
};

test('a revert runs nothing', async () => {
  const stop = startCounting();
  const pool = new Pool(1);
  try {
    const p = project({});
    const first = { ...begin(random(SEED), { records: 60, pages: 3, nodes: 4 }), down: false };
    const line = JSON.stringify({ text: 'Something else altogether.' });
    const build = (state: State) => {
      put(p, state);
      return p.buildHere({ pool, keepGoing: true, ...counted() });
    };
    await build(first);
    await build({ ...first, records: { ...first.records, 'data/a.jsonl': [line] } });
    calls('cut');
    expect(Object.values((await build(first)).states)).not.toContain('built');
    expect(calls('cut')).toBe(0);
  } finally {
    await pool.terminate();
    stop();
  }
});

const RECIPE = `version: 1
sources:
  records: { uses: files, with: { paths: "data/*.jsonl" } }
transforms:
  cut: { uses: score, from: records, with: { measure: words, mostly: 0 } }
  sum: { uses: stats, from: cut }
`;

test('rows that were rejected for a while, and only they, are tried again until they get their answer', async () => {
  const stop = startCounting();
  const pool = new Pool(1);
  try {
    const p = project({ 'finetune.yaml': RECIPE });
    const text = (i: number) =>
      `${i % 5 === 0 ? 'A winter' : 'A summer'} garden has the number ${'i'.repeat(i % 11)}${i}.`;
    p.write({
      'data/a.jsonl': Array.from({ length: 100 }, (_, i) => JSON.stringify({ text: text(i) })).join('\n'),
    });
    const build = async (down: boolean) => {
      setDown(down);
      const here = await p.buildHere({ pool, ...counted() });
      expect(here.ok).toBe(true);
      expect(here.nodes.cut!.computed).toBe(calls('cut'));
      const rejects = await p.rows('cut', 'rejects');
      return { ...here, waiting: rejects.filter(r => r.fields.transient === true).length };
    };
    const first = await build(true);
    expect(first.nodes.cut!.computed).toBe(100);
    expect(first.waiting).toBeGreaterThan(10);
    const second = await build(true);
    expect(second.nodes.cut!.computed).toBe(first.waiting);
    expect(second.waiting).toBe(first.waiting);
    expect(second.digests).toEqual(first.digests);
    const third = await build(false);
    expect(third.nodes.cut!.computed).toBe(first.waiting);
    expect(third.waiting).toBe(0);
    const last = await build(false);
    expect(last.states).toEqual({ records: 'cached', cut: 'cached', sum: 'cached' });
    const clean = project({ 'finetune.yaml': RECIPE, 'data/a.jsonl': p.read('data/a.jsonl') });
    expect((await clean.buildHere({ pool, ...counted() })).digests).toEqual(last.digests);
  } finally {
    await pool.terminate();
    stop();
  }
});

test('a mix whose input is called otherwise has other ids, however equal the rows are', async () => {
  const recipe = (from: string) => `version: 1
sources:
  a: { uses: files, with: { paths: "data/*.jsonl" } }
transforms:
  b: { uses: filter, from: a, with: { min: 1 } }
  mixed: { uses: mix, from: [${from}] }
`;
  const data = Array.from({ length: 40 }, (_, i) => JSON.stringify({ text: `The row with number ${i}.` })).join('\n');
  const p = project({ 'finetune.yaml': recipe('a'), 'data/a.jsonl': data });
  await p.buildHere();
  p.write({ 'finetune.yaml': recipe('b') });
  const { digests } = await p.buildHere();
  const clean = project({ 'finetune.yaml': recipe('b'), 'data/a.jsonl': data });
  expect(digests).toEqual((await clean.buildHere()).digests);
  expect((await p.rows('mixed')).every(r => r.id.startsWith('b/'))).toBe(true);
});
