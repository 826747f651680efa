/** What the operators and functions of an expression do with the values of a row. */
import type { Fields, Json } from '../../contract.ts';
import { count } from '../text/count.ts';

/** Trouble with one row: a field that is missing, or of another type than the expression takes it for. */
export class RowTrouble extends Error {}

type Evaluate = (fields: Fields) => Json;

/** A value, and what the expression calls it, for reasons. */
export interface Part {
  readonly value: Evaluate;
  readonly source: string;
}

export const kindOf = (value: Json): string => {
  if (value === null) return 'missing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object'
    ? 'a map'
    : typeof value === 'string'
      ? 'a text'
      : typeof value === 'boolean'
        ? 'true or false'
        : 'a number';
};

/** Whether two values are the same JSON. */
export const equal = (a: Json, b: Json): boolean => {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [x, y] = [a as Readonly<Record<string, Json>>, b as Readonly<Record<string, Json>>];
  const keys = Object.keys(x);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    keys.length === Object.keys(y).length &&
    keys.every(key => Object.hasOwn(y, key) && equal(x[key]!, y[key]!))
  );
};

export const number =
  ({ value, source }: Part): ((fields: Fields) => number) =>
  fields => {
    const found = value(fields);
    if (typeof found !== 'number') throw new RowTrouble(`${source} is ${kindOf(found)}, not a number`);
    return found;
  };

export const truth =
  ({ value, source }: Part): ((fields: Fields) => boolean) =>
  fields => {
    const found = value(fields);
    if (typeof found !== 'boolean') throw new RowTrouble(`${source} is ${kindOf(found)}, not true or false`);
    return found;
  };

export const compare =
  (a: Part, b: Part, is: (order: number) => boolean): Evaluate =>
  fields => {
    const [x, y] = [a.value(fields), b.value(fields)];
    if (typeof x === 'number' && typeof y === 'number') return is(x - y);
    if (typeof x === 'string' && typeof y === 'string') return is(x < y ? -1 : x > y ? 1 : 0);
    const wrong = typeof x === 'number' || typeof x === 'string' ? b : a;
    throw new RowTrouble(`${wrong.source} is ${kindOf(wrong === a ? x : y)}, which cannot be compared`);
  };

export const member =
  (a: Part, b: Part): ((fields: Fields) => boolean) =>
  fields => {
    const [one, all] = [a.value(fields), b.value(fields)];
    if (Array.isArray(all)) return (all as readonly Json[]).some(item => equal(item, one));
    if (typeof all === 'string' && typeof one === 'string') return all.includes(one);
    throw new RowTrouble(`${b.source} is ${kindOf(all)}, and holds nothing`);
  };

const lengthOf = (value: Json): number => {
  if (typeof value === 'string') return count(value).characters;
  if (Array.isArray(value)) return value.length;
  return value !== null && typeof value === 'object' ? Object.keys(value).length : 0;
};

export const FUNCTIONS: Readonly<Record<string, (argument: Part) => Evaluate>> = {
  length:
    ({ value }) =>
    fields =>
      lengthOf(value(fields)),
  words:
    ({ value }) =>
    fields => {
      const text = value(fields);
      return typeof text === 'string' ? count(text).words : 0;
    },
  lower:
    ({ value }) =>
    fields => {
      const text = value(fields);
      return typeof text === 'string' ? text.toLowerCase() : text;
    },
  exists:
    ({ value }) =>
    fields =>
      value(fields) !== null,
  number:
    ({ value, source }) =>
    fields => {
      const found = value(fields);
      const read = typeof found === 'string' && found.trim() !== '' ? Number(found) : found;
      if (typeof read === 'number' && Number.isFinite(read)) return read;
      throw new RowTrouble(
        `${source} is ${typeof found === 'string' ? JSON.stringify(found.slice(0, 40)) : kindOf(found)}, not a number`,
      );
    },
};

export const SIGNS: Readonly<Record<string, (order: number) => boolean>> = {
  '<': order => order < 0,
  '<=': order => order <= 0,
  '>': order => order > 0,
  '>=': order => order >= 0,
};

export const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};
