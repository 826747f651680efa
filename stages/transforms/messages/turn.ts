/** One message on its way from whatever shape a data set has to the one that templates take. */
import type { Json } from '../../contract.ts';
import type { Role, ToolCall } from '../../templates/conversation.ts';
import { RowError } from '../../templates/row-error.ts';

export type JsonMap = { readonly [key: string]: Json };

export interface Turn {
  role: Role;
  content: string;
  thinking?: string;
  calls?: readonly ToolCall[];
  name?: string;
  callId?: string;
  channel?: string;
  train?: boolean;
  /** Where it stands in the row, for reasons: `conversations[2]`. */
  readonly at: string;
}

export const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Data sets whose columns are fixed write null where a row has none. */
export const given = (value: Json | undefined): value is NonNullable<Json> => value !== undefined && value !== null;

/** The first of these keys that a map has, and its value. */
export const firstOf = (
  map: JsonMap,
  keys: readonly string[],
): { readonly key: string; readonly value: Json } | null => {
  const key = keys.find(k => given(map[k]));
  return key === undefined ? null : { key, value: map[key]! };
};

/** JSON that stands in a text; undefined where it is none. */
export const parsed = (text: string): Json | undefined => {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
};

export const fail = (at: string, why: string): never => {
  throw new RowError(`${at}: ${why}`);
};

/** A text, or what is usually written without quotation marks; other values are no text. */
export const textOf = (value: Json | undefined, at: string): string => {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (!given(value)) return '';
  return fail(at, `${Array.isArray(value) ? 'a list' : 'a map'} where a text is expected`);
};
