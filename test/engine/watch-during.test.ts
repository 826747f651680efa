/** What `watch` does with a change that comes while a build is under way, and with what takes long. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readLockFile } from '../../src/engine/lock/lock-file.ts';
import { Lane } from '../../src/watch/lane.ts';
import { type Snapshot, takeSnapshot } from '../../src/watch/snapshot.ts';
import { GATE, type Project, pages, project, RECIPE, until } from '../rig/project.ts';
import { trainerProcesses } from '../rig/trainer.ts';
import { Watching, watching } from '../rig/watching.ts';

const GATED = RECIPE.replace('  pairs:', '  mine:   { uses: ./gate.ts, from: good }\n  pairs:').replace(
  'from: good, with: { inst',
  'from: mine, with: { inst',
);
const gated = () => project({ 'finetune.yaml': GATED, 'gate.ts': GATE, closed: '', ...pages(6) });
const arrived = (p: Project) => until('the gate', () => existsSync(p.path('arrived')));

/** The state is that of a clean build of the same files. */
const expectClean = async (p: Project, w: Watching, names: readonly string[]): Promise<void> => {
  const files = Object.fromEntries(names.map(name => [name, p.read(name)]));
  expect(w.digests()).toEqual((await project(files).buildHere()).digests);
};
const FILES = ['finetune.yaml', 'gate.ts', ...Object.keys(pages(6))];

describe('a change while a build runs', () => {
  test('stops work that it makes pointless, and is built', async () => {
    const p = gated();
    const w = new Watching(p);
    await arrived(p);
    p.edit('docs/0001.md', 'sentence 1 of', 'sentence one of');
    expect(await w.state('superseded')).toEqual({ type: 'watch', state: 'superseded', build: 1 });
    p.write({ closed: null });
    await w.idle();
    const [first, second] = w.summaries();
    expect(first).toMatchObject({ build: 1, ok: false });
    expect(first!.nodes.find(n => n.name === 'mine')!.state).toBe('interrupted');
    expect(second).toMatchObject({ build: 2, ok: true });
    expect(w.of('build')).toMatchObject([{ why: 'first' }, { why: 'changed', changed: ['docs/0001.md'] }]);
    await expectClean(p, w, FILES);
  });

  test('and is undone lets the build go on', async () => {
    const p = gated();
    const w = new Watching(p);
    await arrived(p);
    const before = p.read('docs/0001.md');
    p.edit('docs/0001.md', 'sentence 1 of', 'sentence one of');
    p.write({ 'docs/0001.md': before, closed: null });
    await w.idle();
    expect(w.of('superseded')).toEqual([]);
    await expectClean(p, w, FILES);
  });

  test('stops at most three builds in a row: then one is let finish', async () => {
    const p = gated();
    const w = new Watching(p);
    for (let i = 1; i <= 3; i++) {
      await arrived(p);
      p.write({ arrived: null });
      p.edit('docs/0001.md', /sentence \w+ of/.exec(p.read('docs/0001.md'))![0], `sentence ${'xyz'[i - 1]} of`);
      await w.event('the stop', e => e.type === 'summary' && (e as { build?: number }).build === i);
    }
    await arrived(p);
    p.edit('docs/0001.md', 'sentence z of', 'sentence zz of');
    expect(await w.state('noted')).toMatchObject({ changed: ['docs/0001.md'] });
    p.write({ closed: null });
    await w.idle();
    expect(w.summaries().map(s => [s.build, s.ok])).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [4, true],
      [5, true],
    ]);
    await expectClean(p, w, FILES);
  });

  test('twice Ctrl-C ends it at once, once in order: 130, since something was interrupted', async () => {
    for (const times of [1, 2]) {
      const p = gated();
      const w = new Watching(p);
      await arrived(p);
      for (let i = 1; i < times; i++) w.running.kill('SIGINT');
      const { code, stderr } = await w.end();
      expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
      if (times === 1) expect(w.summaries()).toMatchObject([{ ok: false, build: 1 }]);
    }
  });
});

