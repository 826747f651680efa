/** `finetune trace`: rows back to their pages, and forward to where they ended. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectGolden } from '../rig/golden.ts';
import { type Files, Project, project } from '../rig/project.ts';

const RECIPE = `version: 1
sources:
  docs:    { uses: files, with: { paths: "docs/**/*.md", by: section } }
  records: { uses: files, with: { paths: "data/*.jsonl", mostly: 0.5 } }
transforms:
  text:    { uses: plain-text, from: docs }
  lines:   { uses: sentences, from: text }
  good:    { uses: filter, from: lines, with: { min: 20 } }
  pairs:   { uses: sentence-pairs, from: good, with: { instruction: { min: 5 }, response: { min: 5 } } }
  unique:  { uses: dedup, from: records, with: { by: text } }
  near:    { uses: near-dedup, from: unique, with: { threshold: 0.5, shingle: 1 } }
  mixed:   { uses: mix, from: [near, good], with: { rows: 30 } }
  split:   { uses: split, from: mixed, with: { train: 0.6, eval: 0.4, by: row } }
  sum:     { uses: stats, from: split.train }
`;

const DOC = `# Pumps

The **pump** runs at night, and it stops
in the morning. Short one. A valve opens when the pressure is high enough.

## Valves

Each valve has a number on its side. The number is read by the keeper of the house.
`;

const fox = (i: number) => `the quick brown fox number ${i} jumps over the lazy dog at night`;
const records = [fox(0), fox(1), 'a sentence about something else entirely', fox(1), fox(2)];
const jsonl = (lines: readonly string[]) => [...lines.map(text => JSON.stringify({ text })), 'no json'].join('\n');

const start = async (make: (files: Files) => Project) => {
  const p = make({ 'finetune.yaml': RECIPE, 'docs/a.md': DOC, 'data/a.jsonl': jsonl(records) });
  const built = await p.buildHere();
  expect(built.ok).toBe(true);
  return p;
};
/** A project of the test's own, to be changed. */
const made = () => start(project);
/** One that is only looked at. */
let p: Project;
beforeAll(async () => {
  p = await start(files => new Project(files));
});
afterAll(() => p.remove());
const trace = async (p: Project, ...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await p.run(['trace', ...args]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
};
const steps = async (p: Project, ...args: string[]): Promise<Record<string, unknown>[]> =>
  (await trace(p, ...args, '--json'))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
const refused = async (p: Project, ...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await p.run(['trace', ...args]);
  expect(code).toBe(2);
  expect(stdout).toBe('');
  return stderr;
};
const idOf = async (p: Project, node: string, text: string, output = 'rows'): Promise<string> =>
  (await p.rows(node, output)).find(r => JSON.stringify(r.fields).includes(text))!.id;

describe('back', () => {
  test('a pair to its sentences, their offsets, and the lines of the page', async () => {
    expectGolden('cli/trace-pair.txt', await trace(p, 'pairs', await idOf(p, 'pairs', 'The pump runs')));
  });

  test('as JSON, a step a line', async () => {
    const all = await steps(p, 'pairs', await idOf(p, 'pairs', 'Each valve has'));
    expect(all.map(s => [s.type, s.node ?? s.path, s.relation])).toEqual([
      ['origin', 'pairs', 'made'],
      ['origin', 'good', 'unchanged'],
      ['origin', 'lines', 'cut'],
      ['origin', 'text', 'unchanged'],
      ['origin', 'docs', 'read'],
      ['page', 'docs/a.md', undefined],
      ['page', 'docs/a.md', undefined],
    ]);
    expect(all[2]!.rows).toMatchObject([
      { parent: 'docs/a.md#valves', start: 0, end: 36 },
      { parent: 'docs/a.md#valves', start: 37, end: 83 },
    ]);
    expect(all[5]).toMatchObject({ line: 8, exact: true, offset: DOC.indexOf('Each valve') });
  });

  test('a record to its line, also when lines have come before it since', async () => {
    const p = await made();
    const id = await idOf(p, 'records', 'something else');
    expect(await trace(p, 'mixed', `near/${id}`)).toMatch(/\nrecords {2}read from data\/a\.jsonl:3\n/);
    p.write({ 'data/a.jsonl': jsonl(['one more row that stands before all of them', ...records]) });
    expect((await p.buildHere()).ok).toBe(true);
    expect(await trace(p, 'records', id)).toContain('records  read from data/a.jsonl:4\n');
  });

  test('through a mix by its prefixes and repetitions', async () => {
    const rows = await p.rows('mixed');
    const again = rows.find(r => r.id.endsWith('~x2') && r.id.startsWith('good/docs/'))!;
    const all = await steps(p, 'mixed', again.id);
    expect(all.slice(0, 2)).toMatchObject([
      { node: 'mixed', relation: 'unchanged', rows: [{ id: again.id }] },
      { node: 'good', relation: 'unchanged', rows: [{ id: again.id.replace(/^good\/|~x2$/g, '') }] },
    ]);
    expect(all.filter(s => s.type === 'origin').at(-1)).toMatchObject({ node: 'docs', relation: 'read' });
  });

  test('a reject to the line that could not be read', async () => {
    expect(await trace(p, 'records.rejects', 'data/a.jsonl:6')).toMatch(
      /^data\/a\.jsonl:6\n {4}no json\nrejected by records: .*JSON.*\n\ncame from\nrecords {2}rejected, read from data\/a\.jsonl:6\n/,
    );
  });

  test('what a result was made of, even if the nodes before it have been built anew since', async () => {
    const p = await made();
    const id = await idOf(p, 'pairs', 'The pump runs');
    p.edit('docs/a.md', 'The **pump** runs at night', 'It sleeps by day');
    expect((await p.buildHere({ names: ['good'] })).ok).toBe(true);
    const text = await trace(p, 'pairs', id);
    expect(text).toContain('characters 0 to 52  The pump runs at night');
    expect(text).toContain('docs/a.md is another file since then\n');
    const line = await idOf(p, 'good', 'It sleeps');
    expect(await trace(p, 'good', line)).toMatch(/\nwent into\npairs +has not been built of these rows yet\n/);
  });
});

describe('forward', () => {
  test('a page to what became of each of its sentences', async () => {
    expectGolden('cli/trace-page.txt', await trace(p, 'docs', 'docs/a.md#pumps'));
  });

  test('a row to the stage that dropped it, and to the row that stayed', async () => {
    const twice = `${await idOf(p, 'records', fox(1))}~2`;
    const [first] = (await p.rows('unique')).filter(r => r.fields.text === fox(1));
    expect(await trace(p, 'records', twice)).toContain(
      `\nunique   1 dropped\n           duplicate of an earlier row: ${first!.id}  the quick`,
    );
    const stays = await idOf(p, 'near', 'fox');
    const near = await idOf(p, 'near', fox(2), 'dropped');
    expect(await trace(p, 'near', near)).toContain(`dropped by near: near duplicate of a row that stays: ${stays}\n`);
    const [outcome] = (await steps(p, 'unique', near)).filter(s => s.type === 'outcome');
    expect(outcome).toMatchObject({ node: 'near', outputs: { dropped: [{ id: near, kept: stays }] } });
  });

  test('a row that is like others only through rows dropped with it is told the one that stayed', async () => {
    const words = (from: number) => Array.from({ length: 20 }, (_, i) => `word${from + i}`).join(' ');
    const p = project({
      'finetune.yaml': RECIPE,
      'docs/a.md': DOC,
      'data/a.jsonl': jsonl([0, 3, 6, 9, 12].map(words)),
    });
    expect((await p.buildHere({ names: ['near'] })).ok).toBe(true);
    const kept = await p.rows('near');
    expect(kept).toHaveLength(1);
    const last = await idOf(p, 'near', 'word31', 'dropped');
    expect(await trace(p, 'near', last)).toContain(`row that stays: ${kept[0]!.id}\n`);
  });
});

describe('the row that is meant', () => {
  test('may be named by the beginning of its id, or of its last part', async () => {
    const id = await idOf(p, 'lines', 'Each valve');
    for (const short of [id.slice(0, -4), id.slice(id.lastIndexOf('/') + 1).slice(0, 8)])
      expect((await trace(p, 'lines', short)).split('\n')[0]).toBe(id);
  });

  test('is asked for where it could be several, is near another, or ended before', async () => {
    expect(await refused(p, 'lines', 'docs/a.md#val')).toMatch(
      /^ambiguous-row: "docs\/a\.md#val" stands for 2 rows of lines: /,
    );
    expect(await refused(p, 'text', 'docs/b.md#valves')).toContain('; did you mean "docs/a.md#valves"?');
    const short = await idOf(p, 'good', 'Short one', 'dropped');
    expect(await refused(p, 'pairs', short)).toContain('; good dropped it: shorter than 20 characters (10)\n');
    expect(await refused(p, 'sum', 'x')).toBe('usage: sum gives no rows: trace one of a node that does\n\n');
  });
});

test('of a command, rows are followed by the ids they had', async () => {
  const p = project({
    'finetune.yaml': `version: 1
sources: { records: { uses: files, with: { paths: "data/*.jsonl", key: id } } }
transforms: { again: { uses: command, from: records, with: { run: "grep -v b $IN/rows.jsonl > $OUT", output: rows, key: id } } }
`,
    'data/a.jsonl': '{"id":"a","text":"x"}\n{"id":"b","text":"y"}\n',
  });
  expect((await p.buildHere()).ok).toBe(true);
  expect(await steps(p, 'again', 'a')).toMatchObject([
    { node: 'again', relation: 'unchanged' },
    { node: 'records', relation: 'read', rows: [{ path: 'data/a.jsonl', line: 1 }] },
  ]);
  expect((await steps(p, 'records', 'b')).at(-1)).toMatchObject({ node: 'again', outputs: {}, stale: false });
});
