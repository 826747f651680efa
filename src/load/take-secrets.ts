/** Secrets while options are checked: a schema judges the rest, and says where they may stand. */
import type { OptionSchema } from '../stages.ts';
import type { LoadContext } from './entry.ts';
import { isSecret } from './interpolate.ts';
import type { Map_, Path, Value } from './value.ts';

/**
 * Replaces secrets by a harmless text while the schema is checked; gives back what puts them in place again, or null when
 * one stands where none may.
 */
export const takeSecrets = (
  options: Map_,
  properties: Readonly<Record<string, OptionSchema>>,
  at: Path,
  input: LoadContext,
): (() => void)[] | null => {
  const undo: (() => void)[] = [];
  let allowed = true;
  const walk = (value: Value, schema: OptionSchema | undefined, path: Path, put: (v: Value) => void): void => {
    if (isSecret(value)) {
      if (schema?.secret === true) {
        put('secret');
        undo.push(() => put(value as unknown as Value));
      } else {
        input.fail({
          reason: 'secret-not-allowed',
          message: `\${env:${value.$secret}} is allowed only where an option is a secret; ${path.at(-1)} is not: its value would be in keys and records`,
          place: input.place(path),
        });
        put('secret');
        allowed = false;
      }
    } else if (Array.isArray(value)) {
      for (const [i, v] of value.entries()) {
        walk(v, schema?.items as OptionSchema | undefined, [...path, i], x => {
          value[i] = x;
        });
      }
    } else if (typeof value === 'object' && value !== null) {
      const inner = schema?.properties as Record<string, OptionSchema> | undefined;
      const others = schema?.additionalProperties as OptionSchema | undefined;
      for (const [k, v] of Object.entries(value)) {
        walk(v, inner && Object.hasOwn(inner, k) ? inner[k] : others, [...path, k], x => {
          value[k] = x;
        });
      }
    }
  };
  for (const [k, v] of Object.entries(options)) {
    const schema = Object.hasOwn(properties, k) ? properties[k] : undefined;
    walk(v, schema, [...at, k], x => {
      options[k] = x;
    });
  }
  return allowed ? undo : null;
};