describe('work that is still needed', () => {
  const recipe = `${GATED}  other:  { uses: plain-text, from: more }\n`.replace(
    'sources:',
    'sources:\n  more:   { uses: files, with: { paths: "more/*.md" } }',
  );
  /** A lane with `mine` at its gate, and the snapshot after a change beside it. */
  const atGate = async () => {
    const p = project({ 'finetune.yaml': recipe, 'gate.ts': GATE, closed: '', 'more/x.md': 'One.\n', ...pages(2) });
    const engine = await p.open();
    const snapshot = (): Snapshot => takeSnapshot(engine, engine.graph.nodes, []);
    const lane = new Lane(2);
    const stops: number[] = [];
    const now = { is: snapshot() };
    const supersede = () => lane.supersede(now.is, ({ number }) => void stops.push(number));
    const under = lane.start({
      number: 1,
      snapshot: now.is,
      engine,
      lock: { file: readLockFile(p.path('finetune.yaml')), profiles: [], set: [], locked: false },
      settles: false,
      env: process.env,
      leave: async () => null,
      emit: () => {},
      onNodeEnd: supersede,
    });
    await arrived(p);
    await until('other to be done', () => [...under.running.keys()].join() === 'mine');
    const since = under.running.get('mine')!;
    p.write({ 'more/x.md': 'Two.\n' });
    now.is = snapshot();
    return { p, lane, under, supersede, stops, age: () => performance.now() - since };
  };
  const stateOf = async (under: {
    ended: Promise<{ summary: { nodes: readonly { name: string; state: string }[] } }>;
  }) => Object.fromEntries((await under.ended).summary.nodes.map(n => [n.name, n.state]));

  test('is waited for, and the rest begins anew', async () => {
    const { p, lane, under, supersede, stops, age } = await atGate();
    await until('it to be worth waiting for', () => age() > 1000);
    supersede();
    expect(stops).toEqual([]);
    p.write({ closed: null });
    expect(await stateOf(under)).toMatchObject({ other: 'built', mine: 'built', pairs: 'interrupted' });
    expect(stops).toEqual([1]);
    await lane.close();
  });

  test('is not waited for longer than it has already taken', async () => {
    const { lane, under, supersede, stops, age } = await atGate();
    supersede();
    const then = age();
    expect(stops).toEqual([]);
    await until('the end of patience', () => stops.length === 1);
    expect(age()).toBeGreaterThan(1.9 * then);
    expect(await stateOf(under)).toMatchObject({ mine: 'interrupted', pairs: 'interrupted' });
    await lane.close();
  });
});

describe('what takes long', () => {
  const MODEL = fileURLToPath(new URL('../../pipelines/models/tiny-chat', import.meta.url));
  const training = (steps: number) => `version: 1
sources:
  docs:    { uses: files, with: { paths: "docs/**/*.md" } }
  base:    { uses: model, with: { path: ${MODEL} } }
transforms:
  lines:   { uses: sentences, from: docs }
  pairs:   { uses: sentence-pairs, from: lines, with: { instruction: { min: 5 }, response: { min: 5 } } }
templates:
  chat:    { uses: chat, from: { rows: pairs, model: base }, with: { format: harmony, max_tokens: 128 } }
trainer:
  adapter: { uses: lora, from: { model: base, train: chat }, with: { r: 2, steps: ${steps}, batch: 2 } }
evaluators:
  answers: { uses: generate, from: { model: base, adapter: adapter }, with: { prompts: prompts.yaml, max_tokens: 4 } }
`;
  const made = (steps: number) =>
    project({ 'finetune.yaml': training(steps), 'prompts.yaml': '- What is this?\n', ...pages(4) });

  test('is left when it would train, said once; what follows a training that stands is built', async () => {
    const p = made(2);
    expect((await p.build()).code).toBe(0);
    const w = await watching(p);
    expect(w.summaries()[0]).toMatchObject({ ok: true });
    expect(w.of('left')).toEqual([]);
    let from = w.mark;
    p.write({ 'prompts.yaml': '- What is that?\n' });
    expect((await w.built(from)).nodes.filter(n => n.state !== 'cached')).toMatchObject([
      { name: 'answers', state: 'built' },
    ]);
    for (const word of ['one', 'two']) {
      from = w.mark;
      p.write({ 'docs/0001.md': `This is sentence ${word}. And this is the one after it.\n` });
      const summary = await w.built(from);
      expect(summary.ok).toBe(true);
      expect(Object.fromEntries(summary.nodes.map(n => [n.name, n.state]))).toMatchObject({
        chat: 'built',
        adapter: 'skipped',
        answers: 'skipped',
      });
    }
    expect(w.of('left')).toEqual([
      { type: 'watch', state: 'left', nodes: [{ name: 'adapter', because: 'a training' }] },
    ]);
    expect((await w.end()).code).toBe(0);
  });

  test('and was asked for goes on whatever is saved, which is built beside it; then it runs again', async () => {
    const p = made(30);
    const w = new Watching(p, ['adapter']);
    await w.event('the first step', e => e.type === 'progress' && e.node === 'adapter' && e.done > 0);
    const [trainer] = await trainerProcesses(p.folder);
    process.kill(trainer!, 'SIGSTOP');
    const from = w.mark;
    p.write({ 'docs/0001.md': 'This is another sentence. And this is the one after it.\n' });
    const beside = await w.event('the save to be built', e => e.type === 'summary', from);
    expect(beside).toMatchObject({
      ok: true,
      nodes: expect.arrayContaining([expect.objectContaining({ name: 'chat', state: 'built' })]),
    });
    expect(w.of('idle')).toEqual([]);
    process.kill(trainer!, 'SIGCONT');
    await w.event('the training', e => e.type === 'done' && e.node === 'adapter' && e.state === 'built', from);
    const builds = await w.event(
      'it to begin again',
      e => e.type === 'start' && e.node === 'adapter' && (e.build ?? 0) > 3,
      from,
    );
    expect(builds).toMatchObject({ build: 4, why: 'input train changed' });
    expect(w.of('build').map(b => b.why)).toEqual(['first', 'asked', 'changed', 'asked']);
    expect(w.of('superseded')).toEqual([]);
    expect(w.of('left')).toEqual([]);
    // An evaluator that was not named is none of our business.
    expect(w.summaries().flatMap(s => s.nodes.map(n => n.name))).not.toContain('answers');
    expect((await w.end()).code).toBe(130);
  });

  test('by what its last run took is left when all of it would run again, and built when some rows have changed', async () => {
    const p = project({ 'finetune.yaml': GATED, 'gate.ts': GATE, closed: '', ...pages(2) });
    const first = p.startBuild();
    await arrived(p);
    const at = performance.now();
    await until('a run that took long', () => performance.now() - at > 1200);
    p.write({ closed: null });
    expect((await first.built).code).toBe(0);
    const w = await watching(p, ['--slow', '1']);
    const mine = async (from: number) => (await w.built(from)).nodes.find(n => n.name === 'mine')!.state;
    let from = w.mark;
    p.write({ 'gate.ts': `${GATE}// Other code, so that every row is new to it.\n` });
    expect(await mine(from)).toBe('skipped');
    expect(w.of('left')).toEqual([
      {
        type: 'watch',
        state: 'left',
        nodes: [{ name: 'mine', because: expect.stringMatching(/^its last run took \d+ s$/) }],
      },
    ]);
    from = w.mark;
    p.write({ 'gate.ts': GATE });
    expect(await mine(from)).toBe('cached');
    from = w.mark;
    p.edit('docs/0001.md', 'sentence 1 of', 'sentence one of');
    expect(await mine(from)).toBe('built');
  });
});

