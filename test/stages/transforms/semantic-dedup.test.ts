import { describe, expect, test } from 'vitest';
import type { BuildEvent } from '../../../src/events.ts';
import { drawing } from '../../../stages/transforms/near-dedup/hash.ts';
import { hyperplanes, layoutFor } from '../../../stages/transforms/semantic-dedup/hyperplanes.ts';
import { cosine, encodeVector, quantize } from '../../../stages/transforms/semantic-dedup/vector.ts';
import { llmServer } from '../../rig/llm-server.ts';
import { type OnnxShape, onnxModel } from '../../rig/onnx-model.ts';
import { type Here, type Project, project } from '../../rig/project.ts';
import { optionsOf } from '../options.ts';

/** Words of like meaning point in like directions. */
const WORDS: OnnxShape = {
  gives: 'embedding',
  words: {
    car: [1, 0, 0],
    automobile: [1, 0.1, 0],
    buy: [0, 1, 0],
    purchase: [0.3, 1, 0],
    sing: [0, 0, 1],
    '[cls]': [0, 0, 0],
  },
};

const recipe = (more: string) => `version: 1
sources:
  data: { uses: files, with: { paths: data.jsonl, key: id } }
transforms:
  unique: { uses: semantic-dedup, from: data, with: { ${more} } }
`;

const jsonl = (texts: readonly (string | object)[]) =>
  texts.map((t, i) => JSON.stringify({ id: `r${i}`, ...(typeof t === 'string' ? { text: t } : t) })).join('\n');

const made = (texts: readonly (string | object)[], more = '', shape: OnnxShape = WORDS): Project => {
  const p = project({ 'finetune.yaml': recipe(`path: model${more}`), 'data.jsonl': jsonl(texts) });
  onnxModel(p.path('model'), shape);
  return p;
};

const ids = async (p: Project, output = 'rows') => (await p.rows('unique', output)).map(r => r.id);

const note = ({ events }: Here) =>
  events.flatMap((e: BuildEvent) => (e.type === 'done' && e.node === 'unique' ? [e.note] : []))[0];

const failure = ({ events }: Here) => events.flatMap(e => (e.type === 'failed' ? [e.failure] : []))[0];

