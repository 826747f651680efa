/** Profiles and `--set` of a load: each found, read and put in place, or a failure that names it. */
import type { Failure, Place } from '../failure.ts';
import type { LoadOptions } from './recipe.ts';
import { applySetting } from './set.ts';
import { didYouMean } from './suggest.ts';
import { isMap, type Map_ } from './value.ts';
import { parseYaml, type Source } from './yaml.ts';

/** Applies profiles in order, then `--set`; returns the places of what they set, by path. */
export const settings = (
  recipe: Map_,
  source: Source,
  options: LoadOptions,
  fail: (f: Failure) => void,
): Map<string, Place> => {
  const places = new Map<string, Place>();
  const profiles = isMap(recipe.profiles) ? recipe.profiles : {};
  for (const name of options.profiles ?? []) {
    const profile = profiles[name];
    if (!Object.hasOwn(profiles, name)) {
      fail({
        reason: 'unknown-profile',
        message: `the recipe has no profile${Object.keys(profiles).length === 0 ? 's' : ` "${name}"${didYouMean(name, Object.keys(profiles))}`}`,
        place: { path: `--profile ${name}` },
      });
      continue;
    }
    const set = isMap(profile) ? profile.set : undefined;
    for (const [path, value] of Object.entries(isMap(set) ? set : {})) {
      const place = source.place(['profiles', name, 'set', path], true);
      const failure = applySetting(recipe, { path, value, place });
      if (failure) fail(failure);
      else places.set(path, place);
    }
  }
  for (const text of options.set ?? []) {
    const place: Place = { path: `--set ${text}` };
    const at = text.indexOf('=');
    if (at < 1) {
      fail({ reason: 'usage', message: `--set takes path=value, not "${text}"` });
      continue;
    }
    const scalar = parseYaml(text.slice(at + 1), '--set');
    if (scalar.failures.length > 0) {
      fail({ reason: 'usage', message: `--set ${text}: ${scalar.failures[0]!.message}` });
      continue;
    }
    const failure = applySetting(recipe, { path: text.slice(0, at), value: scalar.value, place });
    if (failure) fail(failure);
    else places.set(text.slice(0, at), place);
  }
  return places;
};
