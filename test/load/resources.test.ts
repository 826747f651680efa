/** What a node asks of the machine, from the recipe and from its stage. */
import { expect, test } from 'vitest';
import { loadRecipe } from '../../src/load/recipe.ts';
import { bytesOf, readResources } from '../../src/load/resources.ts';
import { project } from '../rig/project.ts';

const context = { of: 'node', at: [], place: () => ({ path: 'finetune.yaml' }), fail: () => {} };
const place = { path: 'finetune.yaml' };

test('sizes have decimal and binary units', () => {
  expect(['8GB', '512 MiB', '1.5KB', '7B', '2TiB'].map(bytesOf)).toEqual([8e9, 512 * 2 ** 20, 1500, 7, 2 * 2 ** 40]);
});

test("the node's own words replace its stage's, each by itself", () => {
  const stage = { gpu: 1, memory: '8GB' };
  expect(readResources(null, stage, context)).toEqual({ gpu: 1, memory: 8e9, place });
  expect(readResources({ gpu: 2, cpu: 'all' }, stage, context)).toEqual({ gpu: 2, cpu: 'all', memory: 8e9, place });
  expect(readResources(null, undefined, context)).toBeNull();
});

test('may come from vars and from the matrix', async () => {
  const p = project({
    'finetune.yaml': `version: 1
vars: { memory: 4GB }
sources:
  docs: { uses: files, with: { paths: "*.md" } }
transforms:
  good: { uses: dedup, from: docs, matrix: { gpus: [1, 2] }, resources: { gpu: "\${matrix.gpus}", memory: "\${vars.memory}" } }
`,
  });
  const graph = await loadRecipe({ path: p.path('finetune.yaml'), project: p.folder });
  expect(graph.nodes.slice(1).map(n => n.resources)).toMatchObject([
    { gpu: 1, memory: 4e9, place: { line: 6 } },
    { gpu: 2, memory: 4e9 },
  ]);
});
