/** Values as texts that are equal where the values are: what `dedup` and the rule `unique` compare. */
import type { DedupOptions } from '../../../schemas/types.ts';
import type { Json } from '../../contract.ts';

export const normalizers: Record<DedupOptions['normalize'], (text: string) => string> = {
  none: text => text,
  whitespace: text => text.normalize('NFC').replace(/\s+/g, ' ').trim(),
  case: text => text.normalize('NFC').toLowerCase().replace(/\s+/g, ' ').trim(),
  letters: text =>
    text
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim(),
};

/** JSON with sorted keys, every text in it normalised: equal for equal values. */
export const canonicalText = (value: Json, text: (s: string) => string): string => {
  if (typeof value === 'string') return JSON.stringify(text(value));
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(v => canonicalText(v, text)).join(',')}]`;
  const object = value as { readonly [key: string]: Json };
  return `{${Object.keys(object)
    .sort()
    .map(key => `${JSON.stringify(key)}:${canonicalText(object[key]!, text)}`)
    .join(',')}}`;
};
