/** Storms of changes: whatever happens in between, what is built in the end is what a clean build makes of the files. */
import { execFileSync } from 'node:child_process';
import { renameSync, utimesSync } from 'node:fs';
import { setImmediate as soon } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Project, pages, project, RECIPE } from '../rig/project.ts';
import { type Random, random } from '../rig/random.ts';
import { type Watching, watching } from '../rig/watching.ts';

/** More, or one again: FINETUNE_STORMS=100, FINETUNE_SEED=7. */
const STORMS = Number(process.env.FINETUNE_STORMS ?? 4);
const SEED = Number(process.env.FINETUNE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const OPERATIONS = 60;

const MINE = (word: string) =>
  `import { end } from './end.ts';\nexport default (fields: { text: string }) => ({ ...fields, text: '${word} ' + fields.text + end });\n`;
const STORM_RECIPE = RECIPE.replace('from: docs }', 'from: docs }\n  mine:   { uses: ./mine.ts, from: text }').replace(
  'uses: sentences, from: text',
  'uses: sentences, from: mine',
);
const START = {
  'finetune.yaml': STORM_RECIPE,
  'mine.ts': MINE('A'),
  'end.ts': "export const end = ' The end of the page.';\n",
  ...pages(12),
};

const filesOf = (p: Project): Record<string, string> =>
  Object.fromEntries(
    [...p.files('docs'), 'finetune.yaml', 'mine.ts', 'end.ts'].filter(n => p.has(n)).map(n => [n, p.read(n)]),
  );

/** What a clean build of the files as they are now gives. */
const clean = async (p: Project): Promise<Record<string, string>> => {
  const built = await project(filesOf(p)).buildHere();
  expect(built.ok).toBe(true);
  return built.digests;
};

const sorted = (digests: Readonly<Record<string, string>>): string => JSON.stringify(Object.entries(digests).sort());

/** Resolves when all is at rest and these results stand. */
const settled = (w: Watching, wanted: Readonly<Record<string, string>>, what: string): Promise<unknown> =>
  w.event(
    `the state of a clean build (${what})`,
    () => {
      const last = w.events.at(-1);
      return last?.type === 'watch' && last.state === 'idle' && last.ok && sorted(w.digests()) === sorted(wanted);
    },
    0,
    60,
  );

/** Nothing is built while nothing changes: the next thing that happens is that a touch was noticed. */
const expectRest = async (p: Project, w: Watching): Promise<void> => {
  const from = w.mark;
  const file = p.files('docs')[0]!;
  utimesSync(p.path(file), new Date(), new Date());
  await w.state('unchanged', from);
  await w.idle(from);
  expect(w.events.slice(from).map(e => (e.type === 'watch' ? e.state : e.type))).toEqual(['unchanged', 'idle']);
};

const storm = async (p: Project, w: Watching, { below, pick }: Random): Promise<void> => {
  const page = () => `docs/${String(below(16)).padStart(4, '0')}.md`;
  const text = () =>
    `# Page ${below(1000)}\n\nThis is sentence ${below(1000)}. And one more with number ${below(1000)}.\n`;
  const operations: readonly (() => void)[] = [
    () => p.write({ [page()]: text() }),
    () => p.write({ [page()]: text(), [page()]: text(), [page()]: text() }),
    () => p.write({ [page()]: null }),
    () => p.write({ [`docs/deep/${below(3)}/${below(3)}/x.md`]: text() }),
    () => p.write({ 'docs/deep': null }),
    () => {
      p.write({ 'docs/.save': text() });
      renameSync(p.path('docs/.save'), p.path(page()));
    },
    () => {
      const name = page();
      if (p.has(name)) renameSync(p.path(name), p.path(page()));
    },
    () => {
      const name = page();
      if (p.has(name)) utimesSync(p.path(name), new Date(), new Date());
    },
    () => p.write({ docs: null }),
    () => p.write(pages(12)),
    () => {
      if (p.has('docs')) renameSync(p.path('docs'), p.path('moved'));
      p.write({ docs: null });
      if (p.has('moved')) renameSync(p.path('moved'), p.path('docs'));
    },
    () => p.write({ 'finetune.yaml': STORM_RECIPE.replace('min: 10', `min: ${10 + below(5)}`) }),
    () => p.write({ 'finetune.yaml': `${STORM_RECIPE}  oops: [` }),
    () => p.write({ 'finetune.yaml': STORM_RECIPE.slice(0, below(STORM_RECIPE.length)) }),
    () => p.write({ 'finetune.yaml': null }),
    () => p.write({ 'mine.ts': MINE(pick([...'ABC'])) }),
    () => p.write({ 'mine.ts': 'export default (' }),
    () => p.write({ 'end.ts': `export const end = ' The end ${below(3)} of the page.';\n` }),
  ];
  for (let i = 0; i < OPERATIONS; i++) {
    pick(operations)();
    // Some follow each other at once, some when the process has had its turn, some when it has begun to build.
    const pace = below(10);
    if (pace < 4) await soon();
    if (pace === 9) {
      const from = w.mark;
      p.write({ 'finetune.yaml': STORM_RECIPE, 'mine.ts': MINE('A'), 'docs/0000.md': text() });
      await w.event('some answer', () => true, from);
    }
  }
};

describe('a storm of changes', () => {
  test.each(Array.from({ length: STORMS }, (_, i) => SEED + i))(
    'ends in what a clean build makes (seed %i)',
    async seed => {
      const p = project(START);
      const w = await watching(p, seed % 2 === 0 ? ['--jobs', '1'] : []);
      const made = random(seed);
      await storm(p, w, made);
      p.write({ ...START, 'mine.ts': MINE(made.pick([...'ABC'])) });
      await settled(w, await clean(p), `seed ${seed}`);
      await expectRest(p, w);
      expect(await w.end()).toMatchObject({ code: 0, stderr: '' });
      // And nothing that was written on the way is wrong.
      expect((await p.run(['cache', 'verify', '--json'])).code).toBe(0);
    },
  );
});

test('a checkout of thousands of files is built, and so is the way back', { timeout: 180_000 }, async () => {
  const p = project({ 'finetune.yaml': RECIPE, '.gitignore': '.finetune\n', ...pages(2000, 2) });
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'gc.auto=0', ...args], {
      cwd: p.folder,
      stdio: 'pipe',
    });
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'one');
  git('checkout', '-q', '-b', 'other');
  p.write({ docs: null });
  p.write(
    Object.fromEntries(
      Object.entries(pages(2000, 2)).map(([name, text], i) => [
        i % 10 === 0 ? name.replace('docs/', `docs/${i % 7}/`) : name,
        text.replaceAll('sentence', 'phrase'),
      ]),
    ),
  );
  p.edit('finetune.yaml', 'min: 10', 'min: 11');
  git('add', '-A');
  git('commit', '-q', '-m', 'two');
  git('checkout', '-q', 'main');
  const w = await watching(p);
  const before = w.digests();
  git('checkout', '-q', 'other');
  await settled(w, await clean(p), 'other');
  git('checkout', '-q', 'main');
  await settled(w, before, 'main');
  await expectRest(p, w);
  // The new folders are watched, and the old ones again.
  const from = w.mark;
  p.edit('docs/0010.md', 'sentence 1', 'word 1');
  expect((await w.built(from)).nodes.find(n => n.name === 'docs')).toMatchObject({ state: 'built' });
});

