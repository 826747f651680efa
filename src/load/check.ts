/** JSON Schema checks (ajv) in the words of the person who wrote the recipe; the only module that imports `ajv`. */
import { Ajv, type ErrorObject } from 'ajv';
import type { Failure, Place } from '../failure.ts';
import { didYouMean } from './suggest.ts';

const ajv = new Ajv({ allErrors: true, useDefaults: true, strict: false, verbose: true, unicodeRegExp: true });

export interface CheckContext {
  /** Path of `value` in the recipe, for places. */
  readonly path: readonly (string | number)[];
  /** What the value is, for messages: "sentences". */
  readonly of: string;
  place(path: readonly (string | number)[], key?: boolean): Place;
}

/** Checks a value against a schema, fills in defaults in place, and returns what is wrong with it. */
export const check = (schema: object, value: unknown, context: CheckContext): Failure[] => {
  const validate = ajv.compile(schema);
  if (validate(value)) return [];
  return relevant(validate.errors ?? []).map(e => {
    // A schema may say what to do instead, where its keywords only say what is wrong.
    const { advice } = (e.parentSchema ?? {}) as { advice?: unknown };
    return { ...explain(e, context), ...(typeof advice === 'string' ? { advice } : {}) };
  });
};

/** Whether a schema is one at all: for the options that a user's stage declares. */
export const schemaMistake = (schema: object): string | null => {
  try {
    ajv.compile(schema);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
};

/** Of a union's errors keep what is deepest: the branch that was meant. Otherwise say only that no branch fits. */
const relevant = (errors: readonly ErrorObject[]): ErrorObject[] => {
  const unions = errors.filter(e => e.keyword === 'anyOf' || e.keyword === 'oneOf');
  const dropped = new Set<ErrorObject>();
  for (const union of unions) {
    const parts = errors.filter(e => e !== union && e.schemaPath.startsWith(`${union.schemaPath}/`));
    const deepest = Math.max(0, ...parts.map(e => e.instancePath.length));
    const inside = deepest > union.instancePath.length;
    const keys = parts.filter(e => e.keyword === 'additionalProperties');
    for (const e of parts) {
      const keep = inside
        ? e.instancePath.length === deepest
        : keys.length > 0 && keys.length < parts.length && keys.includes(e) && isObject(e.data);
      if (!keep) dropped.add(e);
    }
    const misspelt = errors.some(e => e.keyword === 'additionalProperties' && e.instancePath === union.instancePath);
    if (parts.some(e => !dropped.has(e)) || (misspelt && oneOf(union))) dropped.add(union);
  }
  const seen = new Set<string>();
  return errors.filter(e => {
    if (dropped.has(e) || e.keyword === 'if' || e.keyword === 'propertyNames') return false;
    const same = `${e.instancePath} ${e.keyword} ${e.propertyName ?? ''} ${JSON.stringify(e.params)}`;
    return !seen.has(same) && seen.add(same);
  });
};

const isObject = (v: unknown): boolean => typeof v === 'object' && v !== null && !Array.isArray(v);

const explain = (e: ErrorObject, { path, of, place }: CheckContext): Failure => {
  const inner = e.instancePath
    .split('/')
    .slice(1)
    .map(p => p.replaceAll('~1', '/').replaceAll('~0', '~'));
  const at = [...path, ...inner.map(p => (/^\d+$/.test(p) ? Number(p) : p))];
  const name = inner.length > 0 ? inner.join('.') : of;
  const params = e.params as Record<string, unknown>;
  if (e.propertyName !== undefined) {
    const key = show(e.propertyName);
    return {
      reason: 'invalid-option',
      message: `${name} cannot hold ${key}`,
      place: place([...at, e.propertyName], true),
    };
  }
  switch (e.keyword) {
    case 'additionalProperties': {
      const key = String(params.additionalProperty);
      const known = Object.keys((e.parentSchema as { properties?: object }).properties ?? {});
      const where = inner.length > 0 ? `${inner.join('.')} of ${of}` : of;
      return {
        reason: 'unknown-key',
        message: `"${key}" is not an option of ${where}${didYouMean(key, known)}`,
        place: place([...at, key], true),
      };
    }
    case 'required':
      return {
        reason: 'invalid-option',
        message: `${of} needs "${[...inner, params.missingProperty].join('.')}"`,
        place: place(at, true),
      };
    case 'enum':
      return {
        reason: 'invalid-option',
        message: `${name} is ${show(e.data)}; it must be one of ${(params.allowedValues as unknown[]).map(v => show(v)).join(', ')}${typeof e.data === 'string' ? hint(e.data, params.allowedValues as unknown[]) : ''}`,
        place: place(at),
      };
    case 'const':
      return {
        reason: 'invalid-option',
        message: `${name} is ${show(e.data)}; it must be ${show(params.allowedValue)}`,
        place: place(at),
      };
    case 'type':
      return {
        reason: 'wrong-type',
        message: `${name} must be ${article(String(params.type))}, it is ${describe(e.data)}`,
        place: place(at),
      };
    case 'anyOf':
    case 'oneOf': {
      const needed = oneOf(e);
      if (needed)
        return {
          reason: 'invalid-option',
          message: `${name} needs one of ${needed.join(', ')}`,
          place: place(at, true),
        };
      return { reason: 'invalid-option', message: `${name} is ${show(e.data)}; ${alternatives(e)}`, place: place(at) };
    }
    case 'minLength':
    case 'minItems':
    case 'minProperties': {
      const least = params.limit === 1 ? 'must not be empty' : `needs at least ${params.limit} ${UNITS[e.keyword]}`;
      return { reason: 'invalid-option', message: `${name} ${least}`, place: place(at) };
    }
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return {
        reason: 'invalid-option',
        message: `${name} is ${show(e.data)}; it must be ${params.comparison} ${params.limit}`,
        place: place(at),
      };
    case 'pattern':
      return {
        reason: 'invalid-option',
        message: `${name} cannot be ${show(e.data)}${'advice' in (e.parentSchema ?? {}) ? '' : `; it must match ${String(params.pattern)}`}`,
        place: place(at),
      };
    case 'not': {
      const both = (e.schema as { required?: string[] }).required;
      if (both && both.length > 1) {
        const last = both.at(-1)!;
        return {
          reason: 'invalid-option',
          message: `${of} takes ${both.join(' or ')}, not both`,
          place: place([...at, last], true),
        };
      }
      return { reason: 'invalid-option', message: `${name} cannot be ${show(e.data)}`, place: place(at) };
    }
    default:
      return { reason: 'invalid-option', message: `${name} ${e.message ?? 'is not valid'}`, place: place(at) };
  }
};

const UNITS = { minLength: 'characters', minItems: 'items', minProperties: 'options' };

const hint = (word: string, allowed: readonly unknown[]): string => {
  const near = didYouMean(
    word,
    allowed.filter(v => typeof v === 'string'),
  );
  return near.startsWith('; did') ? near : '';
};

const show = (v: unknown): string => {
  const text = JSON.stringify(v) ?? String(v);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

const article = (type: string): string => {
  const words: Record<string, string> = {
    string: 'text',
    integer: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
    object: 'a map',
    array: 'a list',
    null: 'empty',
  };
  return type
    .split(',')
    .map(t => words[t] ?? t)
    .join(' or ');
};

const describe = (v: unknown): string =>
  v === null
    ? 'empty'
    : Array.isArray(v)
      ? 'a list'
      : typeof v === 'object'
        ? 'a map'
        : typeof v === 'string'
          ? `the text ${show(v)}`
          : show(v);

/** Of a union that only says which keys must be there, one in each branch: those keys. */
const oneOf = (e: ErrorObject): readonly string[] | null => {
  const branches = e.schema as readonly { readonly required?: readonly string[] }[];
  const keys = branches.flatMap(b => (Object.keys(b).length === 1 && b.required?.length === 1 ? b.required : []));
  return isObject(e.data) && keys.length === branches.length ? keys : null;
};

const alternatives = (e: ErrorObject): string => {
  const branches =
    (e.schema as { type?: string; title?: string; enum?: unknown[]; const?: unknown; required?: string[] }[]) ?? [];
  const words = branches.map(
    b =>
      b.title ??
      (b.const !== undefined
        ? show(b.const)
        : b.enum
          ? b.enum.map(v => show(v)).join(', ')
          : b.required
            ? `a map with ${b.required.join(' and ')}`
            : b.type
              ? article(b.type)
              : null),
  );
  return words.every(w => w !== null) ? `it must be ${words.join(', or ')}` : 'that fits none of the forms it can have';
};
