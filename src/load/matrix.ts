/** The axes of a node's `matrix`: read and checked, and the names that variants get from them. */
import { digest } from '../../cache/digest.ts';
import type { Failure, Place } from '../failure.ts';
import type { Value } from './value.ts';

export type Scalar = string | number | boolean;
type Path = readonly (string | number)[];

export interface AxisValue {
  readonly value: Scalar;
  /** As it stands in names: `8`, `0.0001`, `openai%2Fgpt-oss-20b`. */
  readonly text: string;
  /** Where it stands in the recipe. */
  readonly at: Path;
}

export interface Axis {
  readonly name: string;
  readonly values: readonly AxisValue[];
}

/** One value for each axis: what makes a variant. */
export type Point = ReadonlyMap<string, AxisValue>;

/** More variants of one node, or nodes in all, are a mistake rather than a plan. */
export const MOST_VARIANTS = 1000;
export const MOST_NODES = 100_000;

const AXIS = /^[a-z][a-z0-9_-]*$/;

export interface AxesContext {
  /** The node, for messages. */
  readonly of: string;
  /** Path of the matrix. */
  readonly at: Path;
  place(path: Path, key?: boolean): Place;
  fail(failure: Failure): void;
}

/** Null when some of it is wrong: `fail` has been told. A matrix that is empty is none. */
export const readAxes = (matrix: Value | undefined, context: AxesContext): readonly Axis[] | null => {
  const { of, at, place } = context;
  let right = true;
  const wrong = (reason: string, message: string, path: Path, advice?: string, key = false): void => {
    right = false;
    context.fail({ reason, message, place: place(path, key), ...(advice === undefined ? {} : { advice }) });
  };
  if (matrix === undefined || matrix === null) return [];
  if (typeof matrix !== 'object' || Array.isArray(matrix)) {
    wrong('wrong-type', `matrix of ${of} must be a map of axes, each a list of values`, at, 'matrix: { r: [8, 16] }');
    return null;
  }
  const axes: Axis[] = [];
  for (const [name, list] of Object.entries(matrix)) {
    const here = [...at, name];
    if (!AXIS.test(name)) {
      const message = `"${name}" is not a name of an axis: small letters, digits, "_" and "-", a letter first`;
      wrong('invalid-name', message, here, undefined, true);
    } else if (!Array.isArray(list)) {
      const advice = isScalar(list) ? `${name}: [${String(list)}]` : undefined;
      wrong('wrong-type', `matrix.${name} must be a list of values`, here, advice);
    } else if (list.length === 0) wrong('invalid-matrix', `matrix.${name} must not be empty`, here);
    else axes.push({ name, values: valuesOf(name, list, here, wrong) });
  }
  return right ? axes : null;
};

const valuesOf = (
  name: string,
  list: readonly Value[],
  at: Path,
  wrong: (reason: string, message: string, path: Path) => void,
): readonly AxisValue[] => {
  const seen = new Set<string>();
  return list.flatMap((value, i): AxisValue[] => {
    const here = [...at, i];
    if (!isScalar(value)) {
      wrong('wrong-type', `a value of matrix.${name} must be text, a number, or true or false`, here);
      return [];
    }
    const text = textOf(value);
    // Folders are named so, and some systems do not tell "A" from "a" there.
    const same = text.toLowerCase();
    if (seen.has(same)) {
      wrong('invalid-matrix', `matrix.${name} has two values called "${text}"`, here);
      return [];
    }
    seen.add(same);
    return [{ value, text, at: here }];
  });
};

const isScalar = (v: unknown): v is Scalar => ['string', 'number', 'boolean'].includes(typeof v);

const PLAIN = /^[\p{L}\p{N}._+-]*$/u;
const LONGEST = 48;

/** A value as part of names of nodes and folders: safe in both, another for each value, readable. */
export const textOf = (value: Scalar): string => {
  if (typeof value !== 'string') return String(value);
  let text = '';
  let short = '';
  for (const char of value.toWellFormed().normalize('NFC')) {
    text += PLAIN.test(char) ? char : percent(char);
    const bytes = Buffer.byteLength(text);
    if (bytes <= LONGEST - 9) short = text;
    if (bytes > LONGEST) return `${short}~${digest(value).slice(0, 8)}`;
  }
  return text;
};

const percent = (char: string): string =>
  [...Buffer.from(char)].map(b => `%${b.toString(16).toUpperCase().padStart(2, '0')}`).join('');

/** `adapter@r=8,lr=0.0001`; a node without axes keeps its name. */
export const variantName = (node: string, point: Point): string =>
  point.size === 0 ? node : `${node}@${[...point].map(([axis, { text }]) => `${axis}=${text}`).join(',')}`;

/** Every point of these axes, the last axis changing fastest. */
export const points = (axes: readonly Axis[]): Point[] =>
  axes.reduce<Point[]>(
    (all, { name, values }) => all.flatMap(p => values.map(v => new Map([...p, [name, v]]))),
    [new Map()],
  );

export const countPoints = (axes: readonly Axis[]): number => axes.reduce((n, { values }) => n * values.length, 1);
