/** The same inputs give the same keys and bytes, wherever, however and with however many workers they are built. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { forgetful } from '../../src/engine/outside.ts';
import { emitter } from '../../src/engine/rows/emitter.ts';
import type { MapAnswer, MapTask } from '../../src/engine/rows/tasks.ts';
import { loadRecipe } from '../../src/load/recipe.ts';
import type { GroupStage, KeyedStage, Row, RowsStage } from '../../stages/contract.ts';
import dedup from '../../stages/transforms/dedup.ts';
import filter from '../../stages/transforms/filter.ts';
import plainText from '../../stages/transforms/plain-text.ts';
import pairs from '../../stages/transforms/sentence-pairs.ts';
import sentences from '../../stages/transforms/sentences.ts';
import { type Files, pages, project, RECIPE } from '../rig/project.ts';

const MINE = `
export const kind = 'rows';
export default async (fields: { text: string }, { id }: { id: string }) => {
  const n = fields.text.length;
  if (n % 7 === 0) return { drop: 'a multiple of seven' };
  if (n % 11 === 0) return [{ text: fields.text.slice(0, n / 2) }, { text: fields.text.slice(n / 2) }, { text: 'twice' }, { text: 'twice' }];
  return { ...fields, n, id };
};
`;
const GROUP = `
export const kind = 'group';
export default (rows: { fields: { text: string } }[]) => [{ text: rows.map(r => r.fields.text).join(' '), count: rows.length }];
`;
const WITH_CODE = `${RECIPE}  mine:  { uses: ./mine.ts, from: good }
  group: { uses: ./group.ts, from: lines }
`;
const code: Files = { 'mine.ts': MINE, 'group.ts': GROUP };

test('keys and bytes are equal in another folder, time zone, language and order of creation', async () => {
  const docs = pages(8, 4);
  const one = project({ 'finetune.yaml': WITH_CODE, ...code, ...docs });
  const other = project({
    ...Object.fromEntries(Object.entries(docs).reverse()),
    'deep/er/x': '',
    ...code,
    'finetune.yaml': WITH_CODE,
  });
  const a = await one.build(['--jobs', '1']);
  const b = await other.build(['--jobs', '2'], {
    env: { TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' },
  });
  expect(a.code).toBe(0);
  const results = (built: typeof a) =>
    built.events.flatMap(e => (e.type === 'done' ? [[e.node, e.key, e.outputs]] : [])).sort();
  expect(results(b)).toEqual(results(a));
});

test('one worker and four give the same bytes over thousands of rows', async () => {
  const docs = pages(90, 40);
  const digests = [];
  for (const jobs of [1, 4]) {
    const p = project({ 'finetune.yaml': WITH_CODE, ...code, ...docs });
    const here = await p.buildHere({ jobs });
    expect(here.ok).toBe(true);
    expect(here.nodes.lines!.rows).toBeGreaterThan(3500);
    digests.push(here.digests);
  }
  expect(digests[1]).toEqual(digests[0]);
});

/** What the stages give when they are simply applied to all rows in memory. */
const naive = async <O, S>(
  stage: RowsStage<O, S> | GroupStage<O, S> | KeyedStage<O>,
  rows: readonly Row[],
  options: O,
): Promise<readonly Row[]> => {
  if (stage.kind === 'keyed') {
    const seen = new Set<string>();
    return rows.filter(r => {
      const key = stage.key(r, options);
      return key === null || (!seen.has(key) && seen.add(key));
    });
  }
  const state = (await stage.setup?.({ options, files: {}, inputs: {} }, forgetful)) as S;
  const { emit, out, next } = emitter();
  const groups: Row[][] = [];
  for (const r of rows) {
    const last = groups.at(-1);
    if (stage.kind === 'group' && last && r.parent !== null && last[0]!.parent === r.parent) last.push(r);
    else groups.push([r]);
  }
  for (const group of groups) {
    next();
    if (stage.kind === 'rows') await stage.map(group[0]!, emit, state, options);
    else await stage.map(group, emit, state, options);
  }
  return out.rows.map(r => r.row);
};

/** Documents of very different sizes: groups that fill several chunks, and chunks of many groups. */
const sentence = fc
  .tuple(
    fc.constantFrom('The pump', 'A valve', 'Our *house*', 'Water', 'It'),
    fc.constantFrom('runs', 'is `closed`', 'stops'),
    fc.nat(30),
  )
  .map(([a, b, n]) => `${a} ${b} after ${n} hours.`);
const documents = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.array(sentence, { maxLength: 6 }) },
    { weight: 1, arbitrary: fc.array(sentence, { minLength: 150, maxLength: 500 }) },
  ),
  { minLength: 1, maxLength: 25 },
);

test('the engine gives what the stages give on all rows in memory, whatever the chunks and workers', async () => {
  await fc.assert(
    fc.asyncProperty(documents, fc.constantFrom(1, 2, 3), async (docs, jobs) => {
      const p = project({
        'finetune.yaml': RECIPE.replace(/ {2}split:.*\n/, ''),
        'docs/keep.md': 'This page makes sure that there is a sentence. And that there is another one.',
        ...Object.fromEntries(docs.map((s, i) => [`docs/${i}.md`, `# Page ${i}\n\n${s.join(' ')}`])),
      });
      const here = await p.buildHere({ jobs });
      expect(here.ok).toBe(true);
      const graph = await loadRecipe({ path: p.path('finetune.yaml'), project: p.folder });
      // biome-ignore lint/suspicious/noExplicitAny: options come from the recipe
      const options = (node: string): any => graph.nodes.find(n => n.name === node)!.options;
      let rows = await p.rows('docs');
      for (const [node, stage] of [
        ['text', plainText],
        ['lines', sentences],
        ['good', filter],
        ['pairs', pairs],
        ['unique', dedup],
      ] as const) {
        rows = await naive(stage as RowsStage<unknown, unknown>, rows, options(node));
        expect(await p.rows(node)).toEqual(rows);
      }
    }),
    { numRuns: 6, endOnFailure: true },
  );
});

