/** The graph that is kept between builds is only ever a shortcut to the one that loading would give. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadRecipe } from '../../src/load/recipe.ts';
import { loadGraphFrom } from '../../src/load/remembered.ts';
import { project } from '../rig/project.ts';

const RECIPE = `version: 1
vars: { n: 3 }
sources:
  docs: { uses: files, with: { paths: "docs/*.md" } }
transforms:
  mine:  { uses: ./mine.ts, from: docs }
  split: { uses: split, from: mine, with: { train: 0.5, eval: 0.5, by: row } }
profiles:
  b: { set: { transforms.split.with.seed: "\${vars.n}" } }
`;

const made = () => {
  const p = project({
    'finetune.yaml': RECIPE,
    'mine.ts':
      "import { f } from 'some-package';\nimport './lib.ts';\nexport const kind = 'rows';\nexport default f;\n",
    'lib.ts': '',
    'node_modules/some-package/package.json':
      '{ "name": "some-package", "version": "1.0.0", "type": "module", "main": "index.js" }',
    'node_modules/some-package/index.js': 'export const f = x => x;\n',
  });
  const options = { path: p.path('finetune.yaml'), project: p.folder };
  const kept = (more: object = {}) => loadGraphFrom(p.path('.finetune/graphs'), { ...options, ...more });
  const code = async () => {
    const { version, environment } = (await kept()).nodes.find(n => n.name === 'mine')!;
    return JSON.stringify([version, environment]);
  };
  return { p, options, kept, code };
};

test('is the same graph, in the same order', async () => {
  const { options, kept } = made();
  for (const more of [{}, { profiles: ['b'] }, { set: ['transforms.split.with.seed=9'] }]) {
    const loaded = JSON.stringify(await loadRecipe({ ...options, ...more }));
    expect(JSON.stringify(await kept(more))).toBe(loaded);
    expect(JSON.stringify(await kept(more))).toBe(loaded);
  }
});

test('is dropped when the recipe changes, and found again when it changes back', async () => {
  const { p, kept } = made();
  await kept();
  p.edit('finetune.yaml', 'n: 3', 'n: 4');
  expect((await kept({ profiles: ['b'] })).nodes.at(-1)!.options.seed).toBe(4);
  p.edit('finetune.yaml', 'n: 4', 'n: 3');
  expect((await kept({ profiles: ['b'] })).nodes.at(-1)!.options.seed).toBe(3);
});

test("is dropped when the user's code, what it imports, or a package's version changes", async () => {
  const { p, code } = made();
  const seen = [await code()];
  p.write({ 'lib.ts': 'export {};\n' });
  seen.push(await code());
  p.edit('node_modules/some-package/package.json', '1.0.0', '1.0.1');
  seen.push(await code());
  p.write({ 'mine.ts': `${p.read('mine.ts')}// changed\n` });
  seen.push(await code());
  expect(new Set(seen).size).toBe(4);
  p.write({ 'lib.ts': null });
  await expect(code()).rejects.toThrow('which is not there');
});

test('is not believed when it was changed by a character', async () => {
  const { p, kept } = made();
  await kept();
  for (const name of readdirSync(p.path('.finetune/graphs'))) {
    const path = p.path(`.finetune/graphs/${name}`);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('docs/*.md', 'docs/*.mf'));
  }
  expect((await kept()).nodes[0]!.files[0]!.values).toEqual(['docs/*.md']);
});
