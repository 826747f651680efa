/** Transform `stats`: how many rows there are, and how long their texts are. */
import type { StatsOptions } from '../../schemas/types.ts';
import type { Fields, FoldStage, Json } from '../contract.ts';
import { add, type Histogram, histogram, summary } from './stats/histogram.ts';
import { count } from './text/count.ts';

export type Options = StatsOptions;

/** Fields by name, ascending: a list, because a field may be called as it likes. */
type Partial = { readonly rows: number; readonly fields: readonly (readonly [name: string, lengths: Lengths])[] };

interface Lengths {
  readonly rows: number;
  readonly characters: Histogram;
  readonly words: Histogram;
}

const sum = (a: Lengths, b: Lengths): Lengths => ({
  rows: a.rows + b.rows,
  characters: add(a.characters, b.characters),
  words: add(a.words, b.words),
});

const ascending = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : Number(a > b);

export default {
  kind: 'fold',
  part(rows, { field }) {
    const names = field === undefined ? null : new Set([field].flat());
    const lengths = new Map<string, { characters: number[]; words: number[] }>();
    for (const { fields } of rows) {
      for (const [name, value] of Object.entries(fields)) {
        if (typeof value !== 'string' || (names && !names.has(name))) continue;
        let all = lengths.get(name);
        if (!all) lengths.set(name, (all = { characters: [], words: [] }));
        const { characters, words } = count(value);
        all.characters.push(characters);
        all.words.push(words);
      }
    }
    const fields = [...lengths].sort(ascending).map(([name, { characters, words }]) => {
      const all = { rows: words.length, characters: histogram(characters), words: histogram(words) };
      return [name, all] as const;
    });
    return { rows: rows.length, fields } as Partial & Json;
  },
  merge(a, b) {
    const fields = new Map(a.fields);
    for (const [name, more] of b.fields) {
      const known = fields.get(name);
      fields.set(name, known ? sum(known, more) : more);
    }
    return { rows: a.rows + b.rows, fields: [...fields].sort(ascending) } as Partial & Json;
  },
  finish(all): Fields {
    const fields = (all?.fields ?? []).map(([name, { rows, characters, words }]) => [
      name,
      { rows, characters: summary(characters), words: summary(words) },
    ]);
    return { rows: all?.rows ?? 0, fields: Object.fromEntries(fields) };
  },
} satisfies FoldStage<Options, Partial & Json>;
