/** Transform `decontaminate`: drops rows that share a run of words with rows that the model will be tested on. */
import type { DecontaminateOptions } from '../../schemas/types.ts';
import { type RowsInput, type RowsStage, type Setup, StageError } from '../contract.ts';
import { GramSet } from './decontaminate/gram-set.ts';
import { eachRun, type Words, wordCutter } from './decontaminate/grams.ts';
import { named, textsOf } from './text/texts.ts';

export type Options = DecontaminateOptions;

interface State {
  readonly grams: GramSet;
  /** Lengths of the runs in it. */
  readonly sizes: readonly number[];
  /** Ids of the rows of the test, by their numbers in `grams`. */
  readonly ids: readonly string[];
  cut(text: string): Words;
}

/** A character of a script without spaces says less than a word: there runs are longer. */
const isSpaceless = ({ alone, count }: Words): boolean => {
  let spaceless = 0;
  for (let i = 0; i < count; i++) spaceless += alone[i]!;
  return spaceless * 2 > count;
};

/** In the form in which equal letters are equal characters; ASCII is. */
const plain = (text: string): string => (/[^ -~\s]/.test(text) ? text.normalize('NFKC') : text);

const shortened = (text: string): string => (text.length > 80 ? `${text.slice(0, 77)}...` : text);

/** Runs of different lengths are different, whatever they hash to. */
const salted = (high: number, size: number): number => high ^ Math.imul(size, 0x9e3779b9);

export default {
  kind: 'rows',
  async setup({ options, inputs }: Setup<Options>): Promise<State> {
    const cut = wordCutter();
    const grams = new GramSet();
    const sizes = new Set<number>();
    const ids: string[] = [];
    const against = inputs.against as RowsInput;
    for await (const { id, fields } of against) {
      ids.push(id);
      for (const text of textsOf(fields, options.against)) {
        const words = cut(plain(text));
        const spaceless = isSpaceless(words);
        if (words.count < (spaceless ? 2 : 1) * options.shortest) continue;
        // A question that is shorter than a run counts as a whole.
        const size = Math.min(spaceless ? options.characters : options.words, words.count);
        sizes.add(size);
        eachRun(words, size, (high, low) => {
          grams.add(salted(high, size), low, ids.length - 1);
          return false;
        });
      }
    }
    if (grams.size > 0) return { grams, sizes: [...sizes].sort((a, b) => a - b), ids, cut };
    const where = options.against === undefined ? 'any field' : named(options.against);
    throw new StageError(
      'nothing-to-compare',
      `of ${against.count} rows in "against" none has ${options.shortest} words in ${where}`,
      { advice: 'Name the field of the questions in the option `against`, or lower `shortest`.' },
    );
  },
  map(row, emit, { grams, sizes, ids, cut }, { field, common }) {
    const texts = textsOf(row.fields, field);
    if (texts.length === 0) return emit.reject(row, `${named(field)}: there is no text`);
    for (const given of texts) {
      const text = plain(given);
      const words = cut(text);
      for (const size of sizes) {
        let why = '';
        eachRun(words, size, (high, low, first) => {
          const at = grams.get(salted(high, size), low, common);
          if (at === -1) return false;
          const shared = text.slice(words.starts[first], words.ends[first + size - 1]).replace(/\s+/g, ' ');
          why = `shares "${shortened(shared)}" with ${ids[at]}`;
          return true;
        });
        if (why !== '') return emit.drop(row, why);
      }
    }
    emit.keep(row);
  },
} satisfies RowsStage<Options, State>;
