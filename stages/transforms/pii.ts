/** Transform `pii`: takes personal data and secrets out of texts, or drops the rows that hold any. */
import { hash } from 'node:crypto';
import type { PiiOptions } from '../../schemas/types.ts';
import type { RowsStage, Setup } from '../contract.ts';
import { type Found, finder } from './pii/find.ts';
import { patternsOf } from './text/patterns.ts';
import { mapTexts, named, textsOf } from './text/texts.ts';

export type Options = PiiOptions;

interface State {
  find(text: string): readonly Found[];
}

const compile = (patterns: Options['patterns']): Record<string, RegExp> =>
  Object.fromEntries(
    Object.entries(patterns ?? {}).map(([name, pattern]) => [name, patternsOf(`patterns.${name}`, pattern, 'gu')[0]!]),
  );

/** The same value however it is written: e-mail in capitals, a number in groups. */
const canonical = (kind: string, value: string): string =>
  kind === 'email' ? value.toLowerCase() : kind === 'phone' || kind === 'card' ? value.replace(/\D/g, '') : value;

/**
 * Placeholders of one row: `<EMAIL_3f9a>`, equal for equal values. The four digits are of a hash over seed, row and value: too
 * few to say which value it was, and others in every row, so that rows cannot be joined by them.
 */
const placeholders = (seed: number, row: string): ((kind: string, value: string) => string) => {
  const known = new Map<string, string>();
  const taken = new Set<string>();
  return (kind, value) => {
    const key = `${kind} ${canonical(kind, value)}`;
    let name = known.get(key);
    if (name) return name;
    const digits = hash('sha256', JSON.stringify([seed, row, key]), 'hex');
    let at = 0;
    do name = `<${kind.toUpperCase()}_${digits.slice(at, at + 4)}>`;
    while (taken.has(name) && ++at + 4 < digits.length);
    known.set(key, name);
    taken.add(name);
    return name;
  };
};

const told = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([kind, n]) => (n === 1 ? kind : `${n} x ${kind}`))
    .join(', ');

export default {
  kind: 'rows',
  setup: ({ options }: Setup<Options>): State => ({ find: finder(options.kinds, compile(options.patterns)) }),
  map(row, emit, { find }, { field, action, seed, as }) {
    if (field !== undefined && textsOf(row.fields, field).length === 0)
      return emit.reject(row, `${named(field)}: there is no text`);
    const counts: Record<string, number> = {};
    const name = action === 'replace' ? placeholders(seed, row.id) : () => '';
    const fields = mapTexts(row.fields, field, text => {
      const found = find(text);
      if (found.length === 0) return text;
      let out = '';
      let from = 0;
      for (const { start, end, kind } of found) {
        counts[kind] = (counts[kind] ?? 0) + 1;
        out += text.slice(from, start) + name(kind, text.slice(start, end));
        from = end;
      }
      return out + text.slice(from);
    });
    if (action === 'drop' && Object.keys(counts).length > 0) return emit.drop(row, `holds ${told(counts)}`);
    emit.keep(row, as === undefined ? fields : { ...fields, [as]: counts });
  },
} satisfies RowsStage<Options, State>;
