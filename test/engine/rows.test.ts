/** What is computed again after an edit: the changed rows, and no more. */
import { expect, test } from 'vitest';
import { type Here, project } from '../rig/project.ts';
import { random } from '../rig/random.ts';

const RECIPE = `version: 1
sources:
  data: { uses: files, with: { paths: data.jsonl } }
transforms:
  text:   { uses: plain-text, from: data }
  scored: { uses: score, from: text, with: { measure: characters, as: length } }
  good:   { uses: filter, from: scored, with: { where: { length: { min: 40 } } } }
  lines:  { uses: sentences, from: good }
  pairs:  { uses: sentence-pairs, from: lines, with: { instruction: { min: 5 }, response: { min: 5 } } }
  unique: { uses: dedup, from: pairs }
  near:   { uses: near-dedup, from: unique, with: { field: response } }
  split:  { uses: split, from: near, with: { train: 0.9, eval: 0.1, by: row } }
  order:  { uses: shuffle, from: split.train }
  sizes:  { uses: stats, from: near }
`;
const ROW_NODES = ['data', 'text', 'scored', 'good', 'lines', 'pairs', 'unique', 'near', 'split', 'order'];

const records = (n: number): string[] => {
  const r = random(7);
  const words = Array.from({ length: 300 }, (_, i) => `word${i}`);
  const sentence = () => `The ${Array.from({ length: 12 }, () => r.pick(words)).join(' ')}.`;
  return Array.from({ length: n }, () => JSON.stringify({ text: `${sentence()} ${sentence()}` }));
};

const computed = (here: Here): Record<string, number> =>
  Object.fromEntries(ROW_NODES.map(n => [n, here.nodes[n]!.computed ?? 0]));

test('one row edited is computed once by each stage; a group by its two sentences', async () => {
  const lines = records(3000);
  const p = project({ 'finetune.yaml': RECIPE, 'data.jsonl': lines.join('\n') });
  const first = await p.buildHere({ jobs: 2 });
  expect(first.ok).toBe(true);
  expect(computed(first)).toMatchObject({ data: 3000, text: 3000, pairs: 6000, unique: 3000 });
  p.write({ 'data.jsonl': lines.with(1500, lines[1500]!.replace('The', 'This')).join('\n') });
  const after = computed(await p.buildHere());
  const { split, order, ...others } = after;
  expect(others).toEqual({ data: 1, text: 1, scored: 1, good: 1, lines: 1, pairs: 2, unique: 1, near: 1 });
  // A row on the side that is looked at no further is none for the stage after it.
  expect(split).toBe(1);
  expect(order).toBeLessThanOrEqual(1);
});

test('scattered edits compute at most one and a half times the rows that changed', async () => {
  const lines = records(6000);
  const p = project({ 'finetune.yaml': RECIPE, 'data.jsonl': lines.join('\n') });
  await p.buildHere({ jobs: 2 });
  const r = random(3);
  const places = new Set(Array.from({ length: 6 }, () => r.below(6000)));
  const edited = [...lines];
  for (const at of places) edited[at] = edited[at]!.replace('word1', 'other');
  edited.splice(2000, 1);
  edited.splice(
    4000,
    0,
    JSON.stringify({ text: 'A wholly new row with words of its own. And another sentence after that one.' }),
  );
  p.write({ 'data.jsonl': edited.join('\n') });
  const changed = places.size + 1;
  for (const [node, n] of Object.entries(computed(await p.buildHere())))
    expect(n, node).toBeLessThanOrEqual(node === 'pairs' ? changed * 2 : changed);
});

test('a threshold that is moved runs no scorer', async () => {
  const p = project({ 'finetune.yaml': RECIPE, 'data.jsonl': records(500).join('\n') });
  await p.buildHere();
  p.edit('finetune.yaml', '{ min: 40 }', '{ min: 150 }');
  const { states, nodes } = await p.buildHere();
  expect(states).toMatchObject({ data: 'cached', text: 'cached', scored: 'cached', good: 'built' });
  // Rows that come through both thresholds are as they were.
  expect(nodes.lines!.computed).toBe(0);
});

test('a file that is renamed, or a row that is moved, is not read again', async () => {
  const lines = records(3000);
  const p = project({ 'finetune.yaml': RECIPE, 'data.jsonl': lines.join('\n') });
  await p.buildHere();
  p.write({ 'data.jsonl': null, 'other.jsonl': lines.join('\n') });
  p.edit('finetune.yaml', 'data.jsonl', 'other.jsonl');
  const { nodes, states } = await p.buildHere();
  expect(nodes.data!.computed).toBe(0);
  expect(states.text).toBe('cached');
});

