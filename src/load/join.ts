/** The join of variants: those go together that have equal values on the axes that both sides have. */
import type { AxisValue, Point } from './matrix.ts';

export interface Bound<Target> {
  readonly point: Point;
  readonly targets: Map<string, Target>;
}

/**
 * Binds each of `rows` to what `text` can mean; null when more than `most` come out. A hash join for each pair of sets of
 * axes: mostly there is one on either side.
 */
export const join = <T extends { readonly point: Point }>(
  rows: readonly Bound<Omit<T, 'point'>>[],
  text: string,
  options: readonly T[],
  most: number,
): Bound<Omit<T, 'point'>>[] | null => {
  const out: Bound<Omit<T, 'point'>>[] = [];
  for (const left of byAxes(rows).values())
    for (const right of byAxes(options).values()) {
      const axes = [...left[0]!.point.keys()].filter(axis => right[0]!.point.has(axis));
      const key = ({ point }: { point: Point }) => axes.map(axis => point.get(axis)!.text).join(',');
      const index = Map.groupBy(right, key);
      for (const row of left)
        for (const option of index.get(key(row)) ?? []) {
          if (out.length >= most) return null;
          const { point, ...target } = option;
          out.push({ point: merged(row.point, point), targets: new Map(row.targets).set(text, target) });
        }
    }
  return out;
};

const merged = (a: Point, b: Point): Point => {
  if (b.size === 0) return a;
  const all = new Map<string, AxisValue>(a);
  for (const [axis, value] of b) if (!all.has(axis)) all.set(axis, value);
  return all;
};

const byAxes = <T extends { readonly point: Point }>(list: readonly T[]): Map<string, T[]> =>
  Map.groupBy(list, ({ point }) => [...point.keys()].sort().join(','));
