/** Rows as text: what people see of long texts, conversations, wide letters and token ids. */
import { describe, expect, test } from 'vitest';
import { colourPalette, plainPalette } from '../../src/views/palette.ts';
import { width } from '../../src/views/printable.ts';
import { rowLines } from '../../src/views/row-text.ts';

const lines = (fields: Record<string, unknown>, more: Parameters<typeof rowLines>[1] = {}) =>
  rowLines({ id: 'r', fields }, more).slice(1);

describe('fields', () => {
  test('short values stay on their line, texts of several lines stand below their name', () => {
    expect(lines({ a: 'one', n: 1.5, no: null, o: { x: [1] }, t: 'first\nsecond', empty: '' })).toEqual([
      '  a: one',
      '  n: 1.5',
      '  no: null',
      '  o: {"x":[1]}',
      '  t:',
      '    first',
      '    second',
      '  empty:',
    ]);
  });

  test('a long text is cut at a character, and its length told', () => {
    const [line] = lines({ text: '😀'.repeat(700) });
    expect(line).toBe(`  text: ${'😀'.repeat(600)}… (700 characters)`);
  });

  test('numbers are counted, not listed', () => {
    expect(lines({ ids: Array.from({ length: 1200 }, (_, i) => i) })).toEqual([
      '  ids: [0, 1, 2, 3, 4, 5, 6, 7, …] (1,200 numbers)',
    ]);
    expect(lines({ ids: [1, 2] })).toEqual(['  ids: [1, 2]']);
  });

  test('a value too long for its line is laid out, and what is inside it', () => {
    const long = 'word '.repeat(30).trim();
    expect(lines({ row: { text: long, tags: ['a'] }, all: [long, { deep: long }, ...Array(12).fill(1)] })).toEqual([
      '  row:',
      `    text: ${long}`,
      '    tags: ["a"]',
      '  all:',
      `    - ${long}`,
      `    - deep: ${long}`,
      ...Array(8).fill('    - 1'),
      '    … and 4 more items',
    ]);
  });

  test('a conversation is a conversation', () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'Hi\nthere' }], name: 'Ann' },
      { role: 'assistant', content: 'Hello.', thinking: 'Greet.', tool_calls: [{ name: 'f', arguments: {} }] },
    ];
    expect(lines({ messages })).toEqual([
      '  messages:',
      '    system',
      '      Be brief.',
      '    user',
      '      name: Ann',
      '      Hi',
      '      there',
      '    assistant',
      '      thinking: Greet.',
      '      Hello.',
      '      tool_calls: [{"name":"f","arguments":{}}]',
    ]);
  });

  test('nothing that a terminal obeys gets through, in names, keys or values', () => {
    const evil = '\u001b[31m\u0007\u202e';
    const all = rowLines({
      id: evil,
      fields: { [evil]: evil, o: { [evil]: [evil] }, messages: [{ role: evil, content: evil }] },
    });
    expect(all.join('\n')).not.toMatch(/[\u001b\u0007\u202e]/);
  });
});

describe('on a terminal', () => {
  test('lines are broken at words, as far in as they began', () => {
    expect(lines({ a: 'one two three four five six' }, { columns: 20 })).toEqual([
      '  a: one two three',
      '  four five six',
    ]);
  });

  test('wide letters count for two columns, and colours for none', () => {
    const text = '日本語の文がここにあります、とても長い文です。'.repeat(3);
    for (const palette of [plainPalette, colourPalette]) {
      const all = rowLines(
        { id: 'r', fields: { text, more: 'emoji 👩‍👩‍👧 and 漢字 mixed with words' } },
        { columns: 30, palette },
      );
      const bare = all.map(l => l.replace(/\x1b\[[0-9;]*m/g, ''));
      for (const line of bare) expect(width(line), line).toBeLessThanOrEqual(30);
      expect(bare.join('').replace(/\s/g, '')).toContain(text);
    }
  });
});

describe('marked stretches', () => {
  const fields = {
    text: 'x',
    input_ids: Array.from({ length: 30 }, (_, i) => i),
    trained: [
      [3, 5],
      [8, 10],
    ],
    other: 'y',
  };
  const shown = (stretches: { text: string; marked: boolean }[], palette = plainPalette) =>
    rowLines({ id: 'r', fields, stretches }, { palette }).slice(1);

  test('take the place of text and token ids, with what is trained in brackets', () => {
    const stretches = [
      { text: '<|start|>user\nQ', marked: false },
      { text: 'A<|return|>', marked: true },
      { text: 'B', marked: false },
    ];
    expect(shown(stretches)).toEqual([
      '  30 tokens, 4 trained',
      '  text:',
      '    <|start|>user',
      '    Q⟦A<|return|>⟧B',
      '  other: y',
    ]);
  });

  test('are green where there are colours, over several lines', () => {
    const all = shown(
      [
        { text: 'a', marked: false },
        { text: 'b\nc', marked: true },
      ],
      colourPalette,
    ).join('\n');
    expect(all).toContain(
      `${colourPalette('dim', 'a')}${colourPalette('green', 'b')}\n    ${colourPalette('green', 'c')}`,
    );
    expect(all).not.toContain('⟦');
  });

  test('long ones are shown whole, of the others the ends', () => {
    const trained = 'trained '.repeat(200);
    const [, , text] = shown([
      { text: `begin ${'middle '.repeat(300)}end`, marked: false },
      { text: trained, marked: true },
      { text: `next ${'rest '.repeat(300)}`, marked: false },
    ]);
    expect(text).toContain(`⟦${trained}⟧`);
    expect(text).toMatch(/^ {4}begin (middle )+… \(1,\d{3} characters\) … (middle )+end⟦/);
    expect(text).toMatch(/⟧next (rest )+… \(1,\d{3} characters\) …$/);
  });
});
