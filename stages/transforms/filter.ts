/** Transform `filter`: keeps the rows whose text and numbers pass every rule, and says of the others which rule they broke. */
import type { FilterOptions } from '../../schemas/types.ts';
import { type RowsStage, type Setup, StageError } from '../contract.ts';
import { count } from './text/count.ts';

export type Options = FilterOptions;

interface Rules {
  /** Whether there is any about the text: only then must a row have one. */
  readonly text: boolean;
  readonly where: readonly (readonly [field: string, bounds: { readonly min?: number; readonly max?: number }])[];
  readonly matches: readonly RegExp[];
  readonly notMatches: readonly RegExp[];
  readonly without: RegExp | null;
}

const TEXT_RULES = ['min', 'max', 'words', 'matches', 'not_matches', 'without'] as const;

const list = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value;

const compile = (option: string, options: Options, patterns: string | readonly string[] | undefined): RegExp[] =>
  list(patterns).map(pattern => {
    try {
      return new RegExp(pattern, options.ignore_case ? 'iu' : 'u');
    } catch (error) {
      const why = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : String(error);
      throw new StageError(
        'invalid-pattern',
        `${option}: ${JSON.stringify(pattern)} is no regular expression: ${why}`,
        {
          advice: 'Patterns are JavaScript regular expressions with the u flag; in YAML write them in single quotes.',
        },
      );
    }
  });

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
  if (min !== undefined || max !== undefined || words) {
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
  return forbidden ? `matches ${forbidden}` : null;
};

export default {
  kind: 'rows',
  setup: ({ options }: Setup<Options>): Rules => ({
    text: TEXT_RULES.some(name => options[name] !== undefined),
    where: Object.entries(options.where ?? {}),
    matches: compile('matches', options, options.matches),
    notMatches: compile('not_matches', options, options.not_matches),
    without: phrases(list(options.without)),
  }),
  map(row, emit, rules, options) {
    for (const [field, { min, max }] of rules.where) {
      const value = row.fields[field];
      if (typeof value !== 'number') return emit.reject(row, `field "${field}" is not a number`);
      if (min !== undefined && value < min) return emit.drop(row, `${field} below ${min} (${value})`);
      if (max !== undefined && value > max) return emit.drop(row, `${field} above ${max} (${value})`);
    }
    if (!rules.text) return emit.keep(row);
    const text = row.fields[options.field];
    if (typeof text !== 'string') return emit.reject(row, `field "${options.field}" is not a text`);
    const reason = broken(text, rules, options);
    if (reason) emit.drop(row, reason);
    else emit.keep(row);
  },
} satisfies RowsStage<Options, Rules>;
