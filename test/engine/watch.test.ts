/** `watch` builds what a save changes, whatever the editor does to save it, and nothing else. */
import { renameSync, utimesSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { pages, project, RECIPE } from '../rig/project.ts';
import { watching } from '../rig/watching.ts';

const states = (nodes: readonly { name: string; state: string }[]) =>
  Object.fromEntries(nodes.map(n => [n.name, n.state]));
const BUILT = { docs: 'built', text: 'built', lines: 'built', good: 'built', pairs: 'built', unique: 'built' };

/** The state is that of a build in a project of its own that has the same files. */
const cleanDigests = async (files: Readonly<Record<string, string>>) => (await project(files).buildHere()).digests;

describe('a save', () => {
  test('is built; one that changes nothing is not', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(4) });
    const w = await watching(p);
    expect(w.events[0]).toEqual({ type: 'watch', state: 'watching', recipe: 'finetune.yaml', nodes: 7, files: 5 });
    expect(w.of('build')).toEqual([
      { type: 'watch', state: 'build', build: 1, why: 'first', changed: [], more: 0, asked: [] },
    ]);
    expect(states(w.summaries()[0]!.nodes)).toEqual({ ...BUILT, split: 'built' });

    let from = w.mark;
    p.edit('docs/0001.md', 'sentence 1 of', 'sentence one of');
    const second = await w.built(from);
    expect(second).toMatchObject({ ok: true, build: 2 });
    expect(states(second.nodes)).toMatchObject(BUILT);
    expect(w.of('build', from)).toMatchObject([{ why: 'changed', changed: ['docs/0001.md'] }]);

    from = w.mark;
    p.write({ 'docs/0001.md': p.read('docs/0001.md') });
    expect(await w.state('unchanged', from)).toMatchObject({ changed: ['docs/0001.md'], more: 0 });
    utimesSync(p.path('docs/0002.md'), new Date(), new Date());
    await w.event(
      'the touch',
      e => e.type === 'watch' && e.state === 'unchanged' && e.changed[0] === 'docs/0002.md',
      from,
    );
    // Neither does a comment, though every place in the recipe moves.
    p.write({ 'finetune.yaml': `# a comment\n${RECIPE}` });
    await w.event(
      'the comment',
      e => e.type === 'watch' && e.state === 'unchanged' && e.changed[0] === 'finetune.yaml',
      from,
    );
    // A file that no pattern names is not even looked at.
    p.write({ 'docs/notes.txt': 'mine', 'other.md': 'mine' });
    utimesSync(p.path('docs/0003.md'), new Date(), new Date());
    await w.event(
      'the touch',
      e => e.type === 'watch' && e.state === 'unchanged' && e.changed[0] === 'docs/0003.md',
      from,
    );
    expect(w.of('unchanged', from).flatMap(e => e.changed)).not.toContain('docs/notes.txt');
    expect(w.of('build', from)).toEqual([]);
  });

  test('by way of another file that takes its place, as editors do it, is built each time', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(2) });
    const w = await watching(p);
    for (let i = 0; i < 3; i++) {
      const from = w.mark;
      p.write({ 'docs/.0001.md.swp': p.read('docs/0001.md').replace(/sentence \w+ of/, `sentence ${'abc'[i]} of`) });
      renameSync(p.path('docs/.0001.md.swp'), p.path('docs/0001.md'));
      expect((await w.built(from)).ok).toBe(true);
      expect(w.of('build', from)).toMatchObject([{ changed: ['docs/0001.md'], more: 0 }]);
    }
    // And so is one by way of a backup that is moved away first.
    const from = w.mark;
    renameSync(p.path('finetune.yaml'), p.path('finetune.yaml~'));
    p.write({ 'finetune.yaml': RECIPE.replace('min: 10', 'min: 11') });
    expect((await w.built(from)).ok).toBe(true);
    expect(states(w.summaries(from).at(-1)!.nodes)).toMatchObject({ lines: 'cached', good: 'built' });
  });

  test('of new files, removed ones and renamed ones is built', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(8) });
    const w = await watching(p);
    const steps = [
      { 'docs/deep/er/new.md': 'A page in a folder that was not there. It has two sentences.\n' },
      { 'docs/0000.md': null },
      { 'docs/deep': null },
    ];
    for (const step of steps) {
      const from = w.mark;
      p.write(step);
      await w.built(from);
    }
    const from = w.mark;
    renameSync(p.path('docs/0001.md'), p.path('docs/renamed.md'));
    await w.built(from);
    const now = Object.fromEntries(p.files('docs').map(name => [name, p.read(name)]));
    expect(Object.keys(now)).toHaveLength(7);
    expect(w.digests()).toEqual(await cleanDigests({ 'finetune.yaml': RECIPE, ...now }));
  });

  test('is built where the system tells of no changes, and files are looked at again and again', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(2) });
    const w = await watching(p, [], { env: { CHOKIDAR_USEPOLLING: '1', CHOKIDAR_INTERVAL: '50' } });
    for (const name of ['docs/0001.md', 'docs/new/page.md']) {
      const from = w.mark;
      p.write({ [name]: 'A page that is new. It has two sentences.\n' });
      expect((await w.built(from)).ok).toBe(true);
      expect(w.of('build', from)).toMatchObject([{ changed: [name] }]);
    }
  });

  test('that is undone builds nothing anew', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(2) });
    const w = await watching(p);
    const before = w.digests();
    p.edit('docs/0001.md', 'sentence 1 of', 'sentence one of');
    await w.built(w.mark);
    const from = w.mark;
    p.edit('docs/0001.md', 'sentence one of', 'sentence 1 of');
    const back = await w.built(from);
    expect(back.nodes.filter(n => n.state !== 'cached')).toEqual([]);
    expect(w.digests()).toEqual(before);
  });
});

