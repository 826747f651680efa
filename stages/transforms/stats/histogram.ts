/**
 * A histogram of whole numbers with buckets that are the same for all data, so that two are added by adding their counts.
 * Below 256 a bucket is one number; above, 128 buckets a power of two: a number is known to within 0.4 %.
 */

/** Plain JSON. `counts` holds bucket and count by turns, buckets ascending. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly counts: readonly number[];
}

const bucketOf = (value: number): number => {
  if (value < 256) return value;
  const power = 31 - Math.clz32(value);
  return 256 + (power - 8) * 128 + (value >>> (power - 7)) - 128;
};

/** The least and the greatest number in a bucket. */
const rangeOf = (bucket: number): readonly [number, number] => {
  if (bucket < 256) return [bucket, bucket];
  const power = 8 + Math.floor((bucket - 256) / 128);
  const width = 2 ** (power - 7);
  const first = (128 + ((bucket - 256) % 128)) * width;
  return [first, first + width - 1];
};

/** Of one number or more. */
export const histogram = (values: readonly number[]): Histogram => {
  const counts = new Map<number, number>();
  let [min, max, sum] = [values[0]!, values[0]!, 0];
  for (const value of values) {
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    const bucket = bucketOf(value);
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  return { min, max, sum, counts: [...counts].sort(([a], [b]) => a - b).flat() };
};

export const add = (a: Histogram, b: Histogram): Histogram => {
  const counts: number[] = [];
  for (let i = 0, j = 0; i < a.counts.length || j < b.counts.length; ) {
    const x = a.counts[i] ?? Number.POSITIVE_INFINITY;
    const y = b.counts[j] ?? Number.POSITIVE_INFINITY;
    counts.push(Math.min(x, y), (x <= y ? a.counts[i + 1]! : 0) + (y <= x ? b.counts[j + 1]! : 0));
    if (x <= y) i += 2;
    if (y <= x) j += 2;
  }
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max), sum: a.sum + b.sum, counts };
};

const sizeOf = ({ counts }: Histogram): number => counts.reduce((n, count, i) => (i % 2 === 1 ? n + count : n), 0);

/** The number that `share` of all are no greater than: the middle of its bucket. */
const quantile = (h: Histogram, size: number, share: number): number => {
  let seen = 0;
  for (let i = 0; i < h.counts.length; i += 2) {
    seen += h.counts[i + 1]!;
    if (seen < Math.ceil(share * size)) continue;
    const [first, last] = rangeOf(h.counts[i]!);
    return Math.min(Math.max(Math.floor((first + last) / 2), h.min), h.max);
  }
  return h.max;
};

/** How many numbers lie between powers of two, from the least to the greatest. */
const bars = (h: Histogram): { from: number; to: number; rows: number }[] => {
  // Powers of two are bounds of buckets, so this is exact.
  const powerOf = (value: number) => 32 - Math.clz32(value);
  const first = powerOf(h.min);
  const all = Array.from({ length: powerOf(h.max) - first + 1 }, (_, i) => {
    const power = first + i;
    return { from: power === 0 ? 0 : 2 ** (power - 1), to: power === 0 ? 0 : 2 ** power - 1, rows: 0 };
  });
  for (let i = 0; i < h.counts.length; i += 2) all[powerOf(rangeOf(h.counts[i]!)[0]) - first]!.rows += h.counts[i + 1]!;
  return all;
};

/** What people want to know of the numbers. */
export const summary = (h: Histogram) => {
  const size = sizeOf(h);
  return {
    min: h.min,
    median: quantile(h, size, 0.5),
    mean: Number((h.sum / size).toFixed(2)),
    p95: quantile(h, size, 0.95),
    max: h.max,
    histogram: bars(h),
  };
};
