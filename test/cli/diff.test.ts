/** `finetune diff`: builds, git revisions and the recipe as it stands, beside each other. */
import { cpSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { expectGolden } from '../rig/golden.ts';
import { type Project, pages, project, RECIPE } from '../rig/project.ts';
import { commitAll, git } from '../rig/repository.ts';
import { training } from '../rig/training.ts';

const diff = async (p: Project, ...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await p.run(['diff', ...args]);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
};

const refused = async (p: Project, ...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await p.run(['diff', ...args]);
  expect([code, stdout]).toEqual([2, '']);
  return stderr;
};

const json = async (p: Project, ...args: string[]) => {
  const lines = (await diff(p, ...args, '--json'))
    .trim()
    .split('\n')
    .map(l => JSON.parse(l) as Record<string, unknown>);
  return { sides: lines[0]!, nodes: Object.fromEntries(lines.slice(1).map(l => [l.node, l])) };
};

/** Builds are of now. */
const timeless = (text: string): string => text.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, 'DAY TIME');

const edited = async (): Promise<Project> => {
  const p = project({ 'finetune.yaml': RECIPE, ...pages(3) });
  await p.build();
  p.edit('docs/0001.md', 'sentence 1', 'sentence one');
  p.write({ 'docs/0003.md': '# New\n\nThis page has been added since. It says a thing or two.\n' });
  p.edit('finetune.yaml', '{ min: 10 }', '{ min: 10, without: sentence 2 }');
  await p.build();
  return p;
};

describe('two builds', () => {
  test('differ in recipe and rows, with examples', async () => {
    const p = await edited();
    const text = await diff(p);
    expectGolden('cli/diff-builds.txt', timeless(text));
    expect(text).toMatch(/^build 1, \d{4}-\d\d-\d\d \d\d:\d\d -> build 2, /);
    expect(await diff(p, 'previous', 'last')).toBe(text);
    expect(await diff(p, '1', '2')).toBe(text);
    expect(await diff(p, 'last~1', 'last')).toBe(text);
    // The recipe as it stands is what was built last.
    expect((await diff(p, 'previous', 'now')).split('\n\n').slice(1)).toEqual(
      text.trimEnd().split('\n\n').slice(1).with(-1, expect.any(String)),
    );
    expect(await diff(p, 'last', 'now')).toMatch(/^build 2, .* -> now\n\nno difference\n$/);
  });

  test('for programs', async () => {
    const p = await edited();
    const { sides, nodes } = await json(p);
    expect(sides).toMatchObject({ type: 'sides', before: { name: 'build 1' }, after: { name: 'build 2' } });
    expect(Object.keys(nodes)).toEqual(['docs', 'text', 'lines', 'good', 'pairs', 'unique', 'split']);
    expect(nodes.docs).toMatchObject({
      type: 'diff',
      state: 'changed',
      recipe: [{ path: 'files.paths.docs/0001.md' }, { path: 'files.paths.docs/0003.md' }],
      rows: { rows: { before: 3, after: 4, added: 1, removed: 0, changed: 1 } },
      lacks: { before: null, after: null },
    });
    expect(nodes.good).toMatchObject({ recipe: [{ path: 'options.without', after: 'sentence 2' }] });
  });

  test('of one node only, with as many examples as are asked for', async () => {
    const p = await edited();
    const text = await diff(p, 'previous', 'last', 'lines', '--rows', '1');
    expectGolden('cli/diff-node.txt', timeless(text));
    expect(await refused(p, 'previous', 'last', 'line')).toContain(
      'neither side has a node "line"; did you mean "lines"?',
    );
  });

  test('tell a new name, a new node, one that is gone, and another input', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(2) });
    await p.build();
    p.write({
      'finetune.yaml': RECIPE.replace(/\bunique\b/g, 'sole')
        .replace('from: sole,', 'from: pairs,')
        .replace(/ {2}split: .*\n/, '  few: { uses: filter, from: sole, with: { field: instruction, min: 1 } }\n'),
    });
    p.edit('finetune.yaml', '{ uses: sentence-pairs, from: good,', '{ uses: sentence-pairs, from: lines,');
    await p.build();
    const text = await diff(p);
    expect(text).toContain('  pairs   from rows: good.rows -> lines.rows\n');
    expect(text).toContain('  few     new node\n');
    expect(text).toContain('  split   node removed\n');
    p.write({ 'finetune.yaml': p.read('finetune.yaml').replace(/\bsole\b/g, 'single') });
    await p.build();
    expect(timeless(await diff(p))).toBe(
      'build 2, DAY TIME -> build 3, DAY TIME\n\nrecipe\n  single  was called sole\n  few     from rows: sole.rows -> single.rows\n',
    );
  });

  test('of a build with --set say so', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(2) });
    await p.build();
    await p.build(['--set', 'transforms.good.with.min=20']);
    expect(await diff(p)).toMatch(/-> build 2 \(--set transforms\.good\.with\.min=20\), /);
  });

  test('remember a build by the keys of its results', async () => {
    const p = await edited();
    const { nodes } = await p.build();
    const before = (await json(p)).sides;
    expect(before).toBeDefined();
    expect(await diff(p, nodes.good!.key!.slice(0, 12), 'previous')).toMatch(/^good \w{12}, .* -> build 1, /);
  });

  test('with a tag are found by it', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(2) });
    await p.build();
    expect((await p.run(['cache', 'tag', 'first'])).code).toBe(0);
    p.edit('finetune.yaml', '{ min: 10 }', '{ min: 20 }');
    await p.build();
    expect(timeless(await diff(p, 'first', 'last'))).toBe(
      timeless(await diff(p)).replace('build 1, DAY TIME', 'tag first, DAY TIME'),
    );
  });

  test('that are not there are refused with those that are', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(2) });
    expect(await refused(p)).toContain('this recipe has not been built here');
    await p.build();
    expect(await refused(p)).toContain('there is no previous build: this store remembers one of this recipe');
    expect(await refused(p, 'main', 'now')).toContain(
      '"main" is neither a build of this recipe, nor a tag or a key of the store',
    );
    commitAll(p, 'first');
    expect(await refused(p, 'trunk', 'now')).toContain('nor a revision that git knows');
    expect(await refused(p, '--', '--all', 'now')).toContain('"--all" is neither');
  });

  test('whose results are gone say so', async () => {
    const p = await edited();
    // The packs are lost, the records are there.
    for (const pack of p.files('.finetune/packs')) p.write({ [pack]: '' });
    const text = await diff(p);
    expect(text).toContain('results that cannot be compared\n  docs    docs: no longer whole in the store\n');
    expect(text).toContain('option without: not set -> "sentence 2"');
  });
});

