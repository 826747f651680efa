import { describe, expect, test } from 'vitest';
import { digest } from '../../../cache/digest.ts';
import type { Fields, Row } from '../../../stages/contract.ts';
import { drawing } from '../../../stages/transforms/near-dedup/hash.ts';
import { layoutFor } from '../../../stages/transforms/near-dedup/minhash.ts';
import nearDedup, { type Options } from '../../../stages/transforms/near-dedup.ts';
import { row } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const options = (given: object = {}) => optionsOf<Options>('transforms/near-dedup', given);

/** Sketches that stay, unlike the stage's own arrays. */
const sketcher = (given: object = {}) => {
  const with_ = options(given);
  const state = nearDedup.setup({ options: with_, files: {}, inputs: {} });
  return (fields: Fields) => {
    const made = nearDedup.sketch(row('x', fields), state, with_);
    return made && { bands: made.bands.slice(), bytes: made.bytes.slice() };
  };
};

/** Pairs of rows that share a band and are similar: what the engine joins. */
const joined = (rows: readonly Row[], given: object = {}): Set<string> => {
  const with_ = options(given);
  const sketch = sketcher(given);
  const sketches = rows.map(r => sketch(r.fields));
  const buckets = new Map<string, number[]>();
  const pairs = new Set<string>();
  for (const [i, s] of sketches.entries()) {
    if (!s) continue;
    for (const [band, value] of s.bands.entries()) {
      const name = `${band} ${value}`;
      const before = buckets.get(name) ?? [];
      buckets.set(name, before);
      for (const j of before) if (nearDedup.similar(sketches[j]!.bytes, s.bytes, with_)) pairs.add(`${j} ${i}`);
      before.push(i);
    }
  }
  return pairs;
};

const same = (a: string, b: string, given: object = {}) =>
  joined([row('a', { text: a }), row('b', { text: b })], given).size === 1;

describe('what is compared', () => {
  const base = 'The quick brown fox jumps over the lazy dog and runs away';
  test.each([
    ['capitals, punctuation and white space', '  the QUICK, brown fox:\njumps "over" the lazy-dog; and runs away!'],
    ['wide letters', base.replace('quick', 'ｑｕｉｃｋ')],
    ['joiners and soft hyphens', base.replace('brown', 'bro\u00ADw\u200Dn')],
    ['emoji', `${base} 👍🏽`],
  ])('%s do not count', (_, other) => expect(same(base, other, { threshold: 1 })).toBe(true));

  test('accents count, however they are written', () => {
    const text = 'Où est le café crème brûlée près du théâtre';
    expect(same(text, text.normalize('NFD'), { threshold: 1 })).toBe(true);
    expect(same(text, text.replace('café', 'cafe'), { threshold: 1 })).toBe(false);
  });

  test.each([
    ['ÀÉÎÕÜ ŁÓDŹ ŠKODA ŸVES İZMİR DŽ', 'àéîõü łódź škoda ÿves izmir dž'],
    ['ΆΈΉΊΌΎΏ ΟΔΥΣΣΕΥΣ', 'άέήίόύώ οδυσσευς'],
    ['ЁЖИК ЇЖАК ҐРУНТ', 'ёжик їжак ґрунт'],
    ['ԱԲԳ ՖԵՎ', 'աբգ ֆեվ'],
  ])('%s is %s', (large, small) => expect(same(large, small, { threshold: 1, shingle: 1 })).toBe(true));

  test('every capital letter of the scripts we fold has the small letter that JavaScript gives it', () => {
    const sketch = sketcher({ shingle: 1 });
    const capitals = /[\p{Lu}]/u;
    const one = (text: string) => digest(sketch({ text })!.bytes);
    for (const [first, last] of [
      [0x41, 0x17e],
      [0x1cd, 0x1ef],
      [0x386, 0x3ab],
      [0x400, 0x556],
      [0x1e00, 0x1eff],
    ] as const) {
      for (let point = first; point <= last; point++) {
        const letter = String.fromCodePoint(point);
        if (capitals.test(letter) && letter !== 'İ') expect(one(letter), letter).toBe(one(letter.toLowerCase()));
      }
    }
  });

  test('a text without a word has no sketch', () => {
    const sketch = sketcher();
    for (const text of ['', '  \n', '… — 👍 ***']) expect(sketch({ text })).toBeNull();
    expect(sketch({ other: 1 })).toBeNull();
  });

  test('shorter texts than a shingle are compared whole', () => {
    expect(same('Thank you!', 'thank you')).toBe(true);
    expect(same('Thank you!', 'thank them')).toBe(false);
  });

  test.each([
    [
      'Chinese',
      '请先阅读手册，然后按下电源按钮三秒钟以启动咖啡机。',
      '请先阅读手册，然后按下电源按钮三秒钟以启动洗衣机。',
    ],
    ['Thai', 'โปรดอ่านคู่มือก่อนใช้งานเครื่องชงกาแฟทุกครั้งนะครับ', 'โปรดอ่านคู่มือก่อนใช้งานเครื่องชงกาแฟทุกครั้งนะคะ'],
  ])('in %s each character is a word', (_, a, b) => {
    expect(same(a, b, { threshold: 0.5 })).toBe(true);
    expect(same(a, [...a].reverse().join(''), { threshold: 0.3 })).toBe(false);
  });

  test('`text` where there is one; else every text in the row; or the fields that are named', () => {
    const sketch = sketcher();
    const text = 'one two three four five six';
    expect(sketch({ text, path: 'a.md' })).toEqual(sketch({ text, path: 'b.md' }));
    expect(sketch({ q: text, n: 1 })).toEqual(sketch({ text }));
    expect(sketch({ q: 'seven', a: text })).toEqual(sketch({ a: text, q: 'seven' }));
    const messages = [{ content: 'one two three' }, { content: 'four five six' }];
    expect(sketch({ messages })).toEqual(sketch({ text }));
    expect(sketcher({ field: 'q' })({ text: 'else', q: text })).toEqual(sketch({ text }));
    expect(sketcher({ field: ['q', 'a'] })({ a: 'four five six', q: 'one two three' })).toEqual(sketch({ text }));
  });

  test('the longest, or the first, ranks highest', () => {
    const rank = (text: string, keep: string) => nearDedup.rank(row('a', { text }), options({ keep }));
    expect(rank('longer', 'longest')).toBeGreaterThan(rank('long', 'longest'));
    expect(rank('longer', 'first')).toBe(rank('long', 'first'));
  });
});

