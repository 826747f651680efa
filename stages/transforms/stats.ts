/** Transform `stats`: how many rows there are, how long their texts are, which languages they are in, and how much comes twice. */
import type { StatsOptions } from '../../schemas/types.ts';
import type { Fields, FoldStage, Json, ModelInput, Setup } from '../contract.ts';
import { canonicalText } from './dedup/canonical.ts';
import { type Detect, detector } from './language/detect.ts';
import { distinct, hash52, sizeOf, union } from './stats/distinct.ts';
import {
  type Collected,
  collect,
  collected,
  collectText,
  type Measured,
  settled,
  sum,
  told,
} from './stats/measured.ts';
import { type Told, toldOf } from './stats/texts-of-row.ts';
import { count } from './text/count.ts';

export type Options = StatsOptions;

/** Fields by name, ascending: a list, because a field may be called as it likes. `values`: of whole rows. */
type Partial = {
  readonly rows: number;
  readonly values?: string;
  readonly fields: readonly (readonly [name: string, measured: Measured])[];
};

interface State {
  readonly detect: Detect | null;
  /** How many tokens each text has. */
  readonly tokens: ((texts: readonly string[]) => Promise<readonly number[]>) | null;
}

const ascending = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : Number(a > b);

/** Letters below which no language is told. */
const FEWEST_LETTERS = 12;

const measure = ({ texts, items }: Told, into: Collected, detect: Detect | null): void => {
  into.rows++;
  if (items !== undefined) collect(into, 'items', items);
  if (texts.length === 0) return;
  let [characters, words] = [0, 0];
  for (const text of texts) {
    const counts = count(text);
    characters += counts.characters;
    words += counts.words;
  }
  collect(into, 'characters', characters);
  collect(into, 'words', words);
  const whole = texts.length === 1 ? texts[0]! : texts.join('\n');
  collectText(into, whole);
  if (!detect) return;
  const language = detect(whole);
  into.languages.set(language, (into.languages.get(language) ?? 0) + 1);
};

export default {
  kind: 'fold',
  async setup({ options, inputs }: Setup<Options>): Promise<State> {
    const detect = options.languages ? await detector({ min: FEWEST_LETTERS }) : null;
    const model = inputs.model as ModelInput | undefined;
    if (!model) return { detect, tokens: null };
    const { loadTokenizer } = await import('../templates/tokenizer.ts');
    const tokenizer = loadTokenizer(model.folder);
    return { detect, tokens: async texts => (await tokenizer.plain(texts)).map(ids => ids.length) };
  },
  async part(rows, { field }, { detect, tokens }) {
    const names = field === undefined ? null : [field].flat();
    const fields = new Map<string, Collected>();
    const asked: { readonly into: Collected; readonly texts: readonly string[] }[] = [];
    const whole: number[] = [];
    for (const row of rows) {
      whole.push(hash52(canonicalText(row.fields, text => text)));
      for (const one of toldOf(row.fields, names)) {
        const into = fields.get(one.name) ?? collected();
        fields.set(one.name, into);
        measure(one, into, detect);
        if (one.texts.length > 0) asked.push({ into, texts: one.texts });
      }
    }
    if (tokens) {
      const counts = await tokens(asked.flatMap(({ texts }) => texts));
      let at = 0;
      for (const { into, texts } of asked) {
        const end = at + texts.length;
        collect(
          into,
          'tokens',
          counts.slice(at, end).reduce((n, more) => n + more, 0),
        );
        at = end;
      }
    }
    return {
      rows: rows.length,
      values: distinct(whole),
      fields: [...fields].sort(ascending).map(([name, all]) => [name, settled(all)] as const),
    } as Partial as Partial & Json;
  },
  merge(a, b) {
    const fields = new Map(a.fields);
    for (const [name, more] of b.fields) {
      const known = fields.get(name);
      fields.set(name, known ? sum(known, more) : more);
    }
    const values = union(a.values ?? '', b.values ?? '');
    return { rows: a.rows + b.rows, values, fields: [...fields].sort(ascending) } as Partial as Partial & Json;
  },
  finish(all): Fields {
    const fields = (all?.fields ?? []).map(([name, measured]) => [name, told(measured)] as const);
    const rows = all?.rows ?? 0;
    return { rows, duplicates: rows - sizeOf(all?.values ?? ''), fields: Object.fromEntries(fields) };
  },
} satisfies FoldStage<Options, Partial & Json, State>;
