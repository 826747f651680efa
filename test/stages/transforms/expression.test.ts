import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compile, RowTrouble } from '../../../stages/transforms/expression/expression.ts';

const FIELDS = {
  n: 5,
  text: 'One two three',
  lang: 'en',
  cell: ' 7.5 ',
  ok: true,
  nothing: null,
  tags: ['a', 'b'],
  meta: { stars: 4, 'x y': 1 },
  messages: [
    { role: 'user', content: 'hi' },
    { role: 'tool', content: 'x' },
  ],
  'my field': 1,
  'a.b': 2,
};

describe('what an expression says of a row', () => {
  test.each([
    ['n == 5', true],
    ['n != 5', false],
    ['n > 4.5 and n <= 5', true],
    ['n < 5 or lang == "en"', true],
    ["not (n < 5 or lang == 'en')", false],
    ['!ok || n >= 5', true],
    ['length(text) == 13 && words(text) == 3', true],
    ['n * 2 + 1 == 11', true],
    ['1 + 2 * 3 == 7', true],
    ['(1 + 2) * 3 == 9', true],
    ['10 - 2 - 3 == 5', true],
    ['-n < 0', true],
    ['7 % 4 == 3', true],
    ["lang in ['en', 'es']", true],
    ["lang not in ['en', 'es']", false],
    ["'two' in text", true],
    ["'tool' in messages.role", true],
    ["messages.1.content == 'x'", true],
    ['length(messages) == 2', true],
    ['meta.stars > 3', true],
    ["'a' in tags and length(tags) == 2", true],
    ["tags == ['a', 'b']", true],
    ['number(cell) > 7', true],
    ['exists(n) and not exists(missing) and not exists(nothing)', true],
    ['missing == null', true],
    ['length(missing) == 0', true],
    ["text matches '^One\\\\b.*\\\\d*'", true],
    ["text matches '^one'", false],
    ["lower(text) matches '^one'", true],
    ['`my field` == 1 and a.b == 2', true],
    ["'it\\'s' == \"it's\"", true],
    ["text < 'Two'", true],
    ['ok', true],
    ['exists(missing) and missing > 3', false],
  ])('%s: %s', (expression, expected) => expect(compile(expression)(FIELDS)).toBe(expected));
});

describe('trouble with a row is told in the words of the expression', () => {
  test.each([
    ['missing > 3', 'missing is missing, which cannot be compared'],
    ["n > 'a'", "'a' is a text, which cannot be compared"],
    ['text + 1 == 2', 'text is a text, not a number'],
    ['number(text) > 1', 'text is "One two three", not a number'],
    ['n', 'n is a number, not true or false'],
    ['meta.stars and ok', 'meta.stars is a number, not true or false'],
    ["n matches 'x'", 'n is a number, not a text'],
    ['1 in n', 'n is a number, and holds nothing'],
    ['length(text) + length(tags) * (n + tags) > 1', 'tags is a list, not a number'],
  ])('%s: %s', (expression, message) => {
    const run = compile(expression);
    expect(() => run(FIELDS)).toThrow(new RowTrouble(message));
  });
});

describe('what cannot be read is told with its place', () => {
  test.each([
    ['', 'something is missing here', 0],
    ['n >', 'something is missing here', 3],
    ['n = 5', '"=" cannot stand here', 2],
    ["lang == 'en", 'this quotation mark is not closed', 8],
    ['(n > 1', '")" is missing', 6],
    ['n > 1 lang', '"lang" cannot stand here', 6],
    ['size(n) > 1', 'there is no function "size": length, words, lower, exists, number', 0],
    ["text matches '('", /no regular expression/, 13],
    ['text matches n', 'a regular expression in quotes is missing', 13],
    ['and n', '"and" cannot stand here', 0],
    [`${'('.repeat(200)}n`, 'this is nested too deep', 100],
  ])('%s', (expression, message, at) => {
    let error: unknown;
    try {
      compile(expression);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ reason: 'invalid-expression' });
    const [why, , mark] = (error as Error).message.split('\n');
    if (typeof message === 'string') expect(why).toBe(message);
    else expect(why).toMatch(message);
    expect(mark!.length - 3).toBe(at);
  });
});

test('whatever is written, it is either read or told', () => {
  const part = fc.constantFrom(
    'n',
    'text',
    '1',
    "'a'",
    '[',
    ']',
    '(',
    ')',
    ',',
    '==',
    '<',
    'and',
    'or',
    'not',
    'in',
    '-',
    '+',
    'length',
    '.',
    '"',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), parts => {
      try {
        compile(parts.join(' '))(FIELDS);
      } catch (error) {
        expect(error instanceof RowTrouble || (error as { reason?: string }).reason === 'invalid-expression').toBe(
          true,
        );
      }
    }),
    { numRuns: 2000 },
  );
});