/** Texts in families: each member is the first one with some of its words replaced. */
const families = (count: number, members: number, words: number): { text: string; family: number }[] => {
  const draw = drawing(7);
  const word = () => `w${draw(20_000)}`;
  return Array.from({ length: count }, (_, family) => {
    const base = Array.from({ length: words }, word);
    return Array.from({ length: members }, (_, member) => {
      const share = member === 0 ? 0 : draw(80) / 1000;
      const text = base.map(w => (draw(1000) < share * 1000 ? word() : w)).join(' ');
      return { text, family };
    });
  }).flat();
};

/** The exact similarity, by definition. */
const jaccard = (a: string, b: string, size: number): number => {
  const shingles = (text: string) => {
    const words = text.split(' ');
    return new Set(words.slice(size - 1).map((_, i) => words.slice(i, i + size).join(' ')));
  };
  const x = shingles(a);
  const y = shingles(b);
  const both = x.intersection(y).size;
  return both / (x.size + y.size - both);
};

describe.each([12, 40, 200, 1000])('MinHash on texts of %i words', words => {
  const all = families(words > 500 ? 100 : 400, 4, words);
  const rows = all.map(({ text }, i) => row(String(i), { text }));
  const exact = new Map<string, number>();
  for (let i = 0; i < all.length; i++) {
    for (let j = i + 1; j < all.length && all[j]!.family === all[i]!.family; j++) {
      exact.set(`${i} ${j}`, jaccard(all[i]!.text, all[j]!.text, 5));
    }
  }

  test('finds the pairs above the threshold, and few below it', () => {
    const found = joined(rows);
    const near = (from: number) => [...exact].filter(([, similarity]) => similarity >= from).map(([pair]) => pair);
    const recall = (from: number) => near(from).filter(pair => found.has(pair)).length / near(from).length;
    expect(near(0.9).length).toBeGreaterThan(50);
    expect(recall(0.9)).toBeGreaterThan(0.98);
    expect(recall(0.8)).toBeGreaterThan(0.85);
    const wrong = (below: number) => [...found].filter(pair => (exact.get(pair) ?? 0) < below).length / found.size;
    expect(wrong(0.8)).toBeLessThan(0.15);
    expect(wrong(0.7)).toBeLessThan(0.01);
  });

  test('its estimate is unbiased and as close as 112 hashes can be', () => {
    const sketch = sketcher();
    const bytes = rows.map(r => sketch(r.fields)!.bytes);
    const errors = [...exact].map(([pair, similarity]) => {
      const [i, j] = pair.split(' ').map(Number) as [number, number];
      let equal = 0;
      for (let k = 0; k < 112; k++) if (bytes[i]![k] === bytes[j]![k]) equal++;
      return (equal / 112 - 1 / 256) / (255 / 256) - similarity;
    });
    const mean = errors.reduce((n, e) => n + e, 0) / errors.length;
    const spread = Math.sqrt(errors.reduce((n, e) => n + (e - mean) ** 2, 0) / errors.length);
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(spread).toBeLessThan(0.05);
  });
});

