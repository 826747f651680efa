import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fields } from '../../../stages/contract.ts';
import { draw } from '../../../stages/transforms/augment/draw.ts';
import { parseSynonyms } from '../../../stages/transforms/augment/synonyms.ts';
import { keptOf, LOCAL, type LocalWay, vary } from '../../../stages/transforms/augment/vary.ts';
import { phrase, wordsOf } from '../../../stages/transforms/augment/words.ts';
import augment, { type Options } from '../../../stages/transforms/augment.ts';
import split from '../../../stages/transforms/split.ts';
import { type Asked, llmServer, type Reply } from '../../rig/llm-server.ts';
import { project } from '../../rig/project.ts';
import { row, runStage } from '../../rig/stage.ts';
import { temporaryFolder } from '../../rig/whole.ts';
import { optionsOf } from '../options.ts';
import { inputFile } from '../whole.ts';

const GROUPS =
  'hills, mountains\ncosts, is sold for\nquick, fast, rapid\nbuy, purchase\ncoffee machine, espresso maker\n配置, 设置\nlorry -> truck\n';
const TEXT =
  'The quick brown fox wants to buy a coffee machine. It costs 12 dollars, and the fox runs away with it at once, over the hills and far away.';

/** The stage on one row, with synonyms from a file. */
const run = async (given: object, fields: Fields = { text: TEXT }, synonyms = GROUPS) => {
  using folder = temporaryFolder();
  const path = `${folder.path}/words.txt`;
  writeFileSync(path, synonyms);
  const options = optionsOf<Options>('transforms/augment', given);
  const files = options.synonyms === undefined ? {} : { synonyms: [inputFile(path)] };
  return await runStage(augment, [row('a', fields, 'p')], options, {}, undefined, files);
};

const synonyms = parseSynonyms(Buffer.from(GROUPS), 'words.txt');

const varied = (text: string, way: LocalWay, { rate = 0.1, keep = [] as string[], seed = 1 } = {}) =>
  vary(text, way, { rate, kept: keptOf(keep), synonyms }, draw(seed));

const words = (text: string) => wordsOf(text).map(w => text.slice(w.start, w.end));

/** How many words have come, gone or changed, marks beside them aside. */
const distance = (a: string, b: string): number => {
  const [x, y] = [a, b].map(text => wordsOf(text).flatMap(w => (w.core === '' ? [] : [w.core]))) as [
    string[],
    string[],
  ];
  let last = Array.from({ length: y.length + 1 }, (_, i) => i);
  for (const [i, w] of x.entries()) {
    const next = [i + 1];
    for (const [j, v] of y.entries()) next.push(Math.min(last[j + 1]! + 1, next[j]! + 1, last[j]! + (w === v ? 0 : 1)));
    last = next;
  }
  return last[y.length]!;
};

