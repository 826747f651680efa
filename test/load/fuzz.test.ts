/** Whatever a recipe holds, loading it gives a graph or messages: never a crash. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FailureError } from '../../src/failure.ts';
import { loadRecipe } from '../../src/load/recipe.ts';
import { parseYaml } from '../../src/load/yaml.ts';
import { renderFailures } from '../../src/views/failures.ts';
import { often, within } from '../rig/effort.ts';
import { project } from '../rig/project.ts';

const VALID = `version: 1
name: handbook
vars: { seed: 3407, min: 20 }
sources:
  docs:  { uses: files, with: { paths: "docs/**/*.md", by: section } }
  base:  { uses: model, with: { path: base } }
transforms:
  text:  { uses: plain-text, from: docs }
  good:  { uses: filter, from: text, with: { min: "\${vars.min}", without: [click here] } }
  pairs: { uses: sentence-pairs, from: good, with: { instruction: { max: 200 } } }
  split: { uses: split, from: pairs, with: { train: 0.95, eval: 0.05, seed: "\${vars.seed}" } }
templates:
  chat:  { uses: chat, from: { rows: split.train, model: base }, with: { format: harmony } }
trainer:
  adapter:
    uses: lora
    from: { model: base, train: chat }
    matrix: { r: [8, 16], lr: [1e-4, "2e-4"], note: ["\${vars.seed}", a b] }
    resources: { cpu: 2, gpu: 1, memory: 8GB }
    with: { r: "\${matrix.r}", targets: [q_proj, k_proj], steps: 60, lr: 0.1, seed: "\${vars.seed}" }
evaluators:
  loss:  { uses: loss, from: { model: base, adapter: adapter@r=8, rows: chat } }
  all:   { uses: loss, from: { model: base, adapter: "adapter@r=8,lr=*.adapter", rows: chat }, matrix: { r: [16] } }
profiles:
  gpu: { set: { trainer.adapter.with.steps: 10, trainer.adapter.matrix.r: [4] } }
`;

const WORDS = [
  'uses',
  'from',
  'with',
  'docs',
  'text',
  'split',
  'split.train',
  'sources',
  'transforms',
  'profiles',
  'set',
  'null',
  '~',
  '1',
  '-1',
  '1e999',
  '.nan',
  'true',
  '"',
  "'",
  '[',
  ']',
  '{',
  '}',
  ':',
  ': ',
  '- ',
  '\n',
  '  ',
  '\t',
  '#',
  '&a ',
  '*a',
  '<<: ',
  '!!binary ',
  '!x ',
  '|',
  '>',
  '%',
  '@',
  '`',
  '? ',
  '---\n',
  '...\n',
  '${',
  '${vars.seed}',
  '${matrix.r}',
  '${matrix.',
  'matrix',
  'matrix: { r: [1, 2] }',
  'resources',
  'cpu: all',
  '8GB',
  '@',
  '@*',
  '@r=8',
  ',lr=1e-4',
  '=',
  '${env:HOME}',
  '$${',
  '}',
  '__proto__',
  'constructor',
  'toString',
  '\u0000',
  '\ufeff',
  '\u2028',
  '\ud800',
  '💥',
  '%YAML 1.1\n---\n',
  './',
  '../x.ts',
];

/** Cuts, doublings, swaps and insertions, anywhere. */
const mutated = fc
  .array(fc.tuple(fc.nat(), fc.nat(40), fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 5 })), fc.nat(3)), {
    minLength: 1,
    maxLength: 6,
  })
  .map(edits =>
    edits.reduce((text, [at, length, word, how]) => {
      const i = at % (text.length + 1);
      const piece = text.slice(i, i + length);
      if (how === 0) return text.slice(0, i) + text.slice(i + length);
      if (how === 1) return text.slice(0, i) + piece + text.slice(i);
      if (how === 2) return text.slice(0, i) + word + text.slice(i + length);
      return text.slice(0, i) + word + text.slice(i);
    }, VALID),
  );

test(
  'a recipe that has been damaged at random gives a graph or messages',
  async () => {
    const p = project({});
    let graphs = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(mutated, async recipe => {
        p.write({ 'finetune.yaml': recipe });
        try {
          const graph = await loadRecipe({ path: p.path('finetune.yaml'), project: p.folder });
          expect(graph.nodes.length).toBeGreaterThan(0);
          JSON.stringify(graph);
          graphs++;
        } catch (error) {
          if (!(error instanceof FailureError)) throw error;
          expect(error.failures.length).toBeGreaterThan(0);
          for (const { place, message } of error.failures) {
            expect(message).not.toMatch(/undefined|\[object|is not a function|Cannot read prop/);
            if (place?.line !== undefined) expect(recipe.split('\n').length).toBeGreaterThanOrEqual(place.line);
          }
          renderFailures(error.failures);
          refused++;
        }
      }),
      { numRuns: often(150) },
    );
    expect(refused).toBeGreaterThan(graphs / 10);
  },
  within(20),
);

