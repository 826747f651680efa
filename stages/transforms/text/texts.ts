/** The texts of a row: of the fields that are named, by paths such as `messages.content`, or all of them, however deep. */
import type { Fields, Json } from '../../contract.ts';

/** One name, several, or none for all fields. */
export type Names = string | readonly string[] | undefined;

type Path = readonly string[];

const isMap = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A field that is called so, dots and all; else a field, and what it holds: `messages.content`, `meta.tags`. */
const pathIn = (fields: Fields, name: string): Path => (Object.hasOwn(fields, name) ? [name] : name.split('.'));

/** What lies at a path: of a list, of each of its items (or the one that a number names). */
const collect = (value: Json | undefined, path: Path, at: number, into: Json[]): void => {
  if (value === undefined) return;
  if (at === path.length) into.push(value);
  else if (Array.isArray(value)) {
    const list = value as readonly Json[];
    if (/^\d+$/.test(path[at]!)) collect(list[Number(path[at])], path, at + 1, into);
    else for (const item of list) collect(item, path, at, into);
  } else if (isMap(value) && Object.hasOwn(value, path[at]!)) collect(value[path[at]!], path, at + 1, into);
};

/** The values of a field or at a path; none where it is not there. */
export const valuesAt = (fields: Fields, name: string): readonly Json[] => {
  const values: Json[] = [];
  collect(fields, pathIn(fields, name), 0, values);
  return values;
};

/** The value at a path, null where there is none; where the path leads through a list (messages.role), a list of all. */
export const valueAt = (fields: Fields, name: string): Json => {
  if (Object.hasOwn(fields, name)) return fields[name]!;
  const path = name.split('.');
  let value: Json | undefined = fields;
  for (const [i, step] of path.entries()) {
    if (Array.isArray(value) && !/^\d+$/.test(step)) {
      const all: Json[] = [];
      collect(value, path, i, all);
      return all;
    }
    value = Array.isArray(value)
      ? (value as readonly Json[])[Number(step)]
      : isMap(value) && Object.hasOwn(value, step)
        ? value[step]
        : undefined;
    if (value === undefined) return null;
  }
  return value;
};

const textsIn = (value: Json, into: string[]): void => {
  if (typeof value === 'string') into.push(value);
  else if (Array.isArray(value)) for (const item of value as readonly Json[]) textsIn(item, into);
  else if (isMap(value)) for (const name of Object.keys(value).sort()) textsIn(value[name]!, into);
};

/** In an order that does not depend on how the row was written: by field, fields of maps by their names. */
export const textsOf = (fields: Fields, names: Names): readonly string[] => {
  const texts: string[] = [];
  if (names === undefined) textsIn(fields, texts);
  else if (typeof names === 'string' && typeof fields[names] === 'string') texts.push(fields[names]);
  else for (const name of [names].flat()) for (const value of valuesAt(fields, name)) textsIn(value, texts);
  return texts;
};

const mapAll = (value: Json, change: (text: string) => string): Json => {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) {
    const list = value as readonly Json[];
    const changed = list.map(item => mapAll(item, change));
    return changed.some((item, i) => item !== list[i]) ? changed : value;
  }
  return isMap(value) ? mapMap(value, (_, inner) => mapAll(inner, change)) : value;
};

/** The same object where nothing has changed. */
const mapMap = <M extends { readonly [key: string]: Json }>(map: M, change: (name: string, value: Json) => Json): M => {
  let out: Record<string, Json> | null = null;
  for (const name of Object.keys(map)) {
    const value = map[name]!;
    const changed = change(name, value);
    if (changed === value) continue;
    out ??= { ...map };
    out[name] = changed;
  }
  return (out ?? map) as M;
};

const mapPath = (value: Json, path: Path, at: number, change: (text: string) => string): Json => {
  if (at === path.length) return mapAll(value, change);
  if (Array.isArray(value)) {
    const list = value as readonly Json[];
    const only = /^\d+$/.test(path[at]!) ? Number(path[at]) : null;
    const changed = list.map((item, i) =>
      only === null ? mapPath(item, path, at, change) : i === only ? mapPath(item, path, at + 1, change) : item,
    );
    return changed.some((item, i) => item !== list[i]) ? changed : value;
  }
  if (!isMap(value)) return value;
  return mapMap(value, (name, inner) => (name === path[at] ? mapPath(inner, path, at + 1, change) : inner));
};

/** The fields with their texts changed; the same object where none was. Names of fields, and what is no text, stay. */
export const mapTexts = (fields: Fields, names: Names, change: (text: string) => string): Fields => {
  if (names === undefined) return mapMap(fields, (_, value) => mapAll(value, change));
  return [names]
    .flat()
    .reduce<Fields>((all, name) => mapPath(all, pathIn(all, name), 0, change) as unknown as Fields, fields);
};

/** `field "text"`, `fields "a" and "b"`, for reasons. */
export const named = (names: Names): string => {
  const all = [names ?? []].flat().map(name => `"${name}"`);
  return all.length === 1 ? `field ${all[0]}` : `fields ${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
};