describe('copies', () => {
  test('stand below their row, which stays, and say how they were made', async () => {
    const { rows, lineage } = await run(
      { how: ['synonyms', 'delete'], copies: 2, synonyms: 'words.txt' },
      { text: TEXT, n: 1 },
    );
    expect(rows[0]).toEqual(row('a', { text: TEXT, n: 1 }, 'p'));
    expect(rows.slice(1).map(r => [r.parent, r.fields.augmented, r.fields.n])).toEqual([
      ['a', 'synonyms', 1],
      ['a', 'synonyms', 1],
      ['a', 'delete', 1],
      ['a', 'delete', 1],
    ]);
    expect(new Set(rows.map(r => r.fields.text)).size).toBe(5);
    expect(rows[1]!.id).toMatch(/^a\/[0-9a-f]{20}$/);
    expect(lineage[1]).toEqual({ from: ['a'] });
  });

  test('the row need not stay; one that cannot be changed is then dropped', async () => {
    expect((await run({ how: 'delete', originals: false })).rows.length).toBe(1);
    const { rows, dropped } = await run({ how: 'delete', originals: false }, { text: 'too short' });
    expect(rows).toEqual([]);
    expect(dropped).toMatchObject([{ reason: 'nothing in it could be changed' }]);
    expect((await run({ how: 'delete' }, { text: 'too short' })).rows.length).toBe(1);
  });

  test('equal ones are one', async () => {
    const { rows } = await run({ how: 'synonyms', copies: 20, synonyms: 'words.txt' }, { text: 'buy it' });
    expect(rows.map(r => r.fields.text)).toEqual(['buy it', 'purchase it']);
  });

  test('of several fields each is changed', async () => {
    const { rows } = await run(
      { how: 'synonyms', field: ['q', 'a'], synonyms: 'words.txt' },
      { q: 'Where do I buy it?', a: 'Buy it here.' },
    );
    expect(rows[1]!.fields).toEqual({ q: 'Where do I purchase it?', a: 'Purchase it here.', augmented: 'synonyms' });
  });

  test('a copy of a copy says both ways', async () => {
    const { rows } = await run({ how: 'delete' }, { text: TEXT, augmented: 'synonyms' });
    expect(rows[1]!.fields.augmented).toBe('synonyms, delete');
  });

  test('a row without the text is a reject', async () => {
    expect((await run({ how: 'delete' }, { text: 1 })).rejects).toMatchObject([
      { reason: 'field "text" is not a text' },
    ]);
  });

  test('they depend on the seed and the row, on nothing else', async () => {
    const of = async (given: object) =>
      (await run({ how: ['insert', 'delete', 'swap'], ...given })).rows.map(r => r.fields.text);
    expect(await of({})).toEqual(await of({ seed: 0 }));
    expect(await of({})).not.toEqual(await of({ seed: 1 }));
    expect((await of({ how: 'swap' }))[1]).toEqual((await of({}))[3]);
  });

  test('stay on the side of their row when rows are split', () => {
    const copy = {
      ...row('d/1111111111111111aaaa/2222222222222222bbbb', { text: 'b', augmented: 'swap' }, 'd/1111111111111111aaaa'),
    };
    const original = row('d/1111111111111111aaaa', { text: 'a' }, 'd');
    for (const by of ['component', 'parent', 'document', 'row'] as const) {
      const of = (r: typeof copy) => split.groups(r, { by, seed: 1 });
      expect(
        of(copy).some(g => of(original).includes(g)),
        by,
      ).toBe(true);
    }
    const top = [
      row('r1', { text: 'a' }),
      row('r1/2222222222222222bbbb', { text: 'b', augmented: 'swap' }, 'r1'),
    ] as const;
    const second = row(
      'r1/2222222222222222bbbb/3333333333333333cccc',
      { text: 'c', augmented: 'swap, delete' },
      top[1].id,
    );
    for (const by of ['component', 'parent', 'row'] as const)
      for (const copy of [top[1], second])
        expect(split.groups(copy, { by, seed: 1 }), by).toContain(split.groups(top[0], { by, seed: 1 })[0]);
    // A field of the user's own that happens to be called so.
    expect(split.groups(row('a/b', { augmented: 'yes' }, 'a'), { by: 'row', seed: 1 })).toEqual(['a/b']);
  });
});

describe('words', () => {
  test.each([
    ['Hello, world!', ['Hello,', 'world!']],
    ['如何配置CUDA环境？', ['如', '何', '配', '置', 'CUDA', '环', '境', '？']],
    ['ที่นี่ a', ['ที่', 'นี่', 'a']],
    ['', []],
  ])('of %j', (text, expected) => expect(words(text)).toEqual(expected));

  test('a glossary writes them as it should be asked', () => {
    expect(phrase(' Coffee  Machine ')).toBe('coffee machine');
    expect(phrase('配置')).toBe('配置');
  });
});

