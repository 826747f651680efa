/**
 * PostgreSQL's values, which come as text, in JSON: numbers exact (text where a number would lose digits), dates and times as
 * ISO 8601, bytea as base64, json and jsonb as what they hold, arrays as arrays; NaN and infinities are null, and
 * all other types are the text that PostgreSQL writes.
 */
import type { Json } from '../contract.ts';
import { whole } from '../sources/readers/json-values.ts';

/** What `pg_type` says of a type. */
export interface PgType {
  readonly oid: number;
  /** `A` of an array. */
  readonly typcategory: string;
  /** Type of an array's elements. */
  readonly typelem: number;
  /** Of a domain: what it is made of; 0 of others. */
  readonly typbasetype: number;
}

export type FromText = (text: string) => Json;

const OF: Readonly<Record<number, FromText>> = {
  16: text => text === 't',
  17: text => Buffer.from(text.slice(2), 'hex').toString('base64'),
  20: text => whole(BigInt(text)),
  ...Object.fromEntries([21, 23, 26].map(oid => [oid, Number])),
  ...Object.fromEntries([114, 3802].map(oid => [oid, (text: string) => JSON.parse(text) as Json])),
  ...Object.fromEntries([700, 701].map(oid => [oid, (text: string) => finite(Number(text))])),
  1700: text => (digits(text) <= 15 ? finite(Number(text)) : text),
  1082: text => orNull(text),
  1114: text => orNull(text.replace(' ', 'T')),
  1184: text => orNull(text.replace(' ', 'T').replace(/\+00$/, 'Z')),
};

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

const orNull = (text: string): string | null => (/infinity$/.test(text) ? null : text);

const digits = (text: string): number => text.replace(/^-?0*\.?0*|\./g, '').length;

export const fromText = (oid: number, types: ReadonlyMap<number, PgType>): FromText => {
  const known = OF[oid];
  if (known) return known;
  const type = types.get(oid);
  if (type && type.typbasetype !== 0) return fromText(type.typbasetype, types);
  if (type?.typcategory === 'A' && type.typelem !== 0) {
    const one = fromText(type.typelem, types);
    return text => array(text, one);
  }
  return text => text;
};

/** `{1,NULL,"a \"b\"",{2}}`; bounds other than from 1 stand before it: `[0:1]={1,2}`. */
export const array = (text: string, one: FromText): Json => {
  let at = text.startsWith('[') ? text.indexOf('=') + 1 : 0;
  const list = (): Json[] => {
    const out: Json[] = [];
    at++;
    while (text[at] !== '}') {
      if (text[at] === ',') at++;
      else if (text[at] === '{') out.push(list());
      else if (text[at] === '"') out.push(one(string()));
      else {
        const end = /[,}]/g;
        end.lastIndex = at;
        const bare = text.slice(at, end.exec(text)?.index);
        at += bare.length;
        out.push(bare === 'NULL' ? null : one(bare));
      }
    }
    at++;
    return out;
  };
  const string = (): string => {
    let out = '';
    for (at++; text[at] !== '"'; at++) {
      if (text[at] === '\\') at++;
      out += text[at];
    }
    at++;
    return out;
  };
  return list();
};
