/** `finetune explain`: from a node to the first causes, with the rows that changed on the way. */
import { describe, expect, test } from 'vitest';
import { expectGolden } from '../rig/golden.ts';
import { type Project, pages, project, RECIPE } from '../rig/project.ts';

const made = async (): Promise<Project> => {
  const p = project({ 'finetune.yaml': RECIPE, ...pages(3) });
  expect((await p.build()).code).toBe(0);
  return p;
};

const explain = async (p: Project, ...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await p.run(['explain', ...args]);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
};

const json = async (p: Project, node: string): Promise<Record<string, unknown>[]> =>
  (await explain(p, node, '--json'))
    .trim()
    .split('\n')
    .map(l => JSON.parse(l));

describe('explain', () => {
  test('follows a change that is not built yet to its first cause', async () => {
    const p = await made();
    p.edit('docs/0001.md', 'sentence 1', 'sentence one');
    expect(await explain(p, 'split')).toBe(
      [
        'split: would be looked at after unique',
        '  because unique: would be looked at after pairs',
        '  because pairs: would be looked at after good',
        '  because good: would be looked at after lines',
        '  because lines: would be looked at after text',
        '  because text: would be looked at after docs',
        '  because docs: would be built:',
        '    docs/0001.md changed',
        'first cause: docs: docs/0001.md changed',
        '',
      ].join('\n'),
    );
  });

  test('of a first result has nothing to compare', async () => {
    expect(await explain(await made(), 'good')).toBe('good: up to date; this is its first result\n');
  });

  test('after a build says why, and which rows came, went and changed', async () => {
    const p = await made();
    p.edit('docs/0001.md', 'sentence 1', 'sentence one');
    p.edit('finetune.yaml', '{ min: 10 }', '{ min: 10, without: sentence 2 }');
    await p.build();
    expectGolden('cli/explain.txt', await explain(p, 'pairs'));
    const steps = await json(p, 'good');
    expect(steps.map(s => [s.node, s.first])).toEqual([
      ['good', true],
      ['lines', false],
      ['text', false],
      ['docs', true],
    ]);
    expect(steps[0]).toMatchObject({
      type: 'explain',
      state: 'cached',
      differences: [{ path: 'options.without', after: 'sentence 2' }, { path: 'inputs.rows' }],
      rows: { rows: { changes: { before: 12, after: 12, added: 1, removed: 1, changed: 0 } } },
    });
    expect(steps[1]).toMatchObject({
      rows: { rows: { changes: { changed: 1, examples: { changed: ['docs/0001.md'] } } } },
    });
  });

  test('finds the results that a node was made from, not the last ones', async () => {
    const p = await made();
    p.edit('docs/0001.md', 'sentence 1', 'sentence one');
    await p.build();
    // Since then the pages have changed twice more, and only the text was built.
    for (const word of ['first', 'second']) {
      p.write({ 'docs/0000.md': `# Page\n\nThis is the ${word} text of this page here.` });
      await p.build(['text']);
    }
    p.write({ 'docs/0000.md': pages(1)['docs/0000.md']! });
    const text = await explain(p, 'lines');
    expect(text).toContain('input rows: 1 row changed (~ docs/0001.md)');
    expect(text).toContain('because docs: its result differs:\n    docs/0001.md changed\n');
  });

  test('names the environment and the code of a stage', async () => {
    const p = project({
      'finetune.yaml': `${RECIPE}  mine: { uses: ./mine.ts, from: good }\n`,
      'mine.ts': "export const kind = 'rows';\nexport default (fields: object) => fields;\n",
      ...pages(1),
    });
    await p.build();
    p.edit('mine.ts', '=> fields', '=> ({ ...fields })');
    expect(await explain(p, 'mine')).toBe('mine: would be built:\n    its code changed\n');
  });

  test('of two inputs of a list says which', async () => {
    const p = project({
      'finetune.yaml': `version: 1
sources:
  a: { uses: files, with: { paths: a.jsonl, key: id } }
  b: { uses: files, with: { paths: b.jsonl, key: id } }
transforms:
  both: { uses: mix, from: [a, b] }
`,
      'a.jsonl': '{"id":"x","n":1}\n',
      'b.jsonl': '{"id":"y","n":1}\n',
    });
    const built = await p.build();
    expect(built.code).toBe(0);
    p.write({ 'b.jsonl': '{"id":"y","n":2}\n{"id":"z","n":1}\n' });
    await p.build();
    const text = await explain(p, 'both');
    expect(text).toMatch(/input \w+ b: 1 row added, 1 changed \(~ y, \+ z\)/);
    expect(text).not.toContain('because a');
  });

  test('of a node with a matrix explains its variants', async () => {
    const p = project({
      'finetune.yaml': RECIPE.replace('{ min: 10 } }', '{ min: "${matrix.min}" }, matrix: { min: [10, 12] } }'),
      ...pages(2),
    });
    expect((await p.build(['good'])).code).toBe(0);
    expect(await explain(p, 'good')).toBe(
      'good@min=10: up to date; this is its first result\n\ngood@min=12: up to date; this is its first result\n',
    );
    expect(await explain(p, 'good@min=12')).toBe('good@min=12: up to date; this is its first result\n');
    p.edit('finetune.yaml', '[10, 12]', '[10, 12, 14]');
    expect((await p.build(['good'])).code).toBe(0);
    const { stdout } = await p.run(['diff', 'previous', 'last', 'good']);
    expect(stdout).toContain('recipe\n  good@min=14  new node\n');
  });
});
