/** What goes wrong in a build: it is said, it costs nothing that is finished, and the next build goes on from there. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Failure } from '../../src/failure.ts';
import { GATE, type Here, pages, project, RECIPE, until } from '../rig/project.ts';

const failures = (here: Pick<Here, 'events'>): Record<string, Failure> =>
  Object.fromEntries(here.events.flatMap(e => (e.type === 'failed' ? [[e.node, e.failure]] : [])));

const MINE = `${RECIPE}  mine: { uses: ./mine.ts, from: good }\n  after: { uses: dedup, from: mine }\n`;

describe('one node that fails', () => {
  const broken = {
    'finetune.yaml': MINE,
    'mine.ts': "export default () => { throw new Error('no luck'); };\n",
    ...pages(4),
  };

  test('leaves the results of the rest, and what needs it is skipped', async () => {
    const p = project(broken);
    const here = await p.buildHere({ keepGoing: true });
    expect(here.ok).toBe(false);
    expect(here.states).toEqual({
      docs: 'built',
      text: 'built',
      lines: 'built',
      good: 'built',
      pairs: 'built',
      unique: 'built',
      split: 'built',
      mine: 'failed',
      after: 'skipped',
    });
    expect(here.events.find(e => e.type === 'skipped')).toMatchObject({ node: 'after', because: 'mine failed' });
  });

  test('without --keep-going nothing new is begun; the next build has all that was finished', async () => {
    const p = project(broken);
    const here = await p.buildHere();
    expect(here.ok).toBe(false);
    expect(here.states.good).toBe('built');
    expect(here.states.after).toBe('skipped');
    p.write({ 'mine.ts': 'export default rows => rows;\n' });
    const next = await p.buildHere();
    expect(next.ok).toBe(true);
    for (const [name, state] of Object.entries(here.states))
      if (state === 'built') expect(next.states[name], name).toBe('cached');
  });

  test('is built again by the next build, and its failure told again', async () => {
    const p = project(broken);
    for (let i = 0; i < 2; i++)
      expect(failures(await p.buildHere()).mine).toMatchObject({
        reason: 'user-stage-failed',
        message: './mine.ts failed: no luck',
        place: { path: './mine.ts', line: 1 },
      });
  });
});

describe('rejects', () => {
  const code = (bad: number) =>
    `export const kind = 'rows';\nlet n = 0;\nexport default f => (n++ < ${bad} ? { reject: 'bad row ' + n } : f);\n`;
  const files = (bad: number, options = '') => ({
    'finetune.yaml': MINE.replace('./mine.ts, from: good', `./mine.ts, from: good${options}`),
    'mine.ts': code(bad),
    ...pages(10, 20),
  });

  test('up to 1 % are an output, not a failure', async () => {
    const p = project(files(2));
    const here = await p.buildHere();
    expect(here.ok).toBe(true);
    expect(here.nodes.mine!.rows).toBe(198);
    expect((await p.rows('mine', 'rejects')).map(r => r.fields.reason)).toEqual(['bad row 1', 'bad row 2']);
  });

  test('beyond `mostly` they fail the node, with the commonest reasons', async () => {
    const p = project(files(3));
    const here = await p.buildHere({ keepGoing: true });
    expect(here.states).toMatchObject({ mine: 'failed', after: 'skipped', split: 'built' });
    expect(failures(here).mine).toMatchObject({
      reason: 'rejects',
      message: '1.5 % of 200 rows were rejected, more than the 1.0 % that "mostly: 0.99" allows:\n  3 x bad row 1',
      advice: expect.stringContaining('look at them: npx finetune show mine.rejects'),
    });
  });

  test('a cached result is judged by the `mostly` of today', async () => {
    const p = project(files(3));
    expect((await p.buildHere()).ok).toBe(false);
    p.write({
      'finetune.yaml': p
        .read('finetune.yaml')
        .replace('./mine.ts, from: good', './mine.ts, from: good, with: { mostly: 0.9 }'),
    });
    const here = await p.buildHere();
    expect(here.states.mine).toBe('cached');
    expect(here.ok).toBe(true);
  });

  test('all of them always fail the node', async () => {
    const p = project(files(1000, ', with: { mostly: 0 }'));
    expect(failures(await p.buildHere()).mine).toMatchObject({
      reason: 'rejects',
      message: expect.stringMatching(/^all 200 rows were rejected:/),
    });
  });

  test('an error that a row function throws rejects that row alone', async () => {
    const p = project({
      ...files(0),
      'mine.ts':
        "export const kind = 'rows';\nexport default f => { if (f.text.includes('sentence 3 of the page with number 7')) throw new Error('odd'); return f; };\n",
    });
    expect((await p.buildHere()).ok).toBe(true);
    expect((await p.rows('mine', 'rejects')).map(r => r.fields.reason)).toEqual(['odd']);
  });
});

describe('nothing left', () => {
  test('a source without files or rows says so', async () => {
    const p = project({ 'finetune.yaml': RECIPE, 'docs/x.txt': 'not a page' });
    expect(failures(await p.buildHere()).docs).toMatchObject({ reason: 'empty-source' });
    p.write({ 'docs/empty.md': '' });
    expect(failures(await p.buildHere()).docs).toMatchObject({
      reason: 'empty-source',
      place: { path: 'docs/empty.md' },
    });
  });

  test('a filter that drops everything says why', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(2) });
    expect(failures(await p.buildHere({ set: ['transforms.good.with.min=1000'] })).good).toMatchObject({
      reason: 'empty-output',
      message: expect.stringMatching(/all 8 were dropped:\n {2}8 x shorter than 1000 characters \(\d+\)/),
    });
  });

  test('an empty side of a split says the sizes', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(1) });
    const here = await p.buildHere({ set: ['transforms.split.with.by=document'] });
    expect(failures(here).split).toMatchObject({
      reason: 'empty-side',
      message: expect.stringMatching(/^no row went to "\w+": (train \d, eval 0|eval \d, train 0)$/),
    });
  });
});

describe("the user's own code", () => {
  const recipe = MINE;
  const build = (code: string) => project({ 'finetune.yaml': recipe, 'mine.ts': code, ...pages(2) }).buildHere();

  test('is in the key with all that it imports, and nothing else', async () => {
    const p = project({
      'finetune.yaml': recipe,
      'mine.ts': "import { f } from './lib/a.ts';\nexport const kind = 'rows';\nexport default f;\n",
      'lib/a.ts': "import { g } from './b.ts';\nexport const f = (x: object) => g(x);\n",
      'lib/b.ts': 'export const g = (x: object) => x;\n',
      'lib/other.ts': '',
      ...pages(2),
    });
    expect((await p.buildHere()).ok).toBe(true);
    p.write({ 'lib/other.ts': 'export const x = 1;\n' });
    expect((await p.build()).states.mine).toBe('cached');
    p.write({ 'lib/b.ts': 'export const g = (x: object) => ({ ...x, more: 1 });\n' });
    const here = await p.build();
    expect(here.states).toMatchObject({ good: 'cached', mine: 'built', after: 'built' });
    expect(here.events.find(e => e.type === 'start')).toMatchObject({ node: 'mine', why: 'its code changed' });
    expect((await p.rows('mine'))[0]!.fields.more).toBe(1);
    p.write({ 'lib/b.ts': 'export const g = (x: object) => x;\n' });
    expect((await p.build()).states).toMatchObject({ mine: 'cached', after: 'cached' });
  });

  test('that is edited while it runs belongs to no key', async () => {
    const gate = GATE.replace('return fields', 'return { ...fields, v: 1 }');
    const p = project({ 'finetune.yaml': recipe, 'mine.ts': gate, closed: '', ...pages(2) });
    const running = p.startBuild();
    await until('the gate', () => p.has('arrived'));
    p.write({ 'mine.ts': gate.replace('v: 1', 'v: 2'), closed: null });
    const built = await running.built;
    expect(built.code).toBe(1);
    expect(built.reasons).toEqual(['input-changed']);
    expect((await p.build()).code).toBe(0);
    expect((await p.rows('mine'))[0]!.fields.v).toBe(2);
    p.write({ 'mine.ts': gate });
    expect((await p.build()).states.mine).toBe('built');
    expect((await p.rows('mine'))[0]!.fields.v).toBe(1);
  });

  test('may import JSON', async () => {
    const p = project({
      'finetune.yaml': recipe,
      'mine.ts':
        "import list from './list.json' with { type: 'json' };\nexport const kind = 'rows';\nexport default f => ({ ...f, n: list.n });\n",
      'list.json': '{ "n": [1, { "a": "import" }] }',
      ...pages(2),
    });
    expect((await p.buildHere()).ok).toBe(true);
    p.write({ 'list.json': '{ "n": 2 }' });
    expect((await p.build()).states.mine).toBe('built');
  });

  test('that gives what no row can hold fails with the field', async () => {
    expect(failures(await build('export default () => [{ n: NaN }];\n')).mine).toMatchObject({
      reason: 'user-stage-failed',
      message: expect.stringContaining('"n" = NaN'),
    });
    expect(failures(await build('export default () => 5;\n')).mine).toMatchObject({ reason: 'user-stage-failed' });
  });

  test('that ends its thread, or leaves a promise rejected, fails its node and no other', async () => {
    const exit = await build("export const kind = 'rows';\nexport default () => process.exit(3);\n");
    expect(failures(exit).mine).toMatchObject({ reason: 'stage-crashed', message: expect.stringContaining('ended') });
    const stray = await build(
      "export const kind = 'rows';\nexport default async f => { void Promise.reject(new Error('stray')); await new Promise(r => setTimeout(r, 20)); return f; };\n",
    );
    expect(failures(stray).mine).toMatchObject({ reason: 'stage-crashed', message: expect.stringContaining('stray') });
  });

  test('that writes to the console does not write between the events', async () => {
    const p = project({
      'finetune.yaml': recipe,
      'mine.ts':
        "console.log('loaded');\nexport const kind = 'rows';\nexport default f => { console.log('a row'); process.stdout.write('raw\\n'); console.error('an error'); return f; };\n",
      ...pages(2),
    });
    const built = await p.build();
    expect(built.code).toBe(0);
    expect(p.read('.finetune/logs/mine.log')).toContain('a row');
    expect(p.read('.finetune/logs/mine.log')).toContain('an error');
  });
});

describe('an input that is edited while it is read', () => {
  test('poisons nothing: the result is of what lay there before or after', async () => {
    const p = project({
      'finetune.yaml': 'version: 1\nsources:\n  data: { uses: files, with: { paths: "*.jsonl" } }\n',
      'a.jsonl': '{"text":"one"}\n',
    });
    const content = (n: number) =>
      Array.from({ length: 20_000 }, (_, i) => `{"text":"row ${i} of state ${n}"}`).join('\n');
    p.write({ 'b.jsonl': content(0) });
    let n = 0;
    const stop = new AbortController();
    const edits = setInterval(() => p.write({ 'b.jsonl': content(++n % 2) }), 3);
    const seen: string[] = [];
    try {
      for (let i = 0; i < 2; i++) {
        const here = await p.buildHere({ signal: stop.signal });
        if (!here.ok) expect(failures(here).data).toMatchObject({ reason: 'input-changed' });
        else seen.push(here.digests['data.rows']!);
      }
    } finally {
      clearInterval(edits);
    }
    const clean = new Set<string>();
    for (const state of [0, 1]) {
      const q = project({
        'finetune.yaml': p.read('finetune.yaml'),
        'a.jsonl': p.read('a.jsonl'),
        'b.jsonl': content(state),
      });
      clean.add((await q.buildHere()).digests['data.rows']!);
    }
    for (const digest of seen) expect(clean).toContain(digest);
    for (const state of [0, 1]) {
      p.write({ 'b.jsonl': content(state) });
      expect(clean).toContain((await p.buildHere()).digests['data.rows']);
    }
  });

  test('a file that is missing stops the build before it begins', async () => {
    const p = project({
      'finetune.yaml':
        'version: 1\nsources:\n  a: { uses: files, with: { paths: a.md } }\n  b: { uses: files, with: { paths: [b.md, c.md] } }\n  m: { uses: model, with: { path: no/model } }\n',
      'b.md': 'Text.',
    });
    const built = await p.build();
    expect(built.code).toBe(2);
    expect(built.reasons).toEqual(['file-missing', 'file-missing', 'file-missing']);
    expect(built.summary.nodes).toEqual([]);
  });
});

describe('secrets', () => {
  const SECRET = 'sk-verysecret/+"0123456789';
  const options =
    'export const options = { type: "object", properties: { key: { type: "string", secret: true }, how: { type: "string", default: "" } } };\n';
  const files = (how: string) => ({
    'finetune.yaml': MINE.replace(
      './mine.ts, from: good',
      `./mine.ts, from: good, with: { key: "\${env:API_KEY}", how: ${how} }`,
    ),
    'mine.ts': `${options}export const kind = 'rows';
export default (f, { options: { key, how } }) => {
  if (how === 'log') console.log('key is ' + key, encodeURIComponent(key), JSON.stringify({ key }));
  if (how === 'reject' && f.text.includes('sentence 1')) throw new Error('GET https://x/?key=' + encodeURIComponent(key) + ' failed: ' + key);
  if (how === 'drop') return f.text.includes('sentence 1') ? { drop: 'as ' + key } : f;
  if (how === 'crash') setTimeout(() => { throw new Error('crash with ' + key); });
  return how === 'crash' ? new Promise(() => {}) : { ...f, length: key.length };
};
`,
    ...pages(3),
  });
  const everywhere = (p: ReturnType<typeof project>): string[] =>
    p.files('.finetune').filter(f => {
      const bytes = readFileSync(p.path(f), 'latin1');
      return [SECRET, encodeURIComponent(SECRET), JSON.stringify(SECRET).slice(1, -1)].some(s => bytes.includes(s));
    });

  for (const how of ['nothing', 'log', 'reject', 'drop', 'crash']) {
    test(`are in no event, log, record or row when a stage does this with them: ${how}`, async () => {
      const p = project(files(how));
      const built = await p.build(['--keep-going'], { env: { API_KEY: SECRET } });
      expect(built.states.mine).toBe(['nothing', 'log', 'drop'].includes(how) ? 'built' : 'failed');
      for (const text of [SECRET, encodeURIComponent(SECRET), JSON.stringify(SECRET).slice(1, -1)]) {
        expect(built.stdout).not.toContain(text);
        expect(built.stderr).not.toContain(text);
      }
      expect(everywhere(p)).toEqual([]);
      // Packs are compressed: so the rows themselves, too.
      if (how === 'reject' || how === 'drop') {
        const rows = await p.rows('mine', how === 'drop' ? 'dropped' : 'rejects');
        expect(rows.length).toBe(3);
        expect(JSON.stringify(rows)).not.toContain('verysecret');
      }
    });
  }

  test('are no part of the key: another value is the same result', async () => {
    const p = project(files('nothing'));
    expect((await p.build([], { env: { API_KEY: SECRET } })).states.mine).toBe('built');
    expect((await p.build([], { env: { API_KEY: 'another-secret' } })).states.mine).toBe('cached');
    expect((await p.build()).states.mine).toBe('cached');
  });

  test('that are not set fail only the node that needs them', async () => {
    const p = project(files('nothing'));
    const built = await p.build(['--keep-going']);
    expect(built.code).toBe(1);
    expect(built.reasons).toEqual(['secret-missing']);
    expect(built.states).toMatchObject({ split: 'built', mine: 'failed', after: 'skipped' });
  });
});

test('twenty nodes that wait for one slot raise no warning', async () => {
  const p = project({
    'finetune.yaml': `version: 1\nsources:\n  docs: { uses: files, with: { paths: "docs/*.md" } }\ntransforms:\n${Array.from({ length: 20 }, (_, i) => `  n${i}: { uses: filter, from: docs, with: { max: ${1000 + i} } }\n`).join('')}`,
    ...pages(2),
  });
  const built = await p.build(['--jobs', '1']);
  expect(built.code).toBe(0);
  expect(built.stderr).toBe('');
});

test('two nodes of one key are computed once', async () => {
  const p = project({
    'finetune.yaml': RECIPE.replace('  good:', '  twin: { uses: sentences, from: text }\n  good:'),
    ...pages(4),
  });
  const here = await p.buildHere({ jobs: 2 });
  expect([here.states.lines, here.states.twin].sort()).toEqual(['built', 'cached']);
  expect(here.digests['twin.rows']).toBe(here.digests['lines.rows']);
});

test('a build leaves no scratch folder behind', async () => {
  const p = project({ 'finetune.yaml': RECIPE, ...pages(2) });
  await p.buildHere();
  expect(p.files('.finetune/scratch')).toEqual([]);
  expect(existsSync(p.path('out'))).toBe(false);
});
