/** Dear rows: what a stage of the user's gave is kept for each, and equal rows are asked for once. */
import { expect, test } from 'vitest';
import { llmServer } from '../rig/llm-server.ts';
import { type Project, project } from '../rig/project.ts';
import { watching } from '../rig/watching.ts';

const RECIPE = `version: 1
sources:
  data: { uses: files, with: { paths: data.jsonl } }
transforms:
  asked: { uses: ./ask.mjs, from: data, with: { mostly: 0 } }
`;

/** Notes each call, waits while there is a file `closed`, and then does what the rest says. */
const asking = (rest: string): string => `
import { appendFileSync, existsSync } from 'node:fs';
export const kind = 'rows';
export const dear = true;
export default async fields => {
  appendFileSync(new URL('calls', import.meta.url), fields.n + '\\n');
  await new Promise(r => setTimeout(r, 5));
  ${rest}
};
`;

/** Rows that differ in nothing but where they stand: every n-th is the same. */
const data = (rows: number, different: number): string =>
  Array.from({ length: rows }, (_, i) => JSON.stringify({ n: i % different })).join('\n');

const calls = (p: Project): number[] => (p.has('calls') ? p.read('calls').split('\n').slice(0, -1).map(Number) : []);

test('equal rows are asked for once, whichever chunks and workers they stand in', async () => {
  const p = project({
    'finetune.yaml': RECIPE,
    'data.jsonl': data(3000, 20),
    'ask.mjs': asking('return { n: fields.n, answer: fields.n * 2 };'),
  });
  const built = await p.buildHere({ jobs: 2 });
  expect(built.nodes.asked).toMatchObject({ rows: 3000, computed: 20 });
  expect(calls(p).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  const rows = await p.rows('asked');
  expect(rows.every(r => r.fields.answer === (r.fields.n as number) * 2)).toBe(true);
  expect(new Set(rows.map(r => r.id)).size).toBe(3000);
});

test('where the one that asks gets nothing, the next one asks', async () => {
  const p = project({
    'finetune.yaml': RECIPE,
    'data.jsonl': data(600, 2),
    'ask.mjs': asking("return fields.n === 0 ? { reject: 'busy', transient: true } : { n: 1 };"),
  });
  const built = await p.buildHere({ jobs: 2 });
  // What is to be tried again is kept for nobody.
  expect(calls(p).filter(n => n === 0).length).toBe(300);
  expect(calls(p).filter(n => n === 1).length).toBe(1);
  expect(built.nodes.asked).toMatchObject({ rows: 300 });
  expect((await p.rows('asked', 'rejects')).length).toBe(300);
});

test('an error of one row leaves what others wait for', async () => {
  const p = project({
    'finetune.yaml': RECIPE,
    'data.jsonl': data(600, 3),
    'ask.mjs': asking("if (fields.n === 0) throw new Error('no'); return { n: fields.n };"),
  });
  const built = await p.buildHere({ jobs: 2 });
  expect(built.nodes.asked).toMatchObject({ rows: 400 });
  // A reject that is not for now is an answer, too.
  expect(calls(p).length).toBe(3);
});

test('--force asks anew for each different row, once', async () => {
  const p = project({
    'finetune.yaml': RECIPE,
    'data.jsonl': data(1000, 10),
    'ask.mjs': asking('return { n: fields.n };'),
  });
  await p.buildHere({ jobs: 2 });
  await p.buildHere({ jobs: 2, force: ['asked'] });
  expect(calls(p).length).toBe(20);
});

test('watch asks a server for the rows that changed, and not for all of them unless that was asked for', async () => {
  const server = await llmServer();
  const p = project({
    'finetune.yaml': `version: 1
sources:
  data: { uses: files, with: { paths: data.jsonl, key: n } }
transforms:
  asked: { uses: llm-map, from: data, with: { endpoint: "${server.url}", model: m, prompt: "{{ n }}" } }
`,
    'data.jsonl': data(20, 20),
  });
  const w = await watching(p);
  expect(w.of('left')).toMatchObject([{ nodes: [{ name: 'asked', because: 'each of its rows is dear' }] }]);
  expect(server.asked.length).toBe(0);
  await w.end();
  await p.buildHere();
  expect(server.asked.length).toBe(20);
  const again = await watching(p);
  const from = again.mark;
  p.write({ 'data.jsonl': `${data(20, 20)}\n{"n":77}\n` });
  await again.built(from);
  expect(server.asked.length).toBe(21);
});

test('a node that waits for a server keeps no core from the others', async () => {
  let release = (): void => {};
  const gate = new Promise<void>(resolve => (release = resolve));
  const server = await llmServer(async () => {
    await gate;
    return 'x';
  });
  const p = project({
    'finetune.yaml': `version: 1
sources:
  data: { uses: files, with: { paths: data.jsonl, key: n } }
transforms:
  asked: { uses: llm-map, from: data, with: { endpoint: "${server.url}", model: m, prompt: "{{ n }}" } }
  other: { uses: dedup, from: data }
`,
    'data.jsonl': data(20, 20),
  });
  // The server answers only when the other node is done: with one core for both that would be never.
  const built = await p.buildHere({
    jobs: 1,
    onEvent: e => {
      if (e.type === 'done' && e.node === 'other') release();
    },
  });
  expect(built.states).toMatchObject({ asked: 'built', other: 'built' });
});
