/** The answer kept of a build that found nothing to do is given again exactly while the next build would find nothing either. */
import { readdirSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { selectNodes } from '../../src/engine/engine.ts';
import { readLockFile } from '../../src/engine/lock/lock-file.ts';
import { Pool } from '../../src/engine/pool.ts';
import { runBuild } from '../../src/engine/run-build.ts';
import { type Answer, answerTo } from '../../src/engine/still/answer.ts';
import { standing } from '../../src/engine/still/keep.ts';
import { questionOf } from '../../src/engine/still/question.ts';
import type { BuildEvent } from '../../src/events.ts';
import { Project, project } from '../rig/project.ts';

/** As if everything had been at rest for a minute: the rule for racy files has a test of its own. */
const ask = (p: Project, at = Date.now() + 60_000) => ({
  ...questionOf({ recipe: p.path('finetune.yaml'), flags: {}, env: { FINETUNE_TEST: '1' } }),
  asked: at,
});

/** What the command does when no answer is kept; the events without their times, or null when something went wrong. */
const build = async (
  p: Project,
  question = ask(p),
  besides: readonly BuildEvent[] = [],
): Promise<readonly BuildEvent[] | null> => {
  const pool = new Pool(1);
  const engine = await p.open().catch(() => null);
  if (!engine) return null;
  const events: BuildEvent[] = [];
  let keep: (() => void) | null = null;
  try {
    const nodes = selectNodes(engine.graph, []);
    const { ok } = await runBuild({
      engine,
      nodes,
      pool,
      lock: { file: readLockFile(engine.graph.path), profiles: [], set: [], locked: false },
      jobs: 1,
      env: {},
      keepGoing: false,
      force: new Set(),
      signal: new AbortController().signal,
      emit: event => void events.push(event),
      begun: performance.now(),
    });
    events.splice(1, 0, ...besides);
    keep = await standing(engine, question, nodes, events);
    return ok ? events.flatMap(timeless) : null;
  } finally {
    engine.close();
    await pool.terminate();
    keep?.();
  }
};

const timeless = (event: BuildEvent): BuildEvent[] => {
  if (event.type === 'done') return [{ ...event, seconds: 0 }];
  if (event.type === 'build') return [{ ...event, jobs: 1 }];
  if (event.type === 'summary') return [{ ...event, seconds: 0, nodes: event.nodes.map(n => ({ ...n, seconds: 0 })) }];
  return event.type === 'warn' ? [event] : [];
};

const told = ({ build, told, nodes }: Answer): BuildEvent[] => [
  { ...build, jobs: 1 },
  ...told,
  { type: 'summary', ok: true, seconds: 0, nodes },
];

const RECIPE = `version: 1
sources:
  docs: { uses: files, with: { paths: ["docs/**/*.md", extra.md] } }
transforms:
  good: { uses: filter, from: docs, with: { min: 3 } }
  mine: { uses: ./mine.ts, from: good }
`;

const FILES = {
  'finetune.yaml': RECIPE,
  'mine.ts': "import './lib.ts';\nexport const kind = 'rows';\nexport default (fields: object) => fields;\n",
  'lib.ts': '',
  'extra.md': 'This page stands by itself.\n',
  'docs/a.md': 'This is the first page.\n',
  'docs/b/c.md': 'This is another page.\n',
  'far/d.md': 'This page is far away.\n',
};

const flat = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(e => e.isFile())
    .map(e => join(e.parentPath, e.name));

/** Something that people, programs or accidents do; what cannot be done as things stand does nothing. */
const EDITS: Readonly<Record<string, (p: Project, n: number) => void>> = {
  'nothing at all': () => {},
  'edit a page': (p, n) => p.write({ 'docs/a.md': `This is page number ${n}.\n` }),
  'edit another': (p, n) => p.write({ 'extra.md': `This page is page number ${n}.\n` }),
  'a page in a folder of its own': (p, n) => p.write({ [`docs/new${n}/x.md`]: `A new page ${n}.\n` }),
  'remove a page': p => p.write({ 'docs/b/c.md': null }),
  'put it back': p => p.write({ 'docs/b/c.md': FILES['docs/b/c.md'] }),
  'remove what is named': p => p.write({ 'extra.md': null }),
  'write the same again': p => p.write({ 'docs/a.md': p.has('docs/a.md') ? p.read('docs/a.md') : null }),
  touch: p => p.has('extra.md') && utimesSync(p.path('extra.md'), n0, n0),
  rename: (p, n) => p.has('docs/a.md') && renameSync(p.path('docs/a.md'), p.path(`docs/r${n}.md`)),
  'a file that no glob names': (p, n) => p.write({ [`docs/notes${n}.txt`]: 'mine' }),
  'a link to a page': (p, n) => symlinkSync(p.path('far/d.md'), p.path(`docs/l${n}${Date.now()}.md`)),
  'edit behind the link': (p, n) => p.write({ 'far/d.md': `Far away, page ${n}.\n` }),
  'a broken link': (p, n) => symlinkSync(p.path(`far/later${n}.md`), p.path(`docs/broken${n}${Date.now()}.md`)),
  'what it leads to': (p, n) => p.write({ [`far/later${n}.md`]: 'It is there now.\n' }),
  'an option': (p, n) => p.write({ 'finetune.yaml': RECIPE.replace('min: 3', `min: ${n}`) }),
  'a comment': (p, n) => p.write({ 'finetune.yaml': `${RECIPE}# ${n}\n` }),
  'a mistake': p => p.write({ 'finetune.yaml': `${RECIPE}oops\n` }),
  'user code': (p, n) => p.write({ 'lib.ts': `export const n = ${n};\n` }),
  'the lock file goes': p => rmSync(p.path('finetune.lock'), { force: true }),
  'a pack goes': p => rmSync(flat(p.path('.finetune/packs'))[0] ?? p.path('x'), { force: true }),
  'a pack is cut short': p => {
    for (const pack of flat(p.path('.finetune/packs')).slice(0, 1)) truncateSync(pack, 10);
  },
  'the database goes': p => {
    for (const end of ['', '-wal', '-shm']) rmSync(p.path(`.finetune/store.db${end}`), { force: true });
  },
  'the database is found damaged': p => p.write({ '.finetune/damaged': '' }),
  'the graph goes': p => rmSync(p.path('.finetune/graphs'), { recursive: true, force: true }),
  'the states of files go': p => rmSync(p.path('.finetune/files.bin'), { force: true }),
};
const n0 = new Date(1_700_000_000_000);

test('after any edits the kept answer is what the build finds, or there is none', async () => {
  let given = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...Object.keys(EDITS)), fc.integer({ min: 1, max: 5 })), { maxLength: 6 }),
      async script => {
        const p = new Project(FILES);
        try {
          await build(p);
          await build(p);
          for (const [name, n] of script) {
            EDITS[name]!(p, n);
            const answer = answerTo(ask(p));
            const found = await build(p);
            if (answer) given++;
            if (answer) expect(told(answer), name).toEqual(found);
            // What the build found cached and whole is known from now on, until the next edit.
            const again = answerTo(ask(p));
            if (again) expect(told(again), `after ${name}`).toEqual(await build(p));
          }
        } finally {
          p.remove();
        }
      },
    ),
    { numRuns: 20 },
  );
  expect(given).toBeGreaterThan(0);
});