describe('by a local model', () => {
  test('of rows that mean the same the first stays', async () => {
    const p = made(['buy car', 'sing', 'purchase automobile', 'car', '', 'SING sing', '']);
    await p.buildHere();
    expect(await ids(p)).toEqual(['r0', 'r1', 'r3', 'r4', 'r6']);
    const dropped = await p.rows('unique', 'dropped');
    expect(dropped.map(r => [r.id, r.fields.reason])).toEqual([
      ['r2', 'means nearly the same as a row that stays'],
      ['r5', 'means nearly the same as a row that stays'],
    ]);
  });

  test('or the longest', async () => {
    const p = made(['sing', 'sing sing sing', 'sing sing'], ', keep: longest');
    await p.buildHere();
    expect(await ids(p)).toEqual(['r1']);
  });

  test('the fields that are named are compared, else the text, else all texts', async () => {
    const rows = [
      { q: 'car', a: 'sing' },
      { q: 'automobile', a: 'buy' },
    ];
    const byQuestion = made(rows, ', field: q');
    await byQuestion.buildHere();
    expect(await ids(byQuestion)).toEqual(['r0']);
    const byAll = made(rows);
    await byAll.buildHere();
    expect(await ids(byAll)).toEqual(['r0', 'r1']);
  });

  test('another threshold embeds nothing again; a changed text only itself', async () => {
    const p = made(['buy car', 'purchase automobile', 'sing', 'sing']);
    expect(note(await p.buildHere())).toBe('2 dropped; 3 embedded now');
    p.edit('finetune.yaml', 'path: model', 'path: model, threshold: 1');
    expect(note(await p.buildHere())).toBe('1 dropped; nothing embedded');
    p.edit('data.jsonl', '"purchase automobile"', '"purchase car"');
    const edited = await p.buildHere();
    expect(edited.nodes.unique).toMatchObject({ computed: 1, rows: 3 });
    expect(note(edited)).toBe('1 dropped; 1 embedded now');
  });

  test('one worker and two give the same, and an edit what a clean build gives', async () => {
    const words = Object.keys(WORDS.words);
    const draw = drawing(7);
    const texts = Array.from({ length: 700 }, () => Array.from({ length: 4 }, () => words[draw(5)]!).join(' '));
    const [one, two] = [made(texts, ', threshold: 0.98'), made(texts, ', threshold: 0.98')];
    const first = await one.buildHere();
    expect((await two.buildHere({ jobs: 2 })).digests).toEqual(first.digests);
    const edited = texts.with(3, 'sing car').toSpliced(90, 5);
    one.write({ 'data.jsonl': jsonl(edited) });
    const clean = made(edited, ', threshold: 0.98');
    expect((await one.buildHere()).digests).toEqual((await clean.buildHere()).digests);
  });

  test.each<[string, OnnxShape]>([
    ['the mean of its tokens', WORDS],
    ['what the graph pools itself', { ...WORDS, gives: 'pooled' }],
    ['what 1_Pooling says', { ...WORDS, more: { '1_Pooling/config.json': { pooling_mode_mean_tokens: true } } }],
  ])("a text's vector is %s", async (_, shape) => {
    const p = made(['car sing', 'sing car', 'car'], '', shape);
    await p.buildHere();
    expect(await ids(p)).toEqual(['r0', 'r2']);
  });

  test('pooling by the first or the last token is said by the folder, or the recipe', async () => {
    const cls = {
      ...WORDS,
      words: { ...WORDS.words },
      more: { '1_Pooling/config.json': { pooling_mode_cls_token: true } },
    };
    const p = made(['car', 'sing'], '', cls);
    // [CLS] has no direction here, so nothing is compared.
    await p.buildHere();
    expect(await ids(p)).toEqual(['r0', 'r1']);
    const odd = made(['car'], '', { ...WORDS, more: { '1_Pooling/config.json': { pooling_mode_max_tokens: true } } });
    expect(failure(await odd.buildHere())).toMatchObject({
      reason: 'strange-model',
      message: 'the model pools by max_tokens',
    });
    const said = made(['car'], ', pooling: mean', {
      ...WORDS,
      more: { '1_Pooling/config.json': { pooling_mode_max_tokens: true } },
    });
    expect((await said.buildHere()).ok).toBe(true);
  });

  test('a prefix goes before each text, and texts are cut to what the model reads', async () => {
    const p = made(['sing', 'car'], ', prefix: "buy ", max_tokens: 3');
    await p.buildHere();
    expect(await ids(p)).toEqual(['r0']);
  });
});

describe('by a server', () => {
  const vectors: Readonly<Record<string, readonly number[]>> = { a: [1, 0], A: [0.99, 0.05], b: [0, 1] };

  const remote = async (texts: readonly string[], more = '') => {
    const server = await llmServer();
    server.embed = text => vectors[text] ?? [0.7, 0.7];
    const p = project({
      'finetune.yaml': recipe(`endpoint: "${server.url}", model: e${more}`),
      'data.jsonl': jsonl(texts),
    });
    return { server, p };
  };

  test('texts are embedded in batches, equal ones once, and kept', async () => {
    const { server, p } = await remote(['a', 'A', 'b', 'a', 'c'], ', batch: 3, prices: { input: 1000 }');
    expect(note(await p.buildHere())).toBe('2 dropped; 4 embedded now, 4 + 0 tokens, $0.0040');
    expect(await ids(p)).toEqual(['r0', 'r2', 'r4']);
    expect(server.asked.map(a => a.body.input)).toEqual([['a', 'A', 'b'], ['c']]);
    expect(server.asked[0]!.path).toBe('/v1/embeddings');
    p.edit('finetune.yaml', 'batch: 3', 'batch: 2, threshold: 0.5');
    expect(note(await p.buildHere())).toBe('4 dropped; nothing embedded');
    expect(server.asked.length).toBe(2);
  });

  test('a text that the server refuses keeps its row, and does not take its batch along', async () => {
    const { server, p } = await remote(['a', 'x', 'A']);
    server.refuse = texts => texts.includes('x');
    const built = await p.buildHere();
    expect(await ids(p)).toEqual(['r0', 'r1']);
    expect(note(built)).toBe('1 dropped; 2 embedded now, 2 + 0 tokens, 1 refused');
    expect(built.events).toContainEqual({
      type: 'warn',
      node: 'unique',
      message: 'a text is not embedded, and its row stays: the server refuses the request: too long (status 400)',
    });
  });

  test('without the server there is no result, but what was embedded is kept', async () => {
    const { server, p } = await remote(['a', 'A', 'b', 'c'], ', batch: 2, concurrency: 1, retries: 0');
    server.refuse = texts => (texts.includes('b') ? 500 : false);
    expect(failure(await p.buildHere())).toMatchObject({ reason: 'no-embedding' });
    server.refuse = () => false;
    server.asked.length = 0;
    await p.buildHere();
    expect(server.asked.flatMap(a => a.body.input)).toEqual(['b', 'c']);
  });
});