describe('noise', () => {
  const text = fc
    .array(fc.constantFrom('one', 'two,', 'three.', 'Four', '"five"', 'v3.2', 'six\n', '中', '文', '-'), {
      maxLength: 60,
    })
    .map(all => all.join(' '));

  test('never touches more words than the rate allows, nor words with a digit, nor those that are kept', () => {
    fc.assert(
      fc.property(text, fc.constantFrom('insert', 'delete', 'swap'), fc.nat(), (t, way, seed) => {
        const out = varied(t, way, { rate: 0.1, keep: ['three', 'Four'], seed });
        const n = words(t).length;
        expect(distance(t, out)).toBeLessThanOrEqual(Math.floor(n / 10));
        const count = (of: string, word: string) => words(of).filter(w => w.includes(word)).length;
        for (const kept of ['v3.2', 'three', 'Four'])
          if (way === 'delete') expect(count(out, kept)).toBe(count(t, kept));
        // Lines and their order stay.
        expect(out.split('\n').length).toBe(t.split('\n').length);
      }),
    );
  });

  test('changes something where it may', () => {
    for (const way of ['insert', 'delete', 'swap'] as const) {
      const out = varied(TEXT, way);
      expect(out, way).not.toBe(TEXT);
      expect(out, way).not.toMatch(/ {2}|^ | $| \./);
      expect(words(out).length - words(TEXT).length).toBe({ insert: 2, delete: -2, swap: 0 }[way]);
    }
  });

  test.each([
    ['a "b c" d', 'b', 'a "c" d'],
    ['a "b c" d', 'c', 'a "b" d'],
    ['a (b) d', 'b', 'a d'],
    ['a, b d.', 'd', 'a, b.'],
    ['a, b d.', 'a', 'b d.'],
    ['x\na b', 'a', 'x\nb'],
    ['x y\na', 'y', 'x\na'],
    ['前后左', '后', '前左'],
  ])('of %j without %s stays %j', (given, word, expected) => {
    const kept = keptOf(
      wordsOf(given)
        .map(w => w.core)
        .filter(core => core !== word && core !== ''),
    );
    expect(vary(given, 'delete', { rate: 0.5, kept, synonyms: null }, draw(1))).toBe(expected);
  });

  test('needs ten words for one at a rate of a tenth', () => {
    const ten = 'a b c d e f g h i j';
    expect(varied(ten, 'delete')).not.toBe(ten);
    expect(varied('a b c d e f g h i', 'delete')).toBe('a b c d e f g h i');
  });

  test('in a script without spaces, characters are words', () => {
    const zh = '请先阅读手册，然后按下电源按钮三秒钟以启动咖啡机。';
    expect([...varied(zh, 'delete')].length).toBe([...zh].length - 2);
    expect(varied(zh, 'insert')).not.toContain(' ');
  });

  test('puts a synonym in, where there is one', () => {
    const out = varied('quick quick quick quick quick quick quick quick quick quick', 'insert');
    expect(words(out).filter(w => w !== 'quick')).toEqual([expect.stringMatching(/^(fast|rapid)$/)]);
  });

  test('is the same for ever', () => {
    const all = LOCAL.map(way => varied(TEXT, way));
    expect(all).toMatchInlineSnapshot(`
      [
        "The rapid brown fox wants to buy a coffee machine. It is sold for 12 dollars, and the fox runs away with it at once, over the hills and far away.",
        "The quick brown fox wants to buy away a coffee machine. It costs 12 dollars, and it the fox runs away with it at once, over the hills and far away.",
        "The quick brown fox wants to a coffee machine. It costs 12 dollars, and fox runs away with it at once, over the hills and far away.",
        "quick The brown fox wants to buy a coffee machine. It costs 12 dollars, and the fox runs away with it at once, over the hills and far away.",
      ]
    `);
  });
});

