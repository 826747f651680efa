/**
 * Values of DuckDB's types as JSON, as of Parquet's (`sources/readers/parquet/to-json.ts`): whole numbers and decimals exact,
 * as text where a number would lose digits; dates, times and intervals as ISO 8601; binary as base64; lists and arrays
 * as arrays; structs and maps as objects; a union as its value; JSON as what it holds; NULL, NaN and infinities as null.
 */

import type { Json } from '../contract.ts';
import { clock, duration, fraction, NoJson, scaled, timestamp, whole } from '../sources/readers/json-values.ts';
import type {
  Duck,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampValue,
  DuckDBTimeTZValue,
  DuckDBType,
  DuckDBUnionValue,
} from './duckdb.ts';

export type ToJson = (value: unknown) => Json;

const DAY = 86_400_000;

/** Throws NoJson for types that have no form here. `Duck` is the module: it is loaded by who needs it. */
export const toJson = (type: DuckDBType, duck: Duck): ToJson => {
  const one = known(type, duck);
  return value => (value === null || value === undefined ? null : one(value as never));
};

const known = (type: DuckDBType, duck: Duck): ((value: never) => Json) => {
  const { DuckDBTypeId: id } = duck;
  switch (type.typeId) {
    case id.SQLNULL:
      return () => null;
    case id.BOOLEAN:
      return (v: boolean) => v;
    case id.TINYINT:
    case id.SMALLINT:
    case id.INTEGER:
    case id.UTINYINT:
    case id.USMALLINT:
    case id.UINTEGER:
      return (v: number) => v;
    case id.BIGINT:
    case id.UBIGINT:
    case id.HUGEINT:
    case id.UHUGEINT:
    case id.BIGNUM:
      return whole;
    case id.FLOAT:
    case id.DOUBLE:
      return (v: number) => (Number.isFinite(v) ? v : null);
    case id.DECIMAL:
      return (v: DuckDBDecimalValue) => scaled(v.value, v.scale, v.width);
    case id.VARCHAR:
      return type.alias === 'JSON' ? (v: string) => JSON.parse(v) as Json : (v: string) => v;
    case id.ENUM:
      return (v: string) => v;
    case id.UUID:
    case id.BIT:
      return (v: object) => String(v);
    case id.BLOB:
      return (v: DuckDBBlobValue) => Buffer.from(v.bytes).toString('base64');
    case id.DATE:
      return (v: DuckDBDateValue) => (v.isFinite ? new Date(v.days * DAY).toISOString().replace(/T.*/, '') : null);
    case id.TIME:
      return (v: { micros: bigint }) => clock(v.micros, 6);
    case id.TIME_NS:
      return (v: { nanos: bigint }) => clock(v.nanos, 9);
    case id.TIME_TZ:
      return (v: DuckDBTimeTZValue) => clock(v.micros, 6) + zone(v.offset);
    case id.TIMESTAMP:
      return (v: DuckDBTimestampValue) => (v.isFinite ? timestamp(v.micros, 6) : null);
    case id.TIMESTAMP_TZ:
      return (v: DuckDBTimestampValue) => (v.isFinite ? `${timestamp(v.micros, 6)}Z` : null);
    case id.TIMESTAMP_S:
      return (v: DuckDBTimestampSecondsValue) => (v.isFinite ? timestamp(v.seconds, 0) : null);
    case id.TIMESTAMP_MS:
      return (v: { isFinite: boolean; millis: bigint }) => (v.isFinite ? timestamp(v.millis, 3) : null);
    case id.TIMESTAMP_NS:
      return (v: DuckDBTimestampNanosecondsValue) => (v.isFinite ? timestamp(v.nanos, 9) : null);
    case id.INTERVAL:
      return (v: DuckDBIntervalValue) => interval(v);
    case id.LIST:
    case id.ARRAY: {
      const one = toJson((type as { valueType: DuckDBType }).valueType, duck);
      return (v: DuckDBListValue) => v.items.map(one);
    }
    case id.STRUCT: {
      const { entryNames, entryTypes } = type as { entryNames: readonly string[]; entryTypes: readonly DuckDBType[] };
      const entries = entryNames.map((name, i) => [name, toJson(entryTypes[i]!, duck)] as const);
      return (v: DuckDBStructValue) => Object.fromEntries(entries.map(([name, one]) => [name, one(v.entries[name])]));
    }
    case id.MAP: {
      const { keyType, valueType } = type as { keyType: DuckDBType; valueType: DuckDBType };
      const [key, one] = [toJson(keyType, duck), toJson(valueType, duck)];
      return (v: DuckDBMapValue) => Object.fromEntries(v.entries.map(e => [keyText(key(e.key)), one(e.value)]));
    }
    case id.UNION: {
      const { memberTags, memberTypes } = type as { memberTags: readonly string[]; memberTypes: readonly DuckDBType[] };
      const members = new Map(memberTags.map((tag, i) => [tag, toJson(memberTypes[i]!, duck)]));
      return (v: DuckDBUnionValue) => members.get(v.tag)!(v.value);
    }
    default:
      throw new NoJson(`values of type ${type.toString()}, which have no form in JSON: CAST them`);
  }
};

const keyText = (key: Json): string => (typeof key === 'string' ? key : JSON.stringify(key));

const zone = (seconds: number): string => {
  const minutes = Math.abs(Math.trunc(seconds / 60));
  const two = (n: number) => String(n).padStart(2, '0');
  return `${seconds < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
};

const interval = ({ months, days, micros }: DuckDBIntervalValue): string => {
  const size = micros < 0n ? -micros : micros;
  const seconds = `${size / 1_000_000n}${fraction(size % 1_000_000n, 6)}`;
  return duration({ months, days, seconds: micros < 0n ? `-${seconds}` : seconds });
};