describe('a recipe', () => {
  test('that is broken for a while is told once, and built when it is mended', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(2) });
    const w = await watching(p);
    let from = w.mark;
    p.write({ 'finetune.yaml': RECIPE.replace('uses: dedup', 'uses: dedupe') });
    expect(await w.built(from)).toMatchObject({ ok: false, nodes: [] });
    expect(w.events.slice(from).find(e => e.type === 'mistakes')).toMatchObject({
      failures: [{ reason: 'unknown-stage', place: { path: 'finetune.yaml' } }],
    });
    expect(w.of('idle', from)).toEqual([{ type: 'watch', state: 'idle', ok: false }]);
    // Another mistake is told; a page that is saved meanwhile waits.
    from = w.mark;
    p.write({ 'finetune.yaml': 'version: 1\nsources: [' });
    p.edit('docs/0001.md', 'sentence 1 of', 'sentence one of');
    await w.mistake('yaml-syntax', from);
    from = w.mark;
    p.write({ 'finetune.yaml': RECIPE });
    const mended = await w.built(from);
    expect(mended.ok).toBe(true);
    expect(states(mended.nodes)).toMatchObject(BUILT);
    expect(w.of('build', from)).toMatchObject([{ changed: ['docs/0001.md'] }]);
  });

  test('that is wrong from the beginning is waited for', async () => {
    const p = project({
      'finetune.yaml': RECIPE.replace('uses: dedup', 'uses: ./mine.ts'),
      ...pages(2),
    });
    const w = await watching(p);
    expect(w.events[0]).toMatchObject({ type: 'mistakes', failures: [{ reason: 'file-missing' }] });
    let from = w.mark;
    p.write({ 'mine.ts': "import { f } from './lib.ts';\nexport default (fields: object) => f(fields);\n" });
    await w.mistake('file-missing', from);
    from = w.mark;
    p.write({ 'lib.ts': 'export const f = <T>(x: T): T => x;\n' });
    expect((await w.built(from)).ok).toBe(true);
  });

  test('that is not there, or a node that it does not have, is a mistake of the command line', async () => {
    const p = project({});
    const missing = await p.run(['watch']);
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toContain('recipe-missing');
    p.write({ 'finetune.yaml': RECIPE, ...pages(1) });
    const unknown = await p.run(['watch', '--json', 'pair']);
    expect(unknown.code).toBe(2);
    expect(unknown.stdout).toContain('did you mean \\"pairs\\"');
  });

  test('and folders that go away are waited for', async () => {
    const files = { 'finetune.yaml': RECIPE, ...pages(3) };
    const p = project(files);
    const w = await watching(p);
    const wanted = w.digests();
    let from = w.mark;
    p.write({ 'finetune.yaml': null });
    await w.mistake('recipe-missing', from);
    from = w.mark;
    p.write({ docs: null, 'finetune.yaml': RECIPE });
    expect(await w.built(from)).toMatchObject({ ok: false });
    from = w.mark;
    p.write(files);
    await w.event('the pages again', e => e.type === 'summary' && e.ok, from);
    await w.idle(from);
    expect(w.digests()).toEqual(wanted);
    // The new folder is watched as the old one was.
    from = w.mark;
    p.edit('docs/0002.md', 'sentence 1 of', 'sentence one of');
    expect((await w.built(from)).ok).toBe(true);
    // Even when the whole project is moved away and comes back.
    from = w.mark;
    renameSync(p.folder, `${p.folder}-away`);
    renameSync(`${p.folder}-away`, p.folder);
    p.edit('docs/0002.md', 'sentence one of', 'sentence 1 of');
    await w.event('the page', e => e.type === 'summary' && e.ok, from);
    await w.idle(from);
    expect(w.digests()).toEqual(wanted);
  });

  test('that reads more than before has it watched', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(2), 'more/x.md': 'More of it. And yet more of it.\n' });
    const w = await watching(p);
    let from = w.mark;
    p.edit('finetune.yaml', '"docs/**/*.md"', '["docs/**/*.md", "more/*.md"]');
    expect((await w.built(from)).ok).toBe(true);
    from = w.mark;
    p.write({ 'more/x.md': 'Something else. And something else again.\n' });
    await w.built(from);
    expect(w.of('build', from)).toMatchObject([{ changed: ['more/x.md'] }]);
    // And what it no longer reads is of no interest.
    from = w.mark;
    p.edit('finetune.yaml', '["docs/**/*.md", "more/*.md"]', '"docs/**/*.md"');
    await w.built(from);
    from = w.mark;
    p.write({ 'more/x.md': 'Nobody reads this.\n' });
    p.edit('docs/0001.md', 'sentence 1 of', 'sentence one of');
    await w.built(from);
    expect(w.of('build', from)).toMatchObject([{ changed: ['docs/0001.md'] }]);
  });
});

