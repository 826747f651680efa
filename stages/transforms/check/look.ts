/** What each rule finds in a row. */
import { type Fields, type Finding, type Json, StageError } from '../../contract.ts';
import { type Check, compileSchema } from '../../json-schema.ts';
import { canonicalText, normalizers } from '../dedup/canonical.ts';
import { compile as compileExpression, RowTrouble } from '../expression/expression.ts';
import { equal } from '../expression/operators.ts';
import { type Detect, detector, UNKNOWN } from '../language/detect.ts';
import { count } from '../text/count.ts';
import { patternsOf } from '../text/patterns.ts';
import { valueAt, valuesAt } from '../text/texts.ts';
import { HARMONY_CHECKS } from './harmony.ts';
import { fieldOf, type Rule, type Written } from './rules.ts';

export type Look = (fields: Fields) => Finding;

type Bounds = { readonly min?: number; readonly max?: number };
/** What is wrong with one value; null if nothing is. */
type Judge = (value: Json) => string | null;

const TYPES: Readonly<Record<string, (value: Json) => boolean>> = {
  text: value => typeof value === 'string',
  number: value => typeof value === 'number',
  integer: value => Number.isInteger(value),
  boolean: value => typeof value === 'boolean',
  list: value => Array.isArray(value),
  map: value => typeof value === 'object' && value !== null && !Array.isArray(value),
};

const outside = (n: number, { min, max }: Bounds): string | null =>
  min !== undefined && n < min ? `below ${min}` : max !== undefined && n > max ? `above ${max}` : null;

const shown = (value: Json): string => {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

const ofText =
  (judge: (text: string) => string | null): Judge =>
  value =>
    typeof value === 'string' ? judge(value) : `is no text: ${shown(value)}`;

const lengths = (rule: Written): Judge[] => {
  const judges: Judge[] = [];
  for (const unit of ['characters', 'words'] as const) {
    const bounds = rule[unit] as Bounds | undefined;
    if (!bounds) continue;
    judges.push(
      ofText(text => {
        const n = count(text)[unit];
        const why = outside(n, bounds);
        return why && `${n} ${unit}, ${why}`;
      }),
    );
  }
  const { items } = rule;
  if (items)
    judges.push(value => {
      if (!Array.isArray(value)) return `is no list: ${shown(value)}`;
      const why = outside(value.length, items as Bounds);
      return why && `${value.length} items, ${why}`;
    });
  return judges;
};

const judgesOf = (rule: Written, detect: Detect | null): Judge[] => {
  const judges: Judge[] = [];
  const { type } = rule;
  if (type) judges.push(value => (TYPES[type]!(value) ? null : `is no ${type}: ${shown(value)}`));
  if (rule.min !== undefined || rule.max !== undefined)
    judges.push(value => {
      if (typeof value !== 'number') return `is no number: ${shown(value)}`;
      const why = outside(value, rule as Bounds);
      return why && `${value} is ${why}`;
    });
  judges.push(...lengths(rule));
  for (const pattern of patternsOf('matches', rule.matches, 'u'))
    judges.push(ofText(text => (pattern.test(text) ? null : `does not match ${pattern}`)));
  for (const pattern of patternsOf('not_matches', rule.not_matches, 'u'))
    judges.push(ofText(text => (pattern.test(text) ? `matches ${pattern}` : null)));
  const { in: some, not_in: none } = rule;
  if (some)
    judges.push(value => (some.some(one => equal(one, value)) ? null : `${shown(value)} is none of those wanted`));
  if (none) judges.push(value => (none.some(one => equal(one, value)) ? `is ${shown(value)}` : null));
  if (detect) {
    const wanted = [rule.language!].flat();
    judges.push(
      ofText(text => {
        const language = detect(text);
        return wanted.includes(language) || language === UNKNOWN ? null : `is in ${language}`;
      }),
    );
  }
  return judges;
};

const isMissing = (value: Json): boolean =>
  value === null || value === '' || (Array.isArray(value) && value.length === 0);

/** Rows without the field are none of its business, unless it is required; nor are texts too short to tell their language. */
const fieldLook = (rule: Rule, detect: Detect | null): Look => {
  const { written, part } = rule;
  const field = fieldOf(written);
  const judges = judgesOf(written, detect);
  if (part !== undefined) judges.push(ofText(HARMONY_CHECKS[part]!));
  const required = written.required === true;
  return fields => {
    const values = valuesAt(fields, field).filter(value => !isMissing(value));
    if (values.length === 0) return required ? `${field}: is missing` : null;
    if (detect && values.every(value => typeof value === 'string' && detect(value) === UNKNOWN)) return null;
    for (const judge of judges)
      for (const value of values) {
        const why = judge(value);
        if (why !== null) return `${field}: ${why}`;
      }
    return true;
  };
};

const uniqueLook = (rule: Written): Look => {
  const names = [rule.unique!].flat();
  const text = normalizers[rule.normalize ?? 'none'];
  return fields => {
    const values = names.map(name => valueAt(fields, name));
    // A row without any of the fields repeats nothing.
    if (values.every(value => value === null)) return null;
    const key = values.map(value => canonicalText(value, text)).join(',');
    return { key, again: `${names.join(', ')}: stands in a row before` };
  };
};

const expressionLook = (expression: string, name: string): Look => {
  const passes = compileExpression(expression);
  return fields => {
    try {
      return passes(fields) || `${name}: is false`;
    } catch (error) {
      if (error instanceof RowTrouble) return `${name}: ${error.message}`;
      throw error;
    }
  };
};

const schemaLook =
  (check: Check): Look =>
  fields => {
    const why = check(fields);
    return why === null ? true : `schema: ${why}`;
  };

const compileRowSchema = async (schema: object): Promise<Check> => {
  try {
    return await compileSchema(schema);
  } catch (error) {
    throw new StageError('bad-rule', `the schema is no JSON Schema: ${(error as Error).message}`);
  }
};

/** Letters below which no language is told. */
const FEWEST_LETTERS = 12;

/** One for each rule, in their order. */
export const looksOf = async (rules: readonly Rule[]): Promise<readonly Look[]> => {
  const detect = rules.some(({ written }) => written.language !== undefined)
    ? await detector({ min: FEWEST_LETTERS })
    : null;
  const looks: Look[] = [];
  for (const rule of rules) {
    const { written } = rule;
    if (written.unique !== undefined) looks.push(uniqueLook(written));
    else if (written.schema) looks.push(schemaLook(await compileRowSchema(written.schema)));
    else if (written.expression !== undefined) looks.push(expressionLook(written.expression, rule.name));
    else looks.push(fieldLook(rule, written.language === undefined ? null : detect));
  }
  return looks;
};
