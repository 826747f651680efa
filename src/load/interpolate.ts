/** Interpolation of recipe values: `${vars.x}`, `${matrix.x}` and `${env:NAME}`; `$${` is a literal `${`. */
import type { Failure, Place } from '../failure.ts';
import { didYouMean } from './suggest.ts';
import type { Value } from './value.ts';

/** Stands for a secret in options: which environment variable holds it is not part of any key, its value is nowhere. */
export interface Secret {
  readonly $secret: string;
}

export const isSecret = (v: unknown): v is Secret =>
  typeof v === 'object' && v !== null && typeof (v as Secret).$secret === 'string';

const PATTERN = /\$\$\{|\$\{([^}]*)\}/g;
const WHOLE = /^\$\{([^}]*)\}$/;

/** The axes of a node's variant. */
export interface MatrixScope {
  readonly values: ReadonlyMap<string, Value>;
  /** False after a mistake in some matrix: an axis that is missing then says nothing. */
  readonly sure: boolean;
}

export interface Scope {
  readonly vars: Readonly<Record<string, Value>>;
  /** Absent where no variant is in sight. */
  readonly matrix?: MatrixScope;
  fail(failure: Failure): void;
  /** Told when a value cannot be had because of a mistake elsewhere. */
  blur?(): void;
  place(path: readonly (string | number)[]): Place;
}

/** A copy of `value` with every string interpolated; a string that is wholly one expression takes its value's type. */
export const interpolate = (value: Value, path: readonly (string | number)[], scope: Scope): Value => {
  if (typeof value === 'string') return text(value, path, scope);
  if (Array.isArray(value)) return value.map((v, i) => interpolate(v, [...path, i], scope));
  if (typeof value !== 'object' || value === null) return value;
  const out: { [key: string]: Value } = Object.create(null);
  for (const [k, v] of Object.entries(value)) out[k] = interpolate(v, [...path, k], scope);
  return out;
};

const text = (value: string, path: readonly (string | number)[], scope: Scope): Value => {
  if (!value.includes('${')) return value;
  const whole = WHOLE.exec(value);
  if (whole) return lookUp(whole[1]!, path, scope, true);
  return value.replaceAll(PATTERN, (all, expression: string | undefined) => {
    if (expression === undefined) return '${';
    const v = lookUp(expression, path, scope, false);
    if (typeof v === 'object' && v !== null) {
      scope.fail({
        reason: 'invalid-interpolation',
        message: `${all} is not a scalar, so it cannot stand inside other text`,
        place: scope.place(path),
      });
      return '';
    }
    return String(v);
  });
};

const lookUp = (expression: string, path: readonly (string | number)[], scope: Scope, whole: boolean): Value => {
  const wrong = (message: string): null => {
    scope.fail({ reason: 'invalid-interpolation', message, place: scope.place(path) });
    return null;
  };
  const env = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(expression);
  if (env) {
    if (path[0] !== 'vars' && path[2] !== 'with') return wrong(`\${env:${env[1]}} can only be an option, under "with"`);
    if (!whole) return wrong(`\${env:${env[1]}} must be the whole value`);
    return { $secret: env[1]! };
  }
  const axis = /^matrix\.(.+)$/.exec(expression)?.[1];
  if (axis !== undefined) return axisValue(axis, scope, wrong);
  const name = /^vars\.(.+)$/.exec(expression)?.[1];
  if (name === undefined) {
    return wrong(
      `\${${expression}} is unknown: use \${vars.name}, \${matrix.axis} or \${env:NAME} (a literal "\${" is written "$\${")`,
    );
  }
  if (!Object.hasOwn(scope.vars, name))
    return wrong(`there is no vars.${name}${didYouMean(name, Object.keys(scope.vars))}`);
  return structuredClone(scope.vars[name]!);
};

const axisValue = (axis: string, { matrix, blur }: Scope, wrong: (message: string) => null): Value => {
  if (!matrix) return wrong(`\${matrix.${axis}} can only stand under "with", "from" or "resources" of a node`);
  const value = matrix.values.get(axis);
  if (value !== undefined) return value;
  if (matrix.sure) {
    const known = [...matrix.values.keys()];
    const more =
      known.length > 0 ? didYouMean(axis, known) : ': neither this node nor what it is made from has a matrix';
    return wrong(`there is no matrix.${axis} here${more}`);
  }
  blur?.();
  return null;
};

/** The axes that a value speaks of: `r` of "${matrix.r}". */
export const axesIn = (value: Value | undefined, found = new Set<string>()): Set<string> => {
  if (typeof value === 'string') {
    if (value.includes('${matrix.'))
      for (const [, expression] of value.matchAll(PATTERN))
        if (expression?.startsWith('matrix.')) found.add(expression.slice('matrix.'.length));
  } else if (typeof value === 'object' && value !== null) for (const v of Object.values(value)) axesIn(v, found);
  return found;
};

/** The axis whose value a string wholly is, or null. */
export const wholeAxis = (value: Value | undefined): string | null =>
  (typeof value === 'string' ? /^\$\{matrix\.([^}]+)\}$/.exec(value)?.[1] : undefined) ?? null;