test('rows that are dear are computed when they are few, and all of them only when that was asked for', async () => {
  const p = project({ 'finetune.yaml': GATED, 'gate.ts': `${GATE}export const dear = true;\n`, ...pages(6) });
  const w = await watching(p);
  const mine = (s: { readonly nodes: readonly { readonly name: string; readonly state: string }[] }) =>
    s.nodes.find(n => n.name === 'mine')!.state;
  expect(mine(w.summaries()[0]!)).toBe('skipped');
  expect(w.of('left')).toMatchObject([{ nodes: [{ name: 'mine', because: 'each of its rows is dear' }] }]);
  expect(p.has('calls.txt')).toBe(false);
  await w.end();
  const named = await watching(p, ['mine']);
  expect(mine(named.summaries().at(-1)!)).toBe('built');
  await named.end();
  const again = await watching(p);
  const from = again.mark;
  p.edit('docs/0001.md', 'sentence 1 of', 'sentence one of');
  expect(mine(await again.built(from))).toBe('built');
});

describe('nothing triggers itself', () => {
  const writing = (content: string) => `
import { appendFileSync, writeFileSync } from 'node:fs';
export const kind = 'rows';
export default (fields: object) => {
  writeFileSync(new URL('docs/gen.md', import.meta.url), ${content});
  appendFileSync(new URL('calls.txt', import.meta.url), 'x');
  return fields;
};
`;
  const recipe = RECIPE.replace('from: docs }', 'from: docs }\n  mine:   { uses: ./mine.ts, from: docs }');

  test('a node that writes what another one reads comes to rest where it writes the same', async () => {
    const p = project({ 'finetune.yaml': recipe, 'mine.ts': writing("'The same sentence each time.'"), ...pages(9) });
    const w = await watching(p);
    expect(w.summaries().length).toBeLessThanOrEqual(3);
    expect(w.summaries().at(-1)!.ok).toBe(true);
    expect(w.of('echo')).toEqual([]);
  });

  test('and where it never does, is slowed down and told', async () => {
    const p = project({
      'finetune.yaml': recipe,
      'mine.ts': writing("'At ' + performance.now() + Date.now()"),
      ...pages(9),
    });
    const w = new Watching(p);
    const echo = await w.state('echo');
    expect(echo).toMatchObject({ changed: ['docs/gen.md'], seconds: 5 });
    expect(w.summaries().length).toBeLessThanOrEqual(5);
    // Somebody's own save is built at once all the same.
    const from = w.mark;
    p.edit('docs/0000.md', 'sentence 1 of', 'sentence one of');
    await w.event(
      'the save',
      e => e.type === 'watch' && e.state === 'build' && e.changed.includes('docs/0000.md'),
      from,
      4,
    );
  });
});