const scalar = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constantFrom(...WORDS),
);

test(
  'any matrix, choice and resources give a graph of different names, or messages',
  async () => {
    const p = project({});
    const axes = fc.dictionary(
      fc.constantFrom('a', 'b', 'r', 'constructor', 'A', ''),
      fc.oneof({ weight: 8, arbitrary: fc.array(scalar, { maxLength: 5 }) }, fc.jsonValue({ maxDepth: 2 })),
      { maxKeys: 3 },
    );
    const axis = fc.constantFrom(
      '${matrix.a}',
      '${matrix.b}',
      'x ${matrix.r}',
      '${matrix.constructor}',
      '$${matrix.a}',
    );
    const reference = fc.oneof(
      fc.constantFrom('docs', 'one', 'two', 'one@*', 'one@a=1', 'two.dropped', 'one@a=*.rows', '${matrix.a}'),
      fc
        .tuple(fc.constantFrom('one', 'two'), fc.constantFrom('a', 'b', 'r'), scalar)
        .map(([n, a, v]) => `${n}@${a}=${v}`),
    );
    const resources = fc.oneof(
      fc.constant(undefined),
      fc.jsonValue({ maxDepth: 1 }),
      fc.record({ cpu: scalar, gpu: scalar, memory: fc.oneof(scalar, fc.constant('1.5 GiB')) }, { requiredKeys: [] }),
    );
    const node = fc.record(
      {
        from: reference,
        matrix: axes,
        resources,
        with: fc.record({ without: axis, matches: axis }, { requiredKeys: [] }),
      },
      { requiredKeys: ['from'] },
    );
    await fc.assert(
      fc.asyncProperty(node, node, node, async (one, two, three) => {
        p.write({
          'finetune.yaml': JSON.stringify({
            version: 1,
            sources: { docs: { uses: 'files', with: { paths: '*.md' } } },
            transforms: {
              one: { uses: 'filter', ...one },
              two: { uses: 'filter', ...two },
              three: { uses: 'filter', ...three },
            },
          }),
        });
        try {
          const { nodes } = await loadRecipe({ path: p.path('finetune.yaml'), project: p.folder });
          expect(new Set(nodes.map(n => n.name)).size).toBe(nodes.length);
          for (const n of nodes) for (const { from } of Object.values(n.inputs)) expect(from.length).toBe(1);
        } catch (error) {
          if (!(error instanceof FailureError)) throw error;
          for (const { message } of error.failures)
            expect(message).not.toMatch(/undefined|\[object|is not a function|Cannot read prop/);
        }
      }),
      { numRuns: often(300) },
    );
  },
  within(20),
);

test(
  'any text is YAML or has a message',
  () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 60 }),
          fc.string({ unit: 'binary', maxLength: 60 }),
          fc.array(fc.constantFrom(...WORDS), { maxLength: 30 }).map(w => w.join('')),
        ),
        text => {
          const { value, failures } = parseYaml(text, 'finetune.yaml');
          if (value === null || failures.length > 0) return;
          JSON.stringify(value);
        },
      ),
      { numRuns: often(400) },
    );
  },
  within(20),
);

test('brackets beyond what the parser can nest are a mistake like any other', () => {
  const { failures } = parseYaml(`a: ${'['.repeat(50_000)}`, 'finetune.yaml');
  expect(failures[0]!.message).toBe('nested too deeply');
});

test(
  'options with any names and values are accepted or told',
  async () => {
    const p = project({});
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('filter', 'plain-text', 'sentences', 'sentence-pairs', 'dedup', 'split'),
        fc.dictionary(
          fc.oneof(
            fc.constantFrom('min', 'max', 'field', 'by', 'words', 'train', 'mostly', 'seed', '__proto__', 'toString'),
            fc.string({ maxLength: 6 }),
          ),
          fc.jsonValue({ maxDepth: 2 }),
        ),
        async (uses, options) => {
          p.write({
            'finetune.yaml': JSON.stringify({
              version: 1,
              sources: { docs: { uses: 'files', with: { paths: '*.md' } } },
              transforms: { it: { uses, from: 'docs', with: options } },
            }),
          });
          try {
            await loadRecipe({ path: p.path('finetune.yaml'), project: p.folder });
          } catch (error) {
            if (!(error instanceof FailureError)) throw error;
            for (const { message } of error.failures)
              expect(message).not.toMatch(/undefined|\[object|is not a function|Cannot read prop/);
          }
        },
      ),
      { numRuns: often(100) },
    );
  },
  within(20),
);