describe('synonyms', () => {
  test.each([
    ['Buy one', 'Purchase one'],
    ['BUY ONE', 'PURCHASE ONE'],
    ['"buy",', '"purchase",'],
    ['my Coffee\nmachine', 'my Espresso maker'],
    ['a coffee machine', 'a coffee machine'],
    ['a lorry', 'a truck'],
    ['coffee machines', 'coffee machines'],
    ['如何配置它', '如何设置它'],
    ['a truck', 'a truck'],
    ['buyer', 'buyer'],
  ])('%j becomes %j', (text, expected) => expect(varied(text, 'synonyms')).toBe(expected));

  test('one at least is replaced, and no more than the rate says', () => {
    const many = Array.from({ length: 30 }, () => 'buy').join(' ');
    expect(words(varied(many, 'synonyms')).filter(w => w === 'purchase').length).toBe(3);
    expect(varied('buy it', 'synonyms')).toBe('purchase it');
    expect(varied('buy the coffee machine', 'synonyms', { keep: ['coffee machine'] })).toBe(
      'purchase the coffee machine',
    );
    expect(varied('buy it', 'synonyms', { keep: ['buy'] })).toBe('buy it');
  });

  test.each([
    ['tabs, comments, empty lines', '# words\n\nbuy\tpurchase\r\n'],
    ['JSON by word', '{"buy": ["purchase"]}'],
    ['JSON by group', '[["purchase", "buy"]]'],
    [
      'MyThes',
      'UTF-8\nI|2\n(noun)|iodine\n(noun)|one\nbuy|1\n(verb)|purchase|acquire (generic term)|sell (antonym)\npurchase|1\n(verb)|buy\n',
    ],
    ['MyThes in another encoding', 'ISO8859-1\nbuy|1\n(verb)|purchase\n'],
  ])('are read from %s', (_, file) => {
    const read = parseSynonyms(Buffer.from(file), 'words');
    expect(read.find('I buy', wordsOf('I buy'))).toEqual([{ first: 1, after: 2, others: ['purchase'] }]);
  });

  test('letters of another encoding come out right', () => {
    const file = Buffer.from('ISO8859-1\ncafé|1\n(noun)|bistrô\n', 'latin1');
    expect(parseSynonyms(file, 'w').find('Café', wordsOf('Café'))[0]!.others).toEqual(['bistrô']);
  });

  test.each([
    ['', 'no-synonyms'],
    ['alone\n', 'no-synonyms'],
    ['{"a": "b"}', 'bad-synonyms'],
    ['{"a": ', 'bad-synonyms'],
  ])('%j is no file of them', (file, reason) =>
    expect(() => parseSynonyms(Buffer.from(file), 'words.txt')).toThrow(expect.objectContaining({ reason })),
  );
});