test('going on from a base works for another node of the same stage and options', async () => {
  const p = project({ 'finetune.yaml': RECIPE, 'data.jsonl': records(800).join('\n') });
  await p.buildHere();
  p.write({ 'finetune.yaml': RECIPE.replaceAll('scored', 'measured') });
  const { nodes, states } = await p.buildHere();
  expect(states.measured).toBe('cached');
  expect(nodes.good!.state).toBe('cached');
});

test('rows that failed for a while are tried again, and only they', async () => {
  const p = project({
    'finetune.yaml':
      'version: 1\nsources:\n  data: { uses: files, with: { paths: data.jsonl } }\ntransforms:\n  asked: { uses: ./ask.mjs, from: data, with: { mostly: 0 } }\n',
    'data.jsonl': Array.from({ length: 300 }, (_, i) => JSON.stringify({ n: i })).join('\n'),
    'ask.mjs': `
import { existsSync } from 'node:fs';
export const kind = 'rows';
export default fields =>
  fields.n % 100 === 7 && !existsSync(${JSON.stringify('UP')}) ? { reject: 'no answer', transient: true } : fields;
`.replace('"UP"', 'new URL("up", import.meta.url)'),
  });
  const down = await p.buildHere();
  expect(down.nodes.asked).toMatchObject({ state: 'built', rows: 297, computed: 300 });
  expect((await p.buildHere()).nodes.asked).toMatchObject({ state: 'built', rows: 297, computed: 3 });
  p.write({ up: '' });
  expect((await p.buildHere()).nodes.asked).toMatchObject({ state: 'built', rows: 300, computed: 3 });
  expect((await p.buildHere()).nodes.asked).toMatchObject({ state: 'cached', rows: 300 });
});

test('what a dear stage gave is found again for equal fields, under another id, too', async () => {
  const p = project({
    'finetune.yaml':
      'version: 1\nsources:\n  data: { uses: files, with: { paths: data.jsonl } }\ntransforms:\n  asked: { uses: ./ask.mjs, from: data }\n',
    'data.jsonl': Array.from({ length: 100 }, (_, i) => JSON.stringify({ n: i })).join('\n'),
    'ask.mjs': `
import { appendFileSync } from 'node:fs';
export const kind = 'rows';
export const dear = true;
export default async fields => {
  await new Promise(r => setTimeout(r, 1));
  appendFileSync(new URL('calls', import.meta.url), fields.n + '\\n');
  return [{ answer: fields.n * 2 }];
};
`,
  });
  const calls = () => p.read('calls').split('\n').slice(0, -1).map(Number);
  const first = await p.buildHere();
  expect(first.nodes.asked).toMatchObject({ computed: 100, rows: 100 });
  expect(calls().length).toBe(100);
  // Other ids, the same fields.
  p.write({
    'data.jsonl': null,
    'moved.jsonl': `${Array.from({ length: 100 }, (_, i) => JSON.stringify({ n: 99 - i })).join('\n')}\n{"n":1000}\n`,
  });
  p.edit('finetune.yaml', 'paths: data.jsonl', 'paths: moved.jsonl, key: n');
  const second = await p.buildHere();
  expect(second.nodes.asked).toMatchObject({ computed: 1, rows: 101 });
  expect(calls().length).toBe(101);
  expect((await p.rows('asked')).find(r => r.fields.answer === 2)!.parent).toBe('1');
});

test('two recipes with equal stages on other rows do not take turns', async () => {
  const [mine, theirs] = [records(400), records(800).slice(400)];
  const p = project({ 'finetune.yaml': RECIPE, 'data.jsonl': mine.join('\n'), 'other.jsonl': theirs.join('\n') });
  await p.buildHere();
  p.write({ 'other.yaml': RECIPE.replace('data.jsonl', 'other.jsonl') });
  await p.run(['build', '--json', '-r', 'other.yaml']);
  p.write({ 'data.jsonl': mine.with(7, mine[8]!.replace('The', 'This')).join('\n') });
  const { nodes } = await p.buildHere();
  for (const node of ['text', 'good', 'unique']) expect(nodes[node]!.computed, node).toBeLessThanOrEqual(1);
});
