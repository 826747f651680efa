/** The top of a recipe: its version and name, its variables, the form of its profiles. */
import type { Failure, Place } from '../failure.ts';
import { SECTIONS, stageNames } from '../stages.ts';
import { interpolate } from './interpolate.ts';
import { didYouMean } from './suggest.ts';
import { isMap, type Map_, type Path, type Value } from './value.ts';

export const TOP: readonly string[] = ['version', 'name', 'vars', ...SECTIONS, 'profiles'];

/** A var may use those above it. */
export const resolveVars = (
  raw: Value | undefined,
  fail: (f: Failure) => void,
  place: (path: Path, key?: boolean) => Place,
): Map_ => {
  const vars: Map_ = Object.create(null);
  for (const [name, value] of Object.entries(isMap(raw) ? raw : {})) {
    vars[name] = interpolate(value, ['vars', name], { vars, place, fail });
  }
  return vars;
};

export const checkTop = (
  recipe: Map_,
  fail: (f: Failure) => void,
  place: (p: string[], key?: boolean) => Place,
): void => {
  for (const key of Object.keys(recipe)) {
    if (TOP.includes(key)) continue;
    const stage = SECTIONS.find(s => stageNames(s).includes(key));
    const more = stage ? `; a stage goes under ${stage}` : didYouMean(key, TOP);
    fail({ reason: 'unknown-key', message: `"${key}" is not a key of a recipe${more}`, place: place([key], true) });
  }
  if (recipe.version === undefined) {
    fail({ reason: 'missing-input', message: 'the recipe needs "version: 1"', place: place([]) });
  } else if (recipe.version !== 1) {
    fail({
      reason: 'invalid-option',
      message: `version is ${JSON.stringify(recipe.version)}; this finetune reads version 1`,
      place: place(['version']),
    });
  }
  if (recipe.name !== undefined && typeof recipe.name !== 'string') {
    fail({ reason: 'wrong-type', message: 'name must be text', place: place(['name']) });
  }
  for (const key of ['vars', 'profiles'] as const) {
    const value = recipe[key];
    if (value !== undefined && value !== null && !isMap(value))
      fail({ reason: 'wrong-type', message: `${key} must be a map`, place: place([key]) });
  }
  for (const [name, profile] of Object.entries(isMap(recipe.profiles) ? recipe.profiles : {})) {
    const at = ['profiles', name];
    if (!isMap(profile) || !isMap(profile.set)) {
      fail({
        reason: 'wrong-type',
        message: `profile "${name}" must be a map with "set", a map of path to value`,
        place: place(at, true),
      });
      continue;
    }
    for (const key of Object.keys(profile)) {
      if (key !== 'set')
        fail({
          reason: 'unknown-key',
          message: `"${key}" is not a key of a profile; there is set`,
          place: place([...at, key], true),
        });
    }
  }
};