test('bands are chosen by the threshold, or given', () => {
  expect(layoutFor(0.8)).toEqual({ bands: 14, rows: 8 });
  const chosen = [0.3, 0.5, 0.7, 0.9, 1].map(threshold => nearDedup.shape(options({ threshold })));
  expect(chosen.map(({ bands, bytes }) => `${bands} x ${bytes / bands}`)).toMatchInlineSnapshot(`
    [
      "56 x 2",
      "37 x 3",
      "22 x 5",
      "8 x 13",
      "1 x 112",
    ]
  `);
  expect(nearDedup.shape(options({ bands: 20, rows: 13 }))).toEqual({ bands: 20, bytes: 260 });
});

describe('SimHash', () => {
  const method = 'simhash';

  test('rows that differ in as many bits as allowed share a band, always', () => {
    const all = families(150, 3, 400);
    const sketch = sketcher({ method });
    const made = all.map(({ text }) => sketch({ text })!);
    const found = joined(
      all.map(({ text }, i) => row(String(i), { text })),
      { method },
    );
    let near = 0;
    for (let i = 0; i < all.length; i++) {
      for (let j = i + 1; j < all.length; j++) {
        if (!nearDedup.similar(made[i]!.bytes, made[j]!.bytes, options({ method }))) continue;
        near++;
        expect(found.has(`${i} ${j}`)).toBe(true);
      }
    }
    expect(near).toBeGreaterThan(20);
  });

  test('texts that are almost equal are joined, others are not', () => {
    const [a, b] = families(2, 1, 1000).map(({ text }) => text) as [string, string];
    expect(same(a, a.replace(/\w+$/, 'end'), { method })).toBe(true);
    expect(same(a, b, { method, distance: 8 })).toBe(false);
  });
});

test('sketches are the same for ever', () => {
  const texts = [
    'The quick brown fox jumps over the lazy dog.',
    'Größe ÄÖÜ, l’été déjà; ŁÓDŹ 12,5 %',
    'Съешь ещё этих мягких французских булок, да выпей чаю',
    '请先阅读手册，然后按下电源按钮。カタカナ ﾊﾝｶｸ 한국어 문장',
    'ภาษาไทย ဗမာစာ ភាសាខ្មែរ हिन्दी। العربية، עברית',
    '𠮷野家 𝔘𝔫𝔦 👩‍👩‍👧 \ud800 x',
  ];
  const of = (given: object) => {
    const sketch = sketcher(given);
    return digest(
      Buffer.concat(texts.flatMap(text => Object.values(sketch({ text })!).map(a => Buffer.from(a.buffer)))),
    );
  };
  expect(of({}).slice(0, 16)).toMatchInlineSnapshot(`"582d57c6985f5590"`);
  expect(of({ method: 'simhash' }).slice(0, 16)).toMatchInlineSnapshot(`"95869aaf1bf33887"`);
});

test.each([
  [{ bands: 3 }],
  [{ threshold: 0 }],
  [{ threshold: 1.1 }],
  [{ distance: 3 }],
  [{ method: 'simhash', threshold: 0.8 }],
])('%j is refused', given => expect(() => options(given)).toThrow());
