/** The small commands: show, graph, cache and init. */
import { describe, expect, test } from 'vitest';
import { loadRecipe } from '../../src/load/recipe.ts';
import { expectGolden } from '../rig/golden.ts';
import { type Project, pages, project, RECIPE } from '../rig/project.ts';

const lines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split('\n')
    .map(l => JSON.parse(l));
const json = async (p: Project, ...args: string[]): Promise<Record<string, unknown>[]> => {
  const { code, stdout, stderr } = await p.run([...args, '--json']);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return lines(stdout);
};
const made = async () => {
  const p = project({ 'finetune.yaml': RECIPE, ...pages(3) });
  expect((await p.buildHere()).ok).toBe(true);
  return p;
};

describe('show', () => {
  test('prints rows for people and for programs', async () => {
    const p = await made();
    const { stdout } = await p.run(['show', 'lines', '--rows', '2']);
    expect(stdout).toContain('  text: This is sentence 0 of the page with number 0.\n');
    expect(stdout).toMatch(/2 of 12 rows of lines\n$/);
    const rows = await json(p, 'show', 'good.dropped', '--rows', '100');
    expect(rows.length).toBe(3);
    const { stdout: dropped } = await p.run(['show', 'good.dropped', '--rows', '1']);
    expect(dropped).toMatch(/^\S+\n {2}reason: shorter than 10 characters \(6\)\n {2}row: \{"text":"Page 0"\}\n/);
    expect(rows[0]).toMatchObject({
      parent: 'docs/0000.md',
      reason: 'shorter than 10 characters (6)',
      row: { text: 'Page 0' },
    });
  });

  test('of a split asks for the side', async () => {
    const p = await made();
    const { code, stderr } = await p.run(['show', 'split']);
    expect(code).toBe(2);
    expect(stderr).toContain('split has several outputs: say which, split.eval or split.train');
    expect((await p.run(['show', 'split.constructor'])).code).toBe(2);
  });

  test('hides what a terminal would obey', async () => {
    const p = project({
      'finetune.yaml': RECIPE,
      'docs/a.md': 'An \u001b[31mescape\u0007 that is long enough. And another sentence here.',
    });
    await p.buildHere({ names: ['docs'] });
    expect((await p.run(['show', 'docs'])).stdout).not.toMatch(/[\u0007\u001b]/);
  });

  test('a reader that goes away ends it in silence', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(200, 20) });
    await p.buildHere({ names: ['lines'] });
    const running = p.start(['show', 'lines', '--rows', '4000', '--json']);
    running.process.stdout!.destroy();
    const { stderr } = await running.done;
    expect(stderr).toBe('');
  });
});

describe('graph', () => {
  const recipe = `${RECIPE}  more: { uses: sentence-pairs, from: split.train }\n  rest: { uses: dedup, from: good.dropped }\n`;
  for (const format of ['text', 'mermaid', 'dot']) {
    test(`as ${format}`, async () => {
      const p = project({ 'finetune.yaml': recipe });
      const { code, stdout } = await p.run(['graph', '--format', format]);
      expect(code).toBe(0);
      expectGolden(`cli/graph-${format}.txt`, stdout);
    });
  }

  test('as JSON lines', async () => {
    const p = project({ 'finetune.yaml': recipe });
    const nodes = await json(p, 'graph');
    expect(nodes.map(n => n.name)).toEqual([
      'docs',
      'text',
      'lines',
      'good',
      'pairs',
      'unique',
      'split',
      'more',
      'rest',
    ]);
    expect(nodes[3]).toMatchObject({
      type: 'node',
      section: 'transforms',
      uses: 'filter',
      options: { min: 10, field: 'text' },
      outputs: { rows: 'rows', rejects: 'rows', dropped: 'rows' },
    });
  });
});

describe('cache', () => {
  test('size counts what is there', async () => {
    const p = await made();
    const [size] = await json(p, 'cache', 'size');
    expect(size).toMatchObject({ type: 'size', folder: p.path('.finetune') });
    expect(size!.bytes).toBe(Object.values(size!.parts as Record<string, number>).reduce((a, b) => a + b, 0));
    expect((await p.run(['cache', 'size'])).stdout).toMatch(/^part +size +what\npacks +\S+ KB +rows and small files\n/);
  });

  test('works where there is no recipe', async () => {
    expect((await project({}).run(['cache', 'size'])).code).toBe(0);
    expect((await project({}).run(['cache', 'verify'])).stdout).toBe('0 blobs, 0.0 KB: all sound\n');
  });
});

describe('init', () => {
  test('writes a recipe that loads, whose rows build', async () => {
    const p = project({});
    const { code, stdout } = await p.run(['init']);
    expect(code).toBe(0);
    expect(stdout).toBe(
      'wrote finetune.yaml, docs/example.md, prompts.yaml, .gitignore\nnext: put your own pages into docs/, then\n  npx finetune build\n',
    );
    const graph = await loadRecipe({ path: p.path('finetune.yaml'), project: p.folder });
    expect(graph.nodes.length).toBeGreaterThan(8);
    const here = await p.buildHere({ names: ['chat', 'held'] });
    expect(here.ok).toBe(true);
    expect(here.nodes.chat!.rows).toBeGreaterThan(5);
    expect(here.nodes.held!.rows).toBeGreaterThan(0);
    // What carries loss stands in brackets.
    const { stdout: shown } = await p.run(['show', 'chat', '--rows', '1']);
    expect(shown).toMatch(/^ {2}\d+ tokens, \d+ trained\n {2}text:\n {4}<\|start\|>system/m);
    expect(shown).toMatch(/<\|channel\|>final<\|message\|>⟦[^⟦]+<\|return\|>⟧\n/);
  });

  test('into a folder of its own, and never over what is there', async () => {
    const p = project({});
    expect((await p.run(['init', 'new/one'])).stdout).toContain('cd new/one && npx finetune build');
    const before = p.read('new/one/finetune.yaml');
    p.write({ 'new/one/docs/example.md': 'mine' });
    const { code, stderr } = await p.run(['init', 'new/one']);
    expect(code).toBe(2);
    expect(stderr).toContain('new/one/finetune.yaml is already there; nothing was written');
    expect(p.read('new/one/finetune.yaml')).toBe(before);
    expect(p.read('new/one/docs/example.md')).toBe('mine');
  });
});
