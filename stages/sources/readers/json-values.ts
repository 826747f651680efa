/** Values of databases and columnar files in JSON: numbers that stay exact, dates and times as ISO 8601 writes them. */
import type { Json } from '../../contract.ts';

/** A value that has no JSON form: its row is refused. */
export class NoJson extends Error {}

/** A number where it is exact, else its digits. */
export const whole = (v: bigint): Json => {
  const number = Number(v);
  return Number.isSafeInteger(number) ? number : v.toString();
};

/** `digits` x 10^-scale. */
export const scaled = (digits: bigint, scale: number, precision: number): Json => {
  const all = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  const [int, fraction] = [all.slice(0, all.length - scale), all.slice(all.length - scale)];
  const written = `${digits < 0n ? '-' : ''}${int}${scale > 0 ? `.${fraction}` : ''}`;
  return precision <= 15 ? Number(written) : written;
};

/** `.25`, without zeros at the end; empty for none. */
export const fraction = (units: bigint, digits: number): string => {
  const written = units.toString().padStart(digits, '0').replace(/0+$/, '');
  return written === '' ? '' : `.${written}`;
};

/** Time of day; `value` counts 10^-digits seconds. */
export const clock = (value: bigint, digits: number): string => {
  const one = 10n ** BigInt(digits);
  const seconds = Number(value / one);
  const two = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${two(h)}:${two(m)}:${two(s)}${fraction(value % one, digits)}`;
};

/** Without its zone; `value` counts 10^-digits seconds since 1970. */
export const timestamp = (value: bigint, digits: number): string => {
  const one = 10n ** BigInt(digits);
  const below = ((value % one) + one) % one;
  const seconds = Number((value - below) / one);
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw new NoJson('a time beyond the year 275760');
  return date.toISOString().replace(/\.000Z$/, '') + fraction(below, digits);
};

/** ISO 8601; parts of 0 are left out. */
export const duration = (d: { months: number; days: number; seconds: string }): string => {
  const time = d.seconds === '0' ? '' : `T${d.seconds}S`;
  const written = `P${d.months ? `${d.months}M` : ''}${d.days ? `${d.days}D` : ''}${time}`;
  return written === 'P' ? 'PT0S' : written;
};