test('it is kept once nothing is left to do, and given until something moves', async () => {
  const p = project(FILES);
  expect(await build(p)).not.toBe(null);
  expect(answerTo(ask(p))).toBe(null);
  const found = await build(p);
  const answer = answerTo(ask(p));
  expect(told(answer!)).toEqual(found);
  for (const [name, edit] of Object.entries(EDITS).slice(1)) {
    if (['the graph goes', 'the states of files go', 'what it leads to'].includes(name)) continue;
    const q = project(FILES);
    await build(q);
    await build(q);
    expect(answerTo(ask(q)), name).not.toBe(null);
    if (name === 'edit behind the link') EDITS['a link to a page']!(q, 1);
    edit(q, 4);
    const same = ['put it back', 'the lock file goes'].includes(name) && !q.has('finetune.lock');
    if (!same) expect(answerTo(ask(q)), name).toBe(null);
  }
});

test('files that were written just before a build began are not trusted by the next', async () => {
  const p = project(FILES);
  await build(p);
  await build(p, ask(p, Date.now()));
  expect(answerTo(ask(p))).toBe(null);
});

test('what happened to one build alone is not told by the next', async () => {
  for (const node of [null, 'good']) {
    const p = project(FILES);
    await build(p);
    await build(p, ask(p), [{ type: 'warn', node, message: 'another build is making this; waiting for it' }]);
    expect(answerTo(ask(p))).toBe(null);
  }
});

test('other questions have other answers: settings, environment, working folder', async () => {
  const p = project(FILES);
  await build(p);
  await build(p);
  const of = (flags: object, env: NodeJS.ProcessEnv) =>
    answerTo(questionOf({ recipe: p.path('finetune.yaml'), flags: { ...flags }, env }));
  expect(of({}, { FINETUNE_TEST: '1', HOME: '/elsewhere' })).not.toBe(null);
  expect(of({ set: ['a=1'] }, { FINETUNE_TEST: '1' })).toBe(null);
  expect(of({ locked: true }, { FINETUNE_TEST: '1' })).toBe(null);
  expect(of({}, {})).toBe(null);
});

test('the command gives it, word for word, without loading a parser, a hash, a database or the engine', async () => {
  const p = project({
    ...FILES,
    'late.mjs': 'const now = Date.now; Date.now = () => now() + 60_000;',
    'log.mjs': `import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
registerHooks({ load: (url, context, next) => {
  appendFileSync(new URL('loaded.txt', import.meta.url), url + '\\n');
  return next(url, context);
} });`,
  });
  const late = { env: { NODE_OPTIONS: `--import ${p.path('late.mjs')}` } };
  await p.build([], late);
  const found = await p.build([], late);
  const given = await p.build([], { env: { NODE_OPTIONS: `--import ${p.path('log.mjs')}` } });
  expect(given.code).toBe(0);
  expect(given.events.flatMap(timeless)).toEqual(found.events.flatMap(timeless));
  const loaded = p.read('loaded.txt').split('\n');
  expect(
    loaded.filter(url => /node_modules|node:(sqlite|crypto|zlib|worker_threads)|engine\/build\.ts/.test(url)),
  ).toEqual([]);
  expect(loaded.some(url => url.endsWith('/answer.ts'))).toBe(true);

  expect((await p.run(['build', '--plain'])).stdout).toMatch(/^3 nodes cached, \d\.\d\d s\n$/);
  expect((await p.build(['good'])).states).toEqual({ docs: 'cached', good: 'cached' });
  expect((await p.build(['--force', 'good'])).states.good).toBe('built');
  p.edit('docs/a.md', 'first', 'second');
  expect((await p.build()).states).toEqual({ docs: 'built', good: 'built', mine: 'built' });
});