/** Unit vectors with the cosine `c`. */
const pair = (c: number, width: number, normal: () => number): [Float32Array, Float32Array] => {
  const unit = (v: Float32Array): Float32Array => {
    const length = Math.sqrt(v.reduce((n, x) => n + x * x, 0));
    return v.map(x => x / length);
  };
  const a = unit(Float32Array.from({ length: width }, normal));
  const b = unit(Float32Array.from({ length: width }, normal));
  const along = a.reduce((n, x, i) => n + x * b[i]!, 0);
  const across = unit(b.map((x, i) => x - along * a[i]!));
  return [a, a.map((x, i) => c * x + Math.sqrt(1 - c * c) * across[i]!)];
};

const gaussian = (seed: number): (() => number) => {
  const draw = drawing(seed);
  const u = () => (draw(1 << 30) + 0.5) / (1 << 30);
  return () => Math.sqrt(-2 * Math.log(u())) * Math.cos(2 * Math.PI * u());
};

test('one byte a number is good to a thousandth of a cosine', () => {
  const normal = gaussian(1);
  for (const c of [1, 0.99, 0.9, 0.5, 0, -0.5]) {
    for (let i = 0; i < 50; i++) {
      const [a, b] = pair(c, 384, normal).map(v => encodeVector(quantize(v)!)) as [Uint8Array, Uint8Array];
      expect(Math.abs(cosine(a, b) - c)).toBeLessThan(0.0025);
    }
  }
  expect(quantize([0, 0, 0])).toBeNull();
});

test('vectors share a band as often as their cosine and the layout say: at the threshold nearly always', () => {
  const normal = gaussian(2);
  for (const threshold of [0.8, 0.9, 0.95]) {
    const layout = layoutFor(threshold);
    const bands = hyperplanes(layout);
    for (const c of [threshold, 0.6, 0.2]) {
      let found = 0;
      for (let i = 0; i < 500; i++) {
        const [x, y] = pair(c, 384, normal).map(v => bands(quantize(v)!)) as [Uint32Array, Uint32Array];
        if (x.some((v, k) => v === y[k])) found++;
      }
      const agree = 1 - Math.acos(c) / Math.PI;
      const expected = 1 - (1 - agree ** layout.rows) ** layout.bands;
      expect(Math.abs(found / 500 - expected), `${threshold} ${c}`).toBeLessThan(0.06);
      if (c === threshold) expect(expected).toBeGreaterThan(0.989);
    }
  }
});

test('layouts, and bands of a vector, are the same for ever', () => {
  expect(
    [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1].map(t => Object.values(layoutFor(t)).join(' x ')),
  ).toMatchInlineSnapshot(`
    [
      "59 x 5",
      "51 x 6",
      "62 x 9",
      "55 x 11",
      "62 x 17",
      "64 x 25",
      "18 x 32",
      "1 x 32",
    ]
  `);
  const vector = Int8Array.from({ length: 384 }, (_, i) => ((i * 37) % 255) - 127);
  expect([...hyperplanes(layoutFor(0.9))(vector)].slice(0, 6)).toMatchInlineSnapshot(`
    [
      40192,
      82884,
      13649,
      48089,
      6138,
      89942,
    ]
  `);
});

test.each([
  [{}],
  [{ path: 'a', endpoint: 'http://b', model: 'c' }],
  [{ endpoint: 'http://b' }],
  [{ path: 'a', dimensions: 3 }],
  [{ endpoint: 'http://b', model: 'c', pooling: 'cls' }],
  [{ path: 'a', threshold: 0.1 }],
])('%j is refused', given => expect(() => optionsOf('transforms/semantic-dedup', given)).toThrow());
