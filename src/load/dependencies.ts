/** What entries refer to, and their order by it, before anything is known of stages and variants. */
import type { Entry, LoadContext } from './entry.ts';
import { axesIn, interpolate } from './interpolate.ts';
import { countPoints, MOST_VARIANTS, type Point, points } from './matrix.ts';
import { parseReference } from './selection.ts';
import type { Path, Value } from './value.ts';

/** An entry's `from` as it reads at one point of its own matrix. */
export const fromAt = (entry: Entry, own: Point, sure: boolean, context: LoadContext): Value | undefined => {
  if (entry.from === undefined) return undefined;
  const values = new Map([...own].map(([axis, v]) => [axis, v.value] as const));
  return interpolate(entry.from, [entry.section, entry.name, 'from'], { ...context, matrix: { values, sure } });
};

/** The references in it, each with its path. */
export const references = (from: Value | undefined, at: Path): [text: string, at: Path][] => {
  if (typeof from === 'string') return [[from, at]];
  if (typeof from !== 'object' || from === null) return [];
  const isList = Array.isArray(from);
  return Object.entries(from).flatMap(([k, v]) => references(v, [...at, isList ? Number(k) : k]));
};

/** Every entry after those that it refers to; those on a cycle are marked, which `connect` tells. */
export const inDependencyOrder = (
  entries: readonly Entry[],
  context: LoadContext,
): { readonly entry: Entry; readonly cyclic: boolean }[] => {
  const byName = new Map(entries.map(e => [e.name, e]));
  const silent = { ...context, fail: () => {} };
  const needs = (entry: Entry): string[] =>
    points(
      entry.axes.length > 0 && axesIn(entry.from).size > 0 && countPoints(entry.axes) <= MOST_VARIANTS
        ? entry.axes
        : [],
    ).flatMap(own => references(fromAt(entry, own, false, silent), []).map(([text]) => parseReference(text).node));
  const at = new Map<string, number | 'done'>();
  const low: number[] = [];
  const out: { entry: Entry; cyclic: boolean }[] = [];
  for (const root of entries) {
    const stack: { entry: Entry; rest: string[]; next: number }[] = [];
    const open = (entry: Entry) => {
      at.set(entry.name, stack.length);
      low[stack.length] = stack.length + 1;
      stack.push({ entry, rest: needs(entry), next: 0 });
    };
    if (!at.has(root.name)) open(root);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const name = top.rest[top.next++];
      if (name === undefined) {
        const depth = stack.length - 1;
        const cyclic = low[depth]! <= depth;
        if (cyclic && depth > 0) low[depth - 1] = Math.min(low[depth - 1]!, low[depth]!);
        at.set(top.entry.name, 'done');
        out.push({ entry: top.entry, cyclic });
        stack.pop();
        continue;
      }
      const position = at.get(name);
      if (position === 'done') continue;
      if (position !== undefined) low[stack.length - 1] = Math.min(low[stack.length - 1]!, position);
      else if (byName.has(name)) open(byName.get(name)!);
    }
  }
  return out;
};
