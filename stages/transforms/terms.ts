/** Transform `terms`: one word for one thing: variants of a glossary's terms become the terms. */
import type { TermsOptions } from '../../schemas/types.ts';
import { type RowsStage, type Setup, StageError } from '../contract.ts';
import { entry, readGlossary } from './terms/glossary.ts';
import { Ambiguous, type Glossary, replacer } from './terms/replacer.ts';
import { mapTexts, named, textsOf } from './text/texts.ts';

export type Options = TermsOptions;

type State = ReturnType<typeof replacer>;

/** What the recipe and the file say of the same term is put together. */
const joined = (all: readonly Glossary[]): Glossary[] => {
  const byTerm = new Map<string, readonly string[]>();
  for (const { term, variants } of all) byTerm.set(term, [...(byTerm.get(term) ?? []), ...variants]);
  return [...byTerm].map(([term, variants]) => ({ term, variants }));
};

export default {
  kind: 'rows',
  async setup({ options, files }: Setup<Options>): Promise<State> {
    const bad = (message: string) => new StageError('bad-glossary', message);
    const own = Object.entries(options.terms ?? {}).map(([term, variants]) => entry(term, variants, bad));
    const file = files.file?.[0];
    const glossary = joined([...own, ...(file ? await readGlossary(file) : [])]);
    if (glossary.length === 0) throw bad('the glossary holds no term');
    try {
      return replacer(glossary, { ignoreCase: options.ignore_case, wholeWords: options.whole_words });
    } catch (error) {
      if (!(error instanceof Ambiguous)) throw error;
      throw new StageError('ambiguous-term', error.message, { advice: 'Take it out of one of the two.' });
    }
  },
  map(row, emit, replace, { field, as }) {
    if (field !== undefined && textsOf(row.fields, field).length === 0)
      return emit.reject(row, `${named(field)}: there is no text`);
    const counts: Record<string, number> = {};
    const count = (term: string): void => {
      counts[term] = (counts[term] ?? 0) + 1;
    };
    const fields = mapTexts(row.fields, field, text => replace(text, count));
    emit.keep(row, as === undefined ? fields : { ...fields, [as]: counts });
  },
} satisfies RowsStage<Options, State>;