describe("a user's own stage", () => {
  const mine = (word: string) => `import { loud } from './lib/loud.ts';
export const kind = 'rows';
export default (fields: { text: string }) => ({ text: \`${word} \${loud(fields.text)}\` });
`;
  const recipe = RECIPE.replace('from: docs }', 'from: docs }\n  mine:   { uses: ./mine.ts, from: text }');

  test('is watched with what it imports, and runs as it is now', async () => {
    const loud = 'export const loud = (text: string): string => text.toUpperCase();\n';
    const p = project({ 'finetune.yaml': recipe, 'mine.ts': mine('ONE'), 'lib/loud.ts': loud, ...pages(1) });
    const w = await watching(p);
    const text = async () => (await p.rows('mine'))[0]!.fields.text;
    expect(await text()).toMatch(/^ONE PAGE 0/);
    let from = w.mark;
    p.write({ 'lib/loud.ts': loud.replace('toUpperCase', 'toLowerCase') });
    expect(states((await w.built(from)).nodes)).toMatchObject({ text: 'cached', mine: 'built' });
    expect(await text()).toMatch(/^ONE page 0/);
    from = w.mark;
    p.write({ 'mine.ts': mine('TWO') });
    await w.built(from);
    expect(await text()).toMatch(/^TWO page 0/);
    // Broken code is a mistake, and what it was before is known when it comes back.
    from = w.mark;
    p.write({ 'lib/loud.ts': 'export const loud = (' });
    await w.mistake('user-stage', from);
    from = w.mark;
    p.write({ 'lib/loud.ts': loud });
    await w.built(from);
    expect(await text()).toMatch(/^TWO PAGE 0/);
  });
});

describe('it ends', () => {
  test('with 0 when all is at rest', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(1) });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const w = await watching(p);
      expect(await w.end(signal)).toMatchObject({ code: 0, stderr: '' });
    }
  });

  test('when nobody reads its output any more', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(1) });
    const w = await watching(p);
    w.running.process.stdout!.destroy();
    p.edit('docs/0000.md', 'sentence 1 of', 'sentence one of');
    expect((await w.running.done).code).toBe(130);
  });
});