describe('by a language model', () => {
  const asked = async (given: object, answer?: (asked: Asked) => Reply, fields: Fields = { text: 'one two' }) => {
    const server = await llmServer(answer);
    const out = await run({ endpoint: server.url, model: 'm', retries: 0, ...given }, fields);
    return { ...out, server, texts: out.rows.map(r => r.fields.text) };
  };

  test('a paraphrase is asked for, each copy for itself', async () => {
    const { rows, server, lineage } = await asked(
      { how: 'paraphrase', copies: 2, seed: 5, language: 'Latin' },
      ({ number }) => `copy ${number}`,
    );
    expect(rows.map(r => r.fields)).toEqual([
      { text: 'one two' },
      { text: 'copy 1', augmented: 'paraphrase' },
      { text: 'copy 2', augmented: 'paraphrase' },
    ]);
    expect(server.asked[0]!.prompt).toMatch(
      /^Say the following text in other words, in Latin\..*<text>\none two\n<\/text>$/s,
    );
    expect(server.asked.map(a => a.body.seed)).toEqual([5, 6]);
    const spent = server.asked.reduce((n, a) => n + a.prompt.split(/\s+/).length, 0);
    expect(lineage[0]).toEqual({ spent: { input_tokens: spent, output_tokens: 4 } });
  });

  test('a translation goes there and back, by one language after another', async () => {
    const { texts, server } = await asked(
      { how: 'back-translation', copies: 3, via: ['French', 'Chinese'] },
      ({ prompt, number }) => `${/to (\w+)\./.exec(prompt)![1]} ${number}`,
    );
    const steps = server.asked.map(a => /from \w+ to \w+/.exec(a.prompt)![0]);
    expect(steps.toSorted()).toEqual([
      'from Chinese to English',
      'from English to Chinese',
      'from English to French',
      'from English to French',
      'from French to English',
      'from French to English',
    ]);
    expect(texts.length).toBe(4);
    expect(server.asked.find(a => a.prompt.includes('from French'))!.prompt).toMatch(/<text>\nFrench \d\n<\/text>/);
  });

  test('a stronger model answers, and its answer is the label', async () => {
    const { rows, server } = await asked(
      { how: 'pseudo-label', field: 'q', into: 'a', originals: false },
      () => 'Paris',
      { q: 'Capital of France?' },
    );
    expect(rows.map(r => r.fields)).toEqual([{ q: 'Capital of France?', a: 'Paris', augmented: 'pseudo-label' }]);
    expect(server.asked[0]!.body.messages).toEqual([{ role: 'user', content: 'Capital of France?' }]);
  });

  test("the recipe's own words go in place of ours", async () => {
    const { server } = await asked(
      { how: 'paraphrase', prompt: '{{ tone }}: {{ text }}', field: 'q', system: 'S' },
      () => 'x',
      { q: 'Q', tone: 'Kindly' },
    );
    expect(server.asked[0]!.body.messages).toEqual([
      { role: 'system', content: 'S' },
      { role: 'user', content: 'Kindly: Q' },
    ]);
  });

  test('a copy that cannot be had is a reject, and the row and its other copies stay', async () => {
    const { rows, rejects } = await asked(
      { how: ['paraphrase', 'synonyms'], copies: 2, synonyms: 'w' },
      ({ number }) => (number === 1 ? { refusal: 'no', content: null } : 'well'),
      { text: 'buy' },
    );
    expect(rows.map(r => r.fields.augmented)).toEqual([undefined, 'paraphrase', 'synonyms']);
    expect(rejects).toMatchObject([{ reason: 'paraphrase 1: the model refuses: no', transient: false }]);
    const down = await asked({ how: 'paraphrase' }, () => ({ status: 500 }));
    expect(down.rows.length).toBe(1);
    expect(down.rejects).toMatchObject([{ reason: 'paraphrase: status 500', transient: true }]);
  });

  test.each(['<text>\nUno\n</text>', ' Uno\n'])('%j is Uno', async answer => {
    expect((await asked({ how: 'paraphrase' }, () => answer)).texts[1]).toBe('Uno');
  });

  test('in a build, answers are kept, changed rows are asked, and the note counts', async () => {
    const server = await llmServer(({ prompt }) => prompt.replace(/.*<text>\n(.*)\n<\/text>/s, '$1 again'));
    const p = project({
      'finetune.yaml': `version: 1
sources:
  data: { uses: files, with: { paths: data.jsonl, key: id } }
transforms:
  more: { uses: augment, from: data, with: { how: paraphrase, endpoint: "${server.url}", model: m } }
`,
      'data.jsonl': Array.from({ length: 30 }, (_, i) => JSON.stringify({ id: `r${i}`, text: `t ${i}` })).join('\n'),
    });
    const notes = async () =>
      (await p.buildHere()).events.flatMap(e => (e.type === 'done' && e.node === 'more' ? [e.note] : []))[0];
    expect(await notes()).toMatch(/^30 copies, [\d,]+ \+ 90 tokens; 30 asked now/);
    p.edit('data.jsonl', '"t 7"', '"seven"');
    expect(await notes()).toMatch(/^30 copies, .*; 1 asked now/);
    p.edit('finetune.yaml', 'how: paraphrase', 'how: paraphrase, originals: false');
    expect(await notes()).toMatch(/; nothing asked$/);
    expect(server.asked.length).toBe(31);
  });
});

test.each([
  [{}],
  [{ how: 'shout' }],
  [{ how: [] }],
  [{ how: 'synonyms' }],
  [{ how: 'paraphrase' }],
  [{ how: ['delete', 'paraphrase'], model: 'm' }],
  [{ how: 'delete', endpoint: 'http://x', model: 'm' }],
  [{ how: 'delete', rate: 0.9 }],
  [{ how: 'pseudo-label', field: ['a', 'b'], endpoint: 'http://x', model: 'm' }],
])('%j is refused', given => expect(() => optionsOf('transforms/augment', given)).toThrow());