test('a row that is inserted changes at most the chunk it falls into', async () => {
  const lines = Array.from({ length: 4000 }, (_, i) => JSON.stringify({ text: `This is the line with number ${i}.` }));
  const p = project({
    'finetune.yaml': 'version: 1\nsources:\n  data: { uses: files, with: { paths: data.jsonl } }\n',
    'data.jsonl': lines.join('\n'),
  });
  await p.buildHere();
  const before = new Set((await p.dataset('data')).digests);
  expect(before.size).toBeGreaterThan(15);
  for (const at of [0, 1234, 4000]) {
    p.write({ 'data.jsonl': lines.toSpliced(at, 0, '{"text":"Something new."}').join('\n') });
    await p.buildHere();
    const after = (await p.dataset('data')).digests;
    expect(after.filter(d => !before.has(d)).length).toBeLessThanOrEqual(2);
  }
  p.write({ 'data.jsonl': lines.toSpliced(2000, 1).join('\n') });
  await p.buildHere();
  expect((await p.dataset('data')).digests.filter(d => !before.has(d)).length).toBeLessThanOrEqual(2);
});

test('every row has its lineage beside it', async () => {
  const p = project({ 'finetune.yaml': WITH_CODE, ...code, ...pages(30, 12) });
  await p.buildHere({ jobs: 2 });
  for (const node of ['docs', 'lines', 'pairs', 'group']) {
    const { chunks, lineage } = await p.dataset(node);
    expect(lineage.length, node).toBe(chunks.flat().length);
  }
  const { chunks, lineage } = await p.dataset('lines');
  const text = new Map((await p.rows('text')).map(r => [r.id, String(r.fields.text)]));
  for (const [i, row] of chunks.flat().entries()) {
    const at = lineage[i]!;
    expect(text.get(row.parent!)!.slice(at.start, at.end).replaceAll(/\s+/g, ' ')).toBe(row.fields.text);
  }
});

test('ids are unique in every dataset', async () => {
  const p = project({
    'finetune.yaml': WITH_CODE,
    ...code,
    ...pages(30, 12),
    'docs/again.md': `${'The same sentence again. '.repeat(20)}\n`,
  });
  await p.buildHere({ jobs: 2 });
  for (const [node, output] of [
    ['docs', 'rows'],
    ['lines', 'rows'],
    ['good', 'dropped'],
    ['pairs', 'rows'],
    ['mine', 'rows'],
    ['group', 'rows'],
    ['unique', 'dropped'],
  ] as const) {
    const ids = (await p.rows(node, output)).map(r => r.id);
    expect(new Set(ids).size, `${node}.${output}`).toBe(ids.length);
  }
});

test('a stage may wait for some rows and answer at once for others', async () => {
  // Not the user's adapter, which always waits: the contract as it is.
  const { NodeWork } = await import('../../src/engine/work.ts');
  const p = project({
    'finetune.yaml': RECIPE,
    ...pages(300, 1),
    'mixed.mjs':
      "export default { kind: 'rows', map: (row, emit) => { const n = Number(row.id.slice(5, 9)); if (n % 3) return void emit.keep(row); return new Promise(r => setTimeout(r, n % 5)).then(() => emit.keep(row)); } };\n",
  });
  await p.buildHere({ names: ['docs'] });
  const engine = await p.open();
  const { rowsSource } = await import('../../src/engine/artifact.ts');
  const record = (await engine.records.get((await engine.records.history(engine.graph.id, 'docs'))!.key))!;
  const source = rowsSource(engine.store, record.outputs.rows!.type === 'rows' ? record.outputs.rows!.digest : '')!;
  const work = new NodeWork({
    id: 1,
    module: new URL(`file://${p.path('mixed.mjs')}`).href,
    options: {},
    secrets: [],
    files: {},
    folders: {},
    metrics: {},
    rows: {},
    outputFolders: {},
    scratch: '',
    work: '',
    kept: '',
    refresh: false,
    origins: {},
    tracer: [],
    threads: 1,
    gpus: null,
    dear: null,
  });
  let rows = 0;
  const task: MapTask = {
    do: 'map',
    streams: ['rows', 'rejects', 'dropped'],
    window: { before: null, own: source.chunks.map(at => ({ at, rows: at.rows, end: 0 })), after: [], whole: true },
    old: null,
  };
  const done = (await work.task(
    task,
    {
      pieces: async (output, pieces) => {
        if (output === 'rows') for (const piece of pieces) rows += piece.rows;
      },
      metrics() {},
      origin() {},
      progress() {},
      measure() {},
      log() {},
      warn() {},
    },
    null,
  )) as MapAnswer;
  work.close();
  engine.close();
  expect(done.computed).toBe(300);
  expect(rows).toBe(300);
});