test('a save is built even while somebody else never comes to rest', async () => {
  const p = project(START);
  const w = await watching(p);
  let n = 0;
  const churn = setInterval(() => {
    p.write({ [`docs/busy/${n++ % 3}/x.txt`]: String(n) });
    if (n % 2 === 0) p.write({ 'docs/busy': null });
  }, 5);
  try {
    const from = w.mark;
    p.edit('docs/0001.md', 'sentence 1 of', 'sentence one of');
    await w.event('the save', e => e.type === 'summary' && e.ok, from);
    expect(w.of('build', from)).toMatchObject([{ changed: ['docs/0001.md'] }]);
  } finally {
    clearInterval(churn);
  }
  await settled(w, await clean(p), 'after the noise');
});

const megabytes = (pid: number): number =>
  Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;

test('memory is bounded, however often one saves', async () => {
  const p = project(START);
  const w = await watching(p);
  const save = async (i: number): Promise<void> => {
    const from = w.mark;
    p.write({
      'docs/0001.md': `A sentence with the number ${i}. And another one with ${i}.\n`,
      'mine.ts': MINE(`N${i}`),
    });
    await w.event('the save', e => e.type === 'summary' && e.ok, from);
    await w.idle(from);
  };
  for (let i = 0; i < 10; i++) await save(i);
  const before = megabytes(w.running.process.pid!);
  for (let i = 10; i < 40; i++) await save(i);
  expect(megabytes(w.running.process.pid!) - before).toBeLessThan(60);
});
