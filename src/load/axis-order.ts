/** The order of axes in names, and of variants: as the recipe first names axes and their values. */
import type { Entry } from './entry.ts';
import type { Point } from './matrix.ts';

export interface AxisOrder {
  sorted(point: Point): Point;
  /** Of sorted points. */
  compare(a: Point, b: Point): number;
}

export const axisOrder = (entries: readonly Entry[]): AxisOrder => {
  const axes = new Map<string, { readonly rank: number; readonly values: Map<string, number> }>();
  for (const { axes: own } of entries)
    for (const { name, values } of own) {
      const known = axes.get(name) ?? { rank: axes.size, values: new Map<string, number>() };
      axes.set(name, known);
      for (const { text } of values) if (!known.values.has(text)) known.values.set(text, known.values.size);
    }
  const rank = (axis: string): number => axes.get(axis)!.rank;
  /** Pairs of axis and value, to be compared one after the other. */
  const ranks = (point: Point): number[] =>
    [...point].flatMap(([axis, { text }]) => [rank(axis), axes.get(axis)!.values.get(text)!]);
  return {
    sorted: point => (point.size < 2 ? point : new Map([...point].sort(([a], [b]) => rank(a) - rank(b)))),
    compare: (a, b) => {
      const [left, right] = [ranks(a), ranks(b)];
      const at = left.findIndex((n, i) => n !== right[i]);
      return at === -1 ? left.length - right.length : left[at]! - (right[at] ?? -1);
    },
  };
};
