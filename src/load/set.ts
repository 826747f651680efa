/** Profiles and `--set`: values replaced at a path of the recipe, never merged. */
import type { Failure, Place } from '../failure.ts';
import { didYouMean } from './suggest.ts';
import { isMap, type Value } from './value.ts';

export interface Setting {
  /** `sources.base.with.path` */
  readonly path: string;
  readonly value: Value;
  readonly place: Place;
}

/**
 * Applies a setting in place. A path must lead through what is there: section and node (or `vars`, `name`) must exist;
 * `with` and what is below it may be new, the stage's schema judges that. Returns a failure or null.
 */
export const applySetting = (recipe: Value, { path, value, place }: Setting): Failure | null => {
  const parts = path.split('.');
  let at: Value | undefined = recipe;
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1;
    if (!isMap(at)) return unknown(path, parts.slice(0, i).join('.'), part, [], place);
    const inOptions = i >= 2 && parts[0] !== 'profiles';
    if (!Object.hasOwn(at, part)) {
      if (!inOptions || part === '') return unknown(path, parts.slice(0, i).join('.'), part, Object.keys(at), place);
      at[part] = last ? null : Object.create(null);
    }
    if (last) at[part] = structuredClone(value);
    at = at[part];
  }
  return null;
};

const unknown = (path: string, below: string, part: string, known: string[], place: Place): Failure => ({
  reason: 'unknown-path',
  message: `cannot set ${path}: there is no "${part}"${below ? ` in ${below}` : ' in the recipe'}${didYouMean(part, known)}`,
  place,
});