describe('git revisions', () => {
  test('are compared by what their recipe and files say, with the results that the store has', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(3) });
    commitAll(p, 'first');
    await p.build();
    p.edit('docs/0001.md', 'sentence 1', 'sentence one');
    p.edit('finetune.yaml', '{ min: 10 }', '{ min: 20 }');
    await p.build();
    commitAll(p, 'second');
    git(p, 'tag', 'v2');
    const text = await diff(p, 'HEAD~1', 'v2');
    expectGolden('cli/diff-revisions.txt', text.replaceAll(/\([0-9a-f]{7}\)/g, '(COMMIT)'));
    // Against what stands in the work tree.
    expect((await diff(p, 'HEAD')).replaceAll(/\([0-9a-f]{7}\)/g, '')).toBe(
      'HEAD , 2026-01-02 03:04 -> now\n\nno difference\n',
    );
    p.edit('finetune.yaml', '{ min: 20 }', '{ min: 30 }');
    const now = await json(p, 'main');
    expect(now.nodes.good).toMatchObject({
      recipe: [{ before: 20, after: 30 }],
      lacks: { before: null, after: 'not built' },
    });
    expect(git(p, 'status', '--porcelain')).toBe(' M finetune.yaml\n');
    expect(git(p, 'worktree', 'list').trim().split('\n').length).toBe(1);
  });

  test('with code of the user, files elsewhere and files that git ignores', async () => {
    const recipe = `version: 1
sources:
  docs: { uses: files, with: { paths: "docs/**/*.md" } }
  data: { uses: files, with: { paths: "data/**/*.jsonl", key: id } }
  far:  { uses: files, with: { paths: "../far/*.md" } }
transforms:
  mine: { uses: ./mine.ts, from: docs }
  few:  { uses: filter, from: data, with: { min: 1 } }
`;
    const p = project({
      'in/recipe/finetune.yaml': recipe,
      'in/recipe/.gitignore': 'data/\n',
      'in/recipe/docs/a.md': '# A\n\nSome text.\n',
      'in/recipe/data/deep/b.jsonl': '{"id":"b1","text":"one"}\n',
      'in/far/c.md': '# C\n\nSome more.\n',
      'in/recipe/mine.ts':
        "import { upper } from './upper.ts';\nexport const kind = 'rows';\nexport default (fields: { text: string }) => ({ ...fields, text: upper(fields.text) });\n",
      'in/recipe/upper.ts': 'export const upper = (text: string) => text.toUpperCase();\n',
    });
    const at = { cwd: p.path('in/recipe') };
    git(p, 'init', '-q', '-b', 'main', 'in/recipe');
    const inRepo = (...args: string[]) => git(p, '-C', 'in/recipe', ...args);
    p.write({ 'in/recipe/.gitignore': 'data/\n.finetune/\n' });
    expect((await p.build([], at)).code).toBe(0);
    inRepo('add', '-A');
    inRepo('commit', '-q', '-m', 'first');
    p.edit('in/recipe/upper.ts', 'toUpperCase', 'toLowerCase');
    p.write({ 'in/recipe/docs/a.md': null, 'in/recipe/docs/z.md': '# Z\n\nOther text.\n' });
    expect((await p.build([], at)).code).toBe(0);
    const { code, stdout } = await p.run(['diff', 'HEAD', '--json'], at);
    expect(code).toBe(0);
    const nodes = Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .slice(1)
        .map(l => JSON.parse(l))
        .map(l => [l.node, l]),
    );
    // Data that git does not hold is that of today, and so the same.
    expect(Object.keys(nodes)).toEqual(['docs', 'mine']);
    expect(nodes.docs).toMatchObject({
      lacks: { before: null, after: null },
      rows: { rows: { added: 1, removed: 1 } },
    });
    expect(nodes.mine).toMatchObject({ lacks: { before: null, after: null }, recipe: [{ path: 'version' }] });
    // But not where the lock file says that it was other data then.
    inRepo('add', '-A');
    inRepo('commit', '-q', '-m', 'second');
    p.write({ 'in/recipe/data/deep/b.jsonl': '{"id":"b1","text":"two"}\n' });
    const later = await p.run(['diff', 'HEAD'], at);
    expect(later.stdout).toMatch(
      /data {2}HEAD \(\w{7}\): files that are not in git have changed since; now: not built\n/,
    );
  });

  test('know a training by the lock file of then, when its rows are gone', async () => {
    const p = training();
    commitAll(p, 'first');
    await p.build();
    commitAll(p, 'lock');
    p.edit('finetune.yaml', '{ r: 1', '{ r: 2');
    await p.build();
    const text = await diff(p, 'HEAD');
    expect(text).toContain('  adapter  option r: 1 -> 2\n');
    expect(text).toMatch(/adapter +adapter +another\n/);
    expect(text).toMatch(/loss +tuned\.loss +\d+\.\d+ +\d+\.\d+ +[+-]?\d+\.\d %\n/);
    // Another version of the data, whose rows of then nobody has any more.
    p.write({ 'model/config.json': `${p.read('model/config.json')}\n` });
    const { nodes } = await json(p, 'HEAD');
    expect(nodes.adapter).toMatchObject({ lacks: { before: null, after: 'not built' } });
    expect(nodes.chat).toMatchObject({ lacks: { before: 'files that are not in git have changed since' } });
    cpSync(new URL('../../pipelines/models/tiny-chat/config.json', import.meta.url), p.path('model/config.json'));
  });

  test('whose recipe has mistakes, or is not there, are refused at their place', async () => {
    const p = project({ 'finetune.yaml': RECIPE.replace('min: 10', 'min: ten'), ...pages(1) });
    commitAll(p, 'broken');
    p.write({ 'finetune.yaml': RECIPE });
    expect(await refused(p, 'HEAD')).toContain('HEAD:finetune.yaml:7:53  wrong-type: min must be');
    git(p, 'rm', '-q', '--cached', 'finetune.yaml');
    git(p, 'commit', '-q', '-m', 'without');
    expect(await refused(p, 'HEAD')).toContain('recipe-missing: there is no finetune.yaml at HEAD');
  });
});
