/** What is measured of one field over rows: as it is collected, as plain JSON that can be added, and as people read it. */
import type { Json } from '../../contract.ts';
import { distinct, hash52, sizeOf, union } from './distinct.ts';
import { add, type Histogram, histogram, summary } from './histogram.ts';

/** Numbers that a field may have; each is there where a row had it. */
export const NUMBERS = ['characters', 'words', 'tokens', 'items'] as const;
type NumberName = (typeof NUMBERS)[number];

export interface Collected {
  rows: number;
  readonly numbers: Partial<Record<NumberName, number[]>>;
  readonly hashes: number[];
  readonly languages: Map<string, number>;
}

export type Measured = {
  readonly rows: number;
  readonly values?: string;
  readonly languages?: readonly (readonly [language: string, rows: number])[];
} & { readonly [N in NumberName]?: Histogram };

export const collected = (): Collected => ({ rows: 0, numbers: {}, hashes: [], languages: new Map() });

export const collect = (into: Collected, name: NumberName, value: number): void => {
  const all = into.numbers[name] ?? [];
  into.numbers[name] = all;
  all.push(value);
};

export const collectText = (into: Collected, text: string): void => void into.hashes.push(hash52(text));

const ascending = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : Number(a > b);

/** Keys always in the same order, so that equal measures are equal bytes. */
export const settled = ({ rows, numbers, hashes, languages }: Collected): Measured => ({
  rows,
  ...Object.fromEntries(NUMBERS.flatMap(name => (numbers[name] ? [[name, histogram(numbers[name])]] : []))),
  ...(hashes.length > 0 ? { values: distinct(hashes) } : {}),
  ...(languages.size > 0 ? { languages: [...languages].sort(ascending) } : {}),
});

const either = <T>(a: T | undefined, b: T | undefined, both: (a: T, b: T) => T): T | undefined =>
  a === undefined ? b : b === undefined ? a : both(a, b);

export const sum = (a: Measured, b: Measured): Measured => {
  const languages = new Map(a.languages ?? []);
  for (const [language, rows] of b.languages ?? []) languages.set(language, (languages.get(language) ?? 0) + rows);
  const values = either(a.values, b.values, union);
  return {
    rows: a.rows + b.rows,
    ...Object.fromEntries(
      NUMBERS.flatMap(name => {
        const both = either(a[name], b[name], add);
        return both ? [[name, both]] : [];
      }),
    ),
    ...(values === undefined ? {} : { values }),
    ...(languages.size > 0 ? { languages: [...languages].sort(ascending) } : {}),
  };
};

/** `duplicates`: rows whose value stood in a row before. */
export const told = (m: Measured): { readonly [key: string]: Json } => ({
  rows: m.rows,
  ...(m.values === undefined ? {} : { duplicates: m.rows - sizeOf(m.values) }),
  ...Object.fromEntries(NUMBERS.flatMap(name => (m[name] ? [[name, summary(m[name])]] : []))),
  ...(m.languages
    ? { languages: Object.fromEntries([...m.languages].sort(([x, a], [y, b]) => b - a || (x < y ? -1 : 1))) }
    : {}),
});
