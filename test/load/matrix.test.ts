/** A matrix makes variants: which ones there are, what they are called, and what they are made from. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FailureError } from '../../src/failure.ts';
import type { Graph } from '../../src/load/graph.ts';
import { textOf } from '../../src/load/matrix.ts';
import { loadRecipe } from '../../src/load/recipe.ts';
import { select } from '../../src/load/select.ts';
import { project } from '../rig/project.ts';

const load = (recipe: string, more: { profiles?: string[]; set?: string[] } = {}): Promise<Graph> => {
  const p = project({ 'finetune.yaml': recipe });
  return loadRecipe({ path: p.path('finetune.yaml'), project: p.folder, ...more });
};

const mistakes = async (recipe: string): Promise<readonly { message: string; source: string | undefined }[]> => {
  try {
    await load(recipe);
    return [];
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return error.failures.map(({ message, place }) => ({
      message,
      source: place?.source?.slice(place.column! - 1, place.column! - 1 + place.length!),
    }));
  }
};

const names = (graph: Graph): string[] => graph.nodes.map(n => n.name);
const node = (graph: Graph, name: string) => graph.nodes.find(n => n.name === name)!;
const from = (graph: Graph, name: string, port = 'rows') =>
  node(graph, name).inputs[port]!.from.map(r => `${r.node}.${r.output}`);

const HEAD = 'version: 1\nsources:\n  docs: { uses: files, with: { paths: "docs/*.md" } }\ntransforms:\n';
const transforms = (...lines: string[]): string => `${HEAD}${lines.map(l => `  ${l}\n`).join('')}`;
const GOOD = 'good: { uses: filter, from: docs, matrix: { min: [10, 20] }, with: { min: "${matrix.min}" } }';

describe('variants', () => {
  test('are ordinary nodes, one for each value, which share everything upstream', async () => {
    const graph = await load(transforms('text: { uses: plain-text, from: docs }', GOOD.replace('docs', 'text')));
    expect(names(graph)).toEqual(['docs', 'text', 'good@min=10', 'good@min=20']);
    expect(node(graph, 'good@min=10')).toMatchObject({
      variant: { of: 'good', axes: { min: 10 } },
      options: { min: 10, field: 'text' },
    });
    expect(from(graph, 'good@min=20')).toEqual(['text.rows']);
  });

  test('a node without a matrix before it is as before', async () => {
    const graph = await load(transforms('text: { uses: plain-text, from: docs }'));
    expect(node(graph, 'text')).not.toHaveProperty('variant');
  });

  test('of several axes are each with each, named in the order of the recipe', async () => {
    const graph = await load(
      transforms(
        'good: { uses: filter, from: docs, matrix: { min: [10, 20], case: [true, false] }, with: { min: "${matrix.min}", ignore_case: "${matrix.case}", without: x } }',
      ),
    );
    expect(names(graph)).toEqual([
      'docs',
      'good@min=10,case=true',
      'good@min=10,case=false',
      'good@min=20,case=true',
      'good@min=20,case=false',
    ]);
    expect(node(graph, 'good@min=20,case=false').options).toMatchObject({ min: 20, ignore_case: false });
  });

  test('consumers fan out', async () => {
    const graph = await load(
      transforms(GOOD, 'one: { uses: sentences, from: good }', 'two: { uses: dedup, from: one }'),
    );
    expect(from(graph, 'one@min=10')).toEqual(['good@min=10.rows']);
    expect(from(graph, 'two@min=20')).toEqual(['one@min=20.rows']);
  });

  test('outputs of a variant are told from the dots of its value', async () => {
    const graph = await load(
      transforms(
        'split: { uses: split, from: docs, matrix: { share: [0.5, 0.9] }, with: { train: "${matrix.share}", eval: 0.1 } }',
        'a: { uses: dedup, from: split.train }',
        'b: { uses: dedup, from: split@share=0.5.train }',
        'c: { uses: dedup, from: split.train@share=0.5 }',
      ),
    );
    expect(from(graph, 'a@share=0.9')).toEqual(['split@share=0.9.train']);
    expect(from(graph, 'b')).toEqual(['split@share=0.5.train']);
    expect(from(graph, 'c')).toEqual(['split@share=0.5.train']);
  });

  test('a matrix that is empty is none, so that a profile can switch it off', async () => {
    const recipe = `${transforms(GOOD)}profiles:\n  one: { set: { transforms.good.matrix: null, transforms.good.with.min: 5 } }\n`;
    expect(names(await load(recipe, { profiles: ['one'] }))).toEqual(['docs', 'good']);
    expect(names(await load(recipe, { set: ['transforms.good.matrix={}', 'transforms.good.with.min=3'] }))).toEqual([
      'docs',
      'good',
    ]);
  });

  test('a profile or --set can set a matrix', async () => {
    const recipe = `${transforms('good: { uses: filter, from: docs, with: { min: 5 } }')}profiles:\n  sweep: { set: { transforms.good.matrix: { min: [1, 2] }, transforms.good.with.min: "\${matrix.min}" } }\n`;
    expect(names(await load(recipe))).toEqual(['docs', 'good']);
    expect(names(await load(recipe, { profiles: ['sweep'] }))).toEqual(['docs', 'good@min=1', 'good@min=2']);
    expect(names(await load(recipe, { profiles: ['sweep'], set: ['transforms.good.matrix.min=[7]'] }))).toEqual([
      'docs',
      'good@min=7',
    ]);
  });

  test('values come from vars, with their types', async () => {
    const graph = await load(
      `vars: { ranks: [8, "16"] }\n${transforms('good: { uses: filter, from: docs, matrix: { without: "${vars.ranks}" }, with: { without: "no ${matrix.without}" } }')}`,
    );
    expect(graph.nodes.slice(1).map(n => n.options.without)).toEqual(['no 8', 'no 16']);
    expect(graph.nodes.map(n => n.variant?.axes.without)).toEqual([undefined, 8, '16']);
  });

  test('sources and files may vary, too', async () => {
    const graph = await load(
      'version: 1\nsources:\n  docs: { uses: files, matrix: { lang: [de, fr] }, with: { paths: "${matrix.lang}/*.md" } }\n',
    );
    expect(graph.nodes.map(n => n.files[0]!.values)).toEqual([['de/*.md'], ['fr/*.md']]);
  });

  test('a node may use the axes that it has from its inputs', async () => {
    const graph = await load(transforms(GOOD, 'more: { uses: filter, from: good, with: { max: "${matrix.min}" } }'));
    expect(node(graph, 'more@min=20').options.max).toBe(20);
  });
});

describe('joins', () => {
  const chat = (more: string, ...lines: string[]): string =>
    `version: 1
sources:
  docs: { uses: files, with: { paths: "docs/*.md" } }
  base: { uses: model, matrix: { size: [small, large] }, with: { path: "models/\${matrix.size}" } }
transforms:
  good: { uses: filter, from: docs, matrix: { min: [10, 20] }, with: { min: "\${matrix.min}" } }
${lines.map(l => `  ${l}\n`).join('')}templates:
  chat: { uses: chat, from: { rows: good, model: base }, with: { format: harmony }${more} }
`;

  test('different axes multiply', async () => {
    const graph = await load(chat(''));
    expect(names(graph).filter(n => n.startsWith('chat'))).toEqual([
      'chat@size=small,min=10',
      'chat@size=small,min=20',
      'chat@size=large,min=10',
      'chat@size=large,min=20',
    ]);
    expect(from(graph, 'chat@size=large,min=10')).toEqual(['good@min=10.rows']);
    expect(from(graph, 'chat@size=large,min=10', 'model')).toEqual(['base@size=large.model']);
  });

  const trainer = `${chat('')}trainer:
  adapter: { uses: lora, from: { model: base, train: chat }, matrix: { r: [8, 16] }, with: { r: "\${matrix.r}" } }
`;

  test('inputs with the same axis go together on equal values', async () => {
    const graph = await load(trainer);
    const all = names(graph).filter(n => n.startsWith('adapter'));
    expect(all).toHaveLength(8);
    expect(from(graph, 'adapter@size=large,min=10,r=8', 'train')).toEqual(['chat@size=large,min=10.rows']);
    expect(from(graph, 'adapter@size=large,min=10,r=8', 'model')).toEqual(['base@size=large.model']);
  });

  test('one that is selected takes its axis out', async () => {
    const graph = await load(`${trainer}evaluators:
  loss: { uses: loss, from: { model: base@size=small, adapter: "adapter@r=8,size=small", rows: chat@size=small } }
`);
    expect(names(graph).filter(n => n.startsWith('loss'))).toEqual(['loss@min=10', 'loss@min=20']);
    expect(from(graph, 'loss@min=20', 'adapter')).toEqual(['adapter@size=small,min=20,r=8.adapter']);
  });

  test('a node that declares the axis itself joins as well', async () => {
    const graph = await load(
      transforms(GOOD, 'more: { uses: filter, from: good, matrix: { min: [20] }, with: { max: 100 } }'),
    );
    expect(names(graph).filter(n => n.startsWith('more'))).toEqual(['more@min=20']);
    expect(from(graph, 'more@min=20')).toEqual(['good@min=20.rows']);
  });

  test('a list fans out like any input, and collects the variants of what is marked so', async () => {
    const more = (...inputs: string[]) =>
      load(
        transforms(
          'text: { uses: plain-text, from: docs }',
          'good: { uses: filter, from: text, matrix: { min: [10, 20], max: [50, 60] }, with: { min: "${matrix.min}", max: "${matrix.max}" } }',
          `all: { uses: mix, from: [${inputs.join(', ')}] }`,
        ),
      ).then(graph =>
        graph.nodes
          .filter(n => n.section === 'transforms' && n.uses === 'mix')
          .map(n => [n.name, ...from(graph, n.name)]),
      );
    expect(await more('text', 'good@max=50')).toEqual([
      ['all@min=10', 'text.rows', 'good@min=10,max=50.rows'],
      ['all@min=20', 'text.rows', 'good@min=20,max=50.rows'],
    ]);
    expect(await more('"good@max=50,min=*"', 'text')).toEqual([
      ['all', 'good@min=10,max=50.rows', 'good@min=20,max=50.rows', 'text.rows'],
    ]);
    expect(await more('good@max=*.dropped')).toEqual([
      ['all@min=10', 'good@min=10,max=50.dropped', 'good@min=10,max=60.dropped'],
      ['all@min=20', 'good@min=20,max=50.dropped', 'good@min=20,max=60.dropped'],
    ]);
    expect((await more('good@*'))[0]).toHaveLength(1 + 4);
  });

  test('an axis may choose the input', async () => {
    const graph = await load(
      transforms(
        GOOD,
        'short: { uses: sentences, from: docs }',
        'more: { uses: dedup, from: "${matrix.data}", matrix: { data: [short, good@min=10, good] } }',
      ),
    );
    expect(names(graph).filter(n => n.startsWith('more'))).toEqual([
      'more@min=10,data=good',
      'more@min=20,data=good',
      'more@data=short',
      'more@data=good%40min%3D10',
    ]);
    expect(from(graph, 'more@min=20,data=good')).toEqual(['good@min=20.rows']);
    expect(from(graph, 'more@data=good%40min%3D10')).toEqual(['good@min=10.rows']);
  });
});

describe('mistakes', () => {
  const one = async (...lines: string[]) => {
    const all = await mistakes(transforms(...lines));
    expect(all).toHaveLength(1);
    return all[0]!;
  };

  test('an axis that nothing uses', async () => {
    expect(await one('good: { uses: filter, from: docs, matrix: { min: [10, 20] }, with: { min: 5 } }')).toEqual({
      message: 'nothing in good uses matrix.min: its variants would all be the same',
      source: 'min',
    });
  });

  test('an axis that is not there, or has no such value', async () => {
    expect(await one(GOOD, 'more: { uses: dedup, from: good@mim=10 }')).toEqual({
      message: 'good has no axis "mim"; did you mean "min"?',
      source: 'good@mim=10',
    });
    expect((await one(GOOD, 'more: { uses: dedup, from: good@min=15 }')).message).toBe(
      'min of good is 10 or 20, not 15',
    );
    expect((await one(GOOD, 'more: { uses: dedup, from: docs@min=10 }')).message).toBe(
      'docs has no variants to choose from: leave "@min=10" out',
    );
    expect((await one(GOOD, 'more: { uses: dedup, from: good@10 }')).message).toBe(
      '"10" selects nothing: write good@min=value',
    );
    expect((await one(GOOD, 'more: { uses: filter, from: good, with: { min: "${matrix.mim}" } }')).message).toBe(
      'there is no matrix.mim here; did you mean "min"?',
    );
  });

  test('a value that no input has', async () => {
    expect(await one(GOOD, 'more: { uses: dedup, from: good, matrix: { min: [10, 30] } }')).toEqual({
      message: 'no input of more goes with min=30: min of good is 10 or 20',
      source: '30',
    });
  });

  test('inputs that have no variant in common', async () => {
    const recipe = `version: 1
sources:
  docs: { uses: files, with: { paths: "docs/*.md" } }
  base: { uses: model, matrix: { min: [1, 2] }, with: { path: "m\${matrix.min}" } }
transforms:
  ${GOOD}
templates:
  chat: { uses: chat, from: { rows: good, model: base }, with: { format: harmony } }
`;
    expect(await mistakes(recipe)).toEqual([
      {
        message: 'no variant of base goes with the other inputs of chat: min is 1 or 2 there, and 10 or 20 here',
        source: 'base',
      },
    ]);
  });

  test('a wrong option stands where the axis lists its value, and is told once', async () => {
    expect(
      await one(
        'good: { uses: filter, from: docs, matrix: { min: [10, -1], word: [a, b, c] }, with: { min: "${matrix.min}", without: "${matrix.word}" } }',
      ),
    ).toEqual({ message: 'min is -1; it must be >= 0', source: '-1' });
  });

  test('collecting into an input that takes one', async () => {
    expect((await one(GOOD, 'more: { uses: dedup, from: good@* }')).message).toBe(
      'good@* collects 2 variants of good, but this input takes one',
    );
  });

  test('more variants than anybody can want', async () => {
    const list = `[${Array.from({ length: 40 }, (_, i) => i)}]`;
    const wide = `wide: { uses: filter, from: docs, matrix: { a: ${list}, b: ${list} }, with: { min: "\${matrix.a}", without: "\${matrix.b}" } }`;
    expect(await one(wide, 'more: { uses: dedup, from: wide@a=1 }')).toEqual({
      message: 'wide has more than 1000 variants',
      source: 'matrix',
    });
    const half = (axis: string) =>
      `${axis}: { uses: split, from: docs, matrix: { ${axis}: ${list} }, with: { train: 1, eval: 1, seed: "\${matrix.${axis}}" } }`;
    const joined = `version: 1
sources:
  docs: { uses: files, with: { paths: "docs/*.md" } }
  base: { uses: model, matrix: { c: ${list} }, with: { path: "m\${matrix.c}" } }
transforms:
  ${half('a')}
templates:
  chat: { uses: chat, from: { rows: a.train, model: base }, with: { format: harmony } }
`;
    expect((await mistakes(joined)).map(m => m.message)).toEqual(['chat has more than 1000 variants']);
  });

  test('a name that no file system takes', async () => {
    const axes = Array.from({ length: 8 }, (_, i) => `${'abcdefgh'[i]!.repeat(20)}`);
    const all = await mistakes(
      transforms(
        `good: { uses: filter, from: docs, matrix: { ${axes.map(a => `${a}: [some longer words]`).join(', ')} }, with: { without: "${axes.map(a => `\${matrix.${a}}`).join(' ')}" } }`,
      ),
    );
    expect(all.map(m => m.message)).toEqual([
      expect.stringMatching(
        /^the name of a variant would be longer than 200 bytes: good@aaaaaaaaaaaaaaaaaaaa=some%20longer%20words,bbb/,
      ),
    ]);
  });

  test('more nodes than anybody can want, in little time and memory', async () => {
    const list = `[${Array.from({ length: 1000 }, (_, i) => i)}]`;
    const lines = Array.from(
      { length: 5000 },
      (_, i) => `n${i}: { uses: dedup, from: ${i === 0 ? 'wide' : `n${i - 1}`} }`,
    );
    const all = await mistakes(
      transforms(`wide: { uses: filter, from: docs, matrix: { a: ${list} }, with: { min: "\${matrix.a}" } }`, ...lines),
    );
    expect(all).toEqual([{ message: 'with the variants of n98 the recipe has more than 100000 nodes', source: 'n98' }]);
  }, 20_000);

  test('a cycle through variants', async () => {
    const a = 'a: { uses: filter, from: b, matrix: { min: [1, 2] }, with: { min: "${matrix.min}" } }';
    expect((await one(a, 'b: { uses: dedup, from: a }')).message).toBe('these nodes wait for each other: a <- b <- a');
    expect((await one(a.replace('from: b', 'from: a@min=1'))).message).toBe('these nodes wait for each other: a <- a');
  });
});

describe('names', () => {
  test('are safe in files and on command lines, and other for other values', () => {
    expect(textOf(0.0001)).toBe('0.0001');
    expect(textOf(true)).toBe('true');
    expect(textOf('openai/gpt-oss-20b')).toBe('openai%2Fgpt-oss-20b');
    expect(textOf('中文')).toBe('中文');
    expect(textOf('be brief, please')).toBe('be%20brief%2C%20please');
    expect(textOf('x'.repeat(1000))).toMatch(/^x{39}~[0-9a-f]{8}$/);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), text => {
        expect(textOf(text)).toMatch(/^[\p{L}\p{N}._+%~-]*$/u);
        expect(Buffer.byteLength(textOf(text))).toBeLessThanOrEqual(48);
      }),
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.string({ maxLength: 60 }), (a, b) => {
        expect(textOf(a) === textOf(b)).toBe(a === b);
      }),
    );
  });

  test('select a node, one variant, or some', async () => {
    const graph = await load(
      transforms(
        'good: { uses: filter, from: docs, matrix: { min: [10, 20], word: [a/b, c] }, with: { min: "${matrix.min}", without: "${matrix.word}" } }',
      ),
    );
    const chosen = (text: string) => {
      const found = select(graph, text);
      return typeof found === 'string' ? found : [found.nodes.map(n => n.name).join(' '), found.output];
    };
    expect(chosen('docs')).toEqual(['docs', null]);
    expect(chosen('good@min=10')).toEqual(['good@min=10,word=a%2Fb good@min=10,word=c', null]);
    expect(chosen('good@word=a/b,min=20.0')).toEqual(['good@min=20,word=a%2Fb', null]);
    expect(chosen('good@min=20,word=c.dropped')).toEqual(['good@min=20,word=c', 'dropped']);
    expect(chosen('good@*')).toEqual(chosen('good'));
    expect(chosen('good@min=30')).toBe('min of good is 10 or 20, not 30');
    expect(chosen('god')).toBe('the recipe has no node "god"; did you mean "good"?');
  });

  test('every name that there is selects exactly its node', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(
          fc.oneof(fc.string({ maxLength: 12 }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean()),
          {
            minLength: 1,
            maxLength: 4,
            selector: v => textOf(v).toLowerCase(),
          },
        ),
        async values => {
          const graph = await load(
            JSON.stringify({
              version: 1,
              sources: { docs: { uses: 'files', with: { paths: '*.md' } } },
              transforms: {
                good: { uses: 'filter', from: 'docs', matrix: { x: values }, with: { without: 'no ${matrix.x}' } },
                more: { uses: 'dedup', from: 'good.dropped' },
              },
            }),
          );
          for (const { name } of graph.nodes) {
            const found = select(graph, name);
            expect(typeof found === 'string' ? found : found.nodes.map(n => n.name)).toEqual([name]);
            if (name.startsWith('good'))
              expect(select(graph, `${name}.rejects`)).toMatchObject({ nodes: [{ name }], output: 'rejects' });
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
