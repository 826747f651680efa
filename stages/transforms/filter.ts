/** Transform `filter`: keeps the rows whose text and numbers pass every rule, and says of the others which rule they broke. */
import type { FilterOptions } from '../../schemas/types.ts';
import type { Fields, Row, RowsStage, Setup } from '../contract.ts';
import { compile as compileExpression, RowTrouble } from './expression/expression.ts';
import { equal } from './expression/operators.ts';
import { type Detect, detector } from './language/detect.ts';
import { count } from './text/count.ts';
import { patternsOf } from './text/patterns.ts';
import { valueAt } from './text/texts.ts';

export type Options = FilterOptions;

interface Rules {
  /** Whether there is any about the text: only then must a row have one. */
  readonly text: boolean;
  readonly where: readonly (readonly [field: string, bounds: Where])[];
  readonly expression: ((fields: Fields) => boolean) | null;
  readonly matches: readonly RegExp[];
  readonly notMatches: readonly RegExp[];
  readonly without: RegExp | null;
  readonly language: Detect | null;
}

type Where = NonNullable<Options['where']>[string];

const TEXT_RULES = ['min', 'max', 'words', 'matches', 'not_matches', 'without', 'language'] as const;

/** Letters below which no language is told. */
const FEWEST_LETTERS = 12;

const list = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value;

/** One pattern for all phrases, longest first; a phrase is found as whole words (CJK, which has no spaces, anywhere). */
const phrases = (all: readonly string[]): RegExp | null => {
  if (all.length === 0) return null;
  const one = (phrase: string): string => {
    const body = phrase
      .trim()
      .replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
      .replace(/\s+/g, '\\s+');
    const word = '[\\p{L}\\p{N}_]';
    const spaceless = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
    const edge = (c: string | undefined) => c !== undefined && /[\p{L}\p{N}_]/u.test(c) && !spaceless.test(c);
    const chars = [...phrase.trim()];
    return `${edge(chars[0]) ? `(?<!${word})` : ''}${body}${edge(chars.at(-1)) ? `(?!${word})` : ''}`;
  };
  const sorted = [...all].sort((a, b) => b.length - a.length);
  return new RegExp(sorted.map(one).join('|'), 'iu');
};

const bounds = (n: number, min: number | undefined, max: number | undefined, unit: string): string | null => {
  if (min !== undefined && n < min) return `shorter than ${min} ${unit} (${n})`;
  if (max !== undefined && n > max) return `longer than ${max} ${unit} (${n})`;
  return null;
};

/** The rule that `text` breaks, or null. */
const broken = (text: string, rules: Rules, options: Options): string | null => {
  const { min, max, words } = options;
  // There are at most as many characters as UTF-16 units, and at least half as many: mostly that decides.
  const { length } = text;
  const doubtful = (min !== undefined && length < 2 * min) || (max !== undefined && length > max);
  if (doubtful || words) {
    const counts = count(text);
    const reason =
      bounds(counts.characters, min, max, 'characters') ?? bounds(counts.words, words?.min, words?.max, 'words');
    if (reason) return reason;
  }
  const found = rules.without?.exec(text);
  if (found) return `contains "${found[0]}"`;
  const missing = rules.matches.find(pattern => !pattern.test(text));
  if (missing) return `does not match ${missing}`;
  const forbidden = rules.notMatches.find(pattern => pattern.test(text));
  if (forbidden) return `matches ${forbidden}`;
  if (!rules.language) return null;
  const language = rules.language(text);
  const wanted = list(options.language);
  return wanted.includes(language) ? null : `language is ${language}, not ${wanted.join(' or ')}`;
};

type Judgement = { readonly drop: string } | { readonly reject: string } | null;

/** What `where` says of one field. */
const judgeField = ({ fields }: Row, field: string, { min, max, in: some, not_in: none }: Where): Judgement => {
  const value = valueAt(fields, field);
  if (min !== undefined || max !== undefined) {
    if (typeof value !== 'number') return { reject: `field "${field}" is not a number` };
    if (min !== undefined && value < min) return { drop: `${field} below ${min} (${value})` };
    if (max !== undefined && value > max) return { drop: `${field} above ${max} (${value})` };
  }
  if (!some && !none) return null;
  if (value === null && ![...(some ?? []), ...(none ?? [])].includes(null))
    return { reject: `field "${field}" is missing` };
  const is = (one: string | number | boolean | null) => equal(one, value);
  if (some && !some.some(is)) return { drop: `${field} is ${JSON.stringify(value)}, none of those wanted` };
  return none?.some(is) ? { drop: `${field} is ${JSON.stringify(value)}` } : null;
};

const judgeExpression = ({ fields }: Row, passes: (fields: Fields) => boolean): Judgement => {
  try {
    return passes(fields) ? null : { drop: 'the expression is false' };
  } catch (error) {
    if (error instanceof RowTrouble) return { reject: error.message };
    throw error;
  }
};

export default {
  kind: 'rows',
  async setup({ options }: Setup<Options>): Promise<Rules> {
    const flags = options.ignore_case ? 'iu' : 'u';
    return {
      text: TEXT_RULES.some(name => options[name] !== undefined),
      where: Object.entries(options.where ?? {}),
      expression: options.expression === undefined ? null : compileExpression(options.expression),
      matches: patternsOf('matches', options.matches, flags),
      notMatches: patternsOf('not_matches', options.not_matches, flags),
      without: phrases(list(options.without)),
      language: options.language === undefined ? null : await detector({ min: FEWEST_LETTERS }),
    };
  },
  map(row, emit, rules, options) {
    const decide = (judgement: Judgement): boolean => {
      if (!judgement) return false;
      if ('drop' in judgement) emit.drop(row, judgement.drop);
      else emit.reject(row, judgement.reject);
      return true;
    };
    for (const [field, where] of rules.where) if (decide(judgeField(row, field, where))) return;
    if (rules.expression && decide(judgeExpression(row, rules.expression))) return;
    if (!rules.text) return emit.keep(row);
    const text = row.fields[options.field];
    if (typeof text !== 'string') return emit.reject(row, `field "${options.field}" is not a text`);
    const reason = broken(text, rules, options);
    if (reason) emit.drop(row, reason);
    else emit.keep(row);
  },
} satisfies RowsStage<Options, Rules>;
