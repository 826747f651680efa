/**
 * Values of Parquet's types as JSON:
 *
 *   whole numbers    number; as text from 2^53 on, where a number would lose digits
 *   DECIMAL          number up to 15 digits of precision, else text: "12345678901234567.89"
 *   FLOAT, DOUBLE    number; null for NaN and the infinities, which JSON lacks
 *   DATE, TIME       "2024-05-01", "13:45:00.25"
 *   TIMESTAMP        "2024-05-01T13:45:00.25Z"; without Z where it is not declared to be UTC
 *   INTERVAL         "P1M2DT3.5S"
 *   text, ENUM, UUID text; JSON the value that it holds
 *   binary           text in base64
 *   list, map, group array, object, object
 */
import type { Json } from '../../../contract.ts';
import { clock, duration, fraction, NoJson, scaled, timestamp, whole } from '../json-values.ts';
import { isListLike, isMapLike, type SchemaElement, type SchemaTree } from './footer.ts';
import { NotText } from './pages.ts';

export type ToJson = (value: unknown) => Json;

/** `node` is of the schema as declared. Throws an Error for types that are not read. */
export const toJson = (node: SchemaTree): ToJson => {
  const one = single(node);
  return node.element.repetition_type === 'REPEATED' ? listOf(one) : one;
};

const single = (node: SchemaTree): ToJson => {
  if (isListLike(node)) {
    const repeated = node.children[0]!;
    return listOf(repeated.children.length === 1 ? toJson(repeated.children[0]!) : single(repeated));
  }
  if (isMapLike(node)) return mapOf(toJson(node.children[0]!.children[1]!));
  if (node.element.logical_type?.type === 'VARIANT') throw new Error('it is of type VARIANT, which is not read');
  if (node.children.length > 0) return groupOf(node.children.map(c => [c.element.name, toJson(c)]));
  return orNull(leaf(node.element));
};

const listOf =
  (one: ToJson): ToJson =>
  value =>
    Array.isArray(value) ? value.map(one) : null;

const mapOf =
  (one: ToJson): ToJson =>
  value =>
    isObject(value) ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, one(v)])) : null;

const groupOf =
  (fields: readonly (readonly [string, ToJson])[]): ToJson =>
  value =>
    isObject(value) ? Object.fromEntries(fields.map(([name, one]) => [name, one(value[name])])) : null;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const orNull =
  (one: (value: never) => Json): ToJson =>
  value =>
    value === undefined || value === null ? null : one(value as never);

const leaf = (element: SchemaElement): ((value: never) => Json) => {
  const { type, converted_type: converted, logical_type: logical } = element;
  const kind = logical?.type ?? LOGICAL[converted ?? ''] ?? null;
  const unit = (logical && 'unit' in logical ? logical.unit : undefined) ?? /MILLIS|MICROS/.exec(converted ?? '')?.[0];
  const digits = unit === 'NANOS' ? 9 : unit === 'MICROS' ? 6 : 3;
  switch (kind) {
    case 'DECIMAL':
      return decimal(element);
    case 'DATE':
      return (days: number) => new Date(days * DAY).toISOString().replace(/T.*/, '');
    case 'TIME':
      return (v: number | bigint) => clock(BigInt(v), digits);
    case 'TIMESTAMP': {
      const zone = logical?.type === 'TIMESTAMP' && !logical.isAdjustedToUTC ? '' : 'Z';
      return (v: bigint) => timestamp(BigInt(v), digits) + zone;
    }
    case 'INTERVAL':
      return interval;
    case 'FLOAT16':
      return float16;
    case 'UUID':
      return (v: Uint8Array) => base16(v).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    case 'JSON':
      return (v: unknown) => json(text(v));
    case 'STRING':
    case 'ENUM':
      return text;
  }
  switch (type) {
    case 'INT32':
      return converted === 'UINT_32' || (logical?.type === 'INTEGER' && !logical.isSigned)
        ? (v: number) => v >>> 0
        : (v: number) => v;
    case 'INT64':
      return converted === 'UINT_64' || (logical?.type === 'INTEGER' && !logical.isSigned)
        ? (v: bigint) => whole(BigInt.asUintN(64, v))
        : whole;
    case 'INT96':
      return (v: bigint) => timestamp(v, 9);
    case 'FLOAT':
    case 'DOUBLE':
      return (v: number) => (Number.isFinite(v) ? v : null);
    case 'BOOLEAN':
      return (v: boolean) => v;
    default:
      return (v: Uint8Array | string) => (typeof v === 'string' ? v : base64(v));
  }
};

/** What files say that were written before there were logical types. */
const LOGICAL: Readonly<Record<string, string>> = {
  ...{ UTF8: 'STRING', ENUM: 'ENUM', JSON: 'JSON', DECIMAL: 'DECIMAL', DATE: 'DATE', INTERVAL: 'INTERVAL' },
  ...{ TIME_MILLIS: 'TIME', TIME_MICROS: 'TIME', TIMESTAMP_MILLIS: 'TIMESTAMP', TIMESTAMP_MICROS: 'TIMESTAMP' },
};

const DAY = 86_400_000;

const text = (v: unknown): string => {
  if (typeof v === 'string') return v;
  throw new NoJson(v instanceof NotText ? 'text that is not UTF-8' : 'a value that is no text');
};

const json = (v: string): Json => {
  try {
    return JSON.parse(v) as Json;
  } catch {
    return v;
  }
};

const bytesOf = (v: Uint8Array): Buffer => Buffer.from(v.buffer, v.byteOffset, v.length);
const base16 = (v: Uint8Array): string => bytesOf(v).toString('hex');
const base64 = (v: Uint8Array): string => bytesOf(v).toString('base64');

const decimal = ({ logical_type: logical, scale, precision }: SchemaElement): ((v: never) => Json) => {
  const declared = logical?.type === 'DECIMAL' ? logical : { scale: scale ?? 0, precision: precision ?? 0 };
  return (v: number | bigint | Uint8Array) => {
    const digits = typeof v === 'object' ? signed(v) : BigInt(v);
    return scaled(digits, declared.scale, declared.precision);
  };
};

/** Big-endian two's complement. */
const signed = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${base16(bytes)}`));

/** Months, days and milliseconds, 4 bytes each. */
const interval = (v: Uint8Array): string => {
  const view = new DataView(v.buffer, v.byteOffset, v.length);
  const [months, days, ms] = [0, 4, 8].map(at => view.getUint32(at, true)) as [number, number, number];
  return duration({ months, days, seconds: `${Math.floor(ms / 1000)}${fraction(BigInt(ms % 1000), 3)}` });
};

const float16 = (v: Uint8Array): number | null => {
  const bits = (v[1]! << 8) | v[0]!;
  const [exponent, part] = [(bits >> 10) & 31, (bits & 1023) / 1024];
  if (exponent === 31) return null;
  const size = exponent === 0 ? part * 2 ** -14 : (1 + part) * 2 ** (exponent - 15);
  return bits >> 15 ? -size : size;
};
