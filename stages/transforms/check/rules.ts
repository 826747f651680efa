/** The rules of a check as the recipe lists them, each with its name and with what it takes to pass. */
import type { CheckOptions } from '../../../schemas/types.ts';
import { StageError } from '../../contract.ts';
import { HARMONY_CHECKS } from './harmony.ts';

export type Options = CheckOptions;
export type Written = NonNullable<Options['rules']>[number];
export type Severity = 'error' | 'warn';

export interface Rule {
  readonly name: string;
  readonly severity: Severity;
  readonly written: Written;
  /** Which of a format's checks it is. */
  readonly part?: string;
  /** Of rows that are its business, the share that must keep it. */
  readonly mostly: number;
  /** In place of `mostly`: bounds of that share. No row fails by such a rule. */
  readonly share?: { readonly min?: number; readonly max?: number };
  readonly compares: boolean;
  readonly marks: boolean;
}

/** Keys of a rule of which it has one, besides those about a field. */
const KINDS = ['unique', 'schema', 'expression'] as const;
/** What can be asked of a field. */
const OF_FIELD = [
  'required',
  'type',
  'min',
  'max',
  'characters',
  'words',
  'items',
  'matches',
  'not_matches',
  'in',
  'not_in',
  'language',
  'format',
] as const;

const list = (value: string | readonly string[]): string => [value].flat().join(', ');

const bounds = (name: string, { min, max }: { readonly min?: number; readonly max?: number }): string =>
  `${name} ${min === undefined ? `up to ${max}` : max === undefined ? `from ${min}` : `${min} to ${max}`}`;

/** What a rule without a name is called. */
const nameOf = (rule: Written): string => {
  if (rule.unique !== undefined) return `${list(rule.unique)} is unique`;
  if (rule.schema) return 'fits the schema';
  if (rule.expression !== undefined)
    return rule.expression.length > 60 ? `${rule.expression.slice(0, 57)}...` : rule.expression;
  const parts: string[] = [];
  if (rule.required) parts.push('is there');
  if (rule.type) parts.push(`is ${rule.type}`);
  if (rule.min !== undefined || rule.max !== undefined)
    parts.push(bounds('is', rule as { min?: number; max?: number }));
  for (const name of ['characters', 'words', 'items'] as const)
    if (rule[name]) parts.push(bounds(`has ${name}`, rule[name]));
  if (rule.matches !== undefined) parts.push(`matches ${list(rule.matches)}`);
  if (rule.not_matches !== undefined) parts.push(`does not match ${list(rule.not_matches)}`);
  if (rule.in) parts.push(`is one of ${rule.in.length}`);
  if (rule.not_in) parts.push(`is none of ${rule.not_in.length}`);
  if (rule.language !== undefined) parts.push(`is in ${list(rule.language)}`);
  return `${fieldOf(rule)} ${parts.join(', ')}`;
};

export const fieldOf = ({ field = 'text' }: Written): string => field;

const checkForm = (rule: Written, at: number): void => {
  const kinds = KINDS.filter(kind => rule[kind] !== undefined);
  const about = OF_FIELD.filter(key => rule[key] !== undefined && rule[key] !== false);
  const bad = (why: string): never => {
    throw new StageError('bad-rule', `rule ${at + 1}${rule.name === undefined ? '' : ` (${rule.name})`} ${why}`, {
      advice: `A rule has one of ${KINDS.join(', ')}, or says of a field: ${OF_FIELD.join(', ')}.`,
    });
  };
  if (kinds.length > 1) bad(`is about ${kinds.join(' and ')}: make two of it`);
  if (kinds.length === 1 && (about.length > 0 || rule.field !== undefined))
    bad(`is about ${kinds[0]} and about a field: make two of it`);
  if (kinds.length === 0 && about.length === 0) bad('says nothing of its field');
  if (rule.share && rule.mostly !== undefined) bad('has mostly and share, which are two ways to say what passes');
};

/** One rule that compares rows takes a bit of a row's mark. */
const MOST_COMPARED = 30;

/** In the order of the recipe; a format is several. */
export const rulesOf = (options: Options): readonly Rule[] => {
  const all = (options.rules ?? []).flatMap((written, at): Rule[] => {
    checkForm(written, at);
    const name = written.name ?? nameOf(written);
    const { share } = written;
    const rule: Rule = {
      name,
      severity: written.severity ?? 'error',
      written,
      mostly: written.mostly ?? options.mostly,
      ...(share ? { share } : {}),
      compares: written.unique !== undefined,
      marks: share === undefined,
    };
    if (written.format === undefined) return [rule];
    return Object.keys(HARMONY_CHECKS).map(part => ({ ...rule, part, name: written.name ? `${name}: ${part}` : part }));
  });
  if (all.filter(rule => rule.compares).length > MOST_COMPARED)
    throw new StageError('bad-rule', `more than ${MOST_COMPARED} rules say that something is unique`);
  return all;
};
