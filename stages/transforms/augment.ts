/**
 * Transform `augment`: more rows out of few. Copies of each row stand below it, with a text changed and a field `augmented`
 * that says how: synonyms and noise, drawn by the seed; or what a language model writes.
 */
import { readFile } from 'node:fs/promises';
import type { AugmentOptions } from '../../schemas/types.ts';
import type { Emit, Fields, Lineage, Row, RowsStage } from '../contract.ts';
import { lineageOf, nothingSpent, rowTrouble } from '../llm/ask.ts';
import { openChat } from '../llm/chat.ts';
import { openPrompt } from '../llm/prompt.ts';
import { asking, spending } from '../llm/spending.ts';
import { draw } from './augment/draw.ts';
import { ASKED, type AskedWay, type Rewriting, rewrite } from './augment/rewrite.ts';
import { parseSynonyms } from './augment/synonyms.ts';
import { keptOf, type LocalWay, type Variation, vary } from './augment/vary.ts';

export type Options = AugmentOptions;
type Way = LocalWay | AskedWay;

interface State {
  readonly variation: Variation;
  /** Null where nobody is asked. */
  readonly rewriting: Rewriting | null;
}

/** One copy to be made. */
interface Wanted {
  readonly way: Way;
  /** From 0. */
  readonly copy: number;
}

const isAsked = (way: Way): way is AskedWay => (ASKED as readonly Way[]).includes(way);

const waysOf = ({ how }: Options): Way[] => [how].flat() as Way[];
const fieldsOf = ({ field }: Options): string[] => [field].flat() as string[];

const wantedOf = (options: Options): Wanted[] =>
  waysOf(options).flatMap(way => Array.from({ length: options.copies }, (_, copy) => ({ way, copy })));

/** Copies that read alike are one. */
const same = (text: string): string => text.normalize('NFC').toLowerCase().replace(/\s+/g, ' ').trim();

/** A copy of a copy says both. */
const named = ({ augmented }: Fields, way: Way): string =>
  typeof augmented === 'string' ? `${augmented}, ${way}` : way;

/** The texts to change, by field; or the reason why there are none. */
const textsOf = ({ fields }: Row, options: Options): ReadonlyMap<string, string> | string => {
  const texts = new Map<string, string>();
  for (const field of fieldsOf(options)) {
    const text = fields[field];
    if (typeof text !== 'string') return `field "${field}" is not a text`;
    texts.set(field, text);
  }
  return texts;
};

/** Emits a row and those of its copies that are new. */
const emitAll = (
  row: Row,
  emit: Emit,
  {
    copies,
    originals,
    at,
  }: { readonly copies: readonly Fields[]; readonly originals: boolean; readonly at?: Lineage | undefined },
): number => {
  const texts = (fields: Fields): string =>
    Object.entries(fields)
      .filter(([name]) => name !== 'augmented')
      .map(([name, value]) => `${name}=${typeof value === 'string' ? same(value) : JSON.stringify(value)}`)
      .join('\n');
  const seen = new Set([texts(row.fields)]);
  const fresh = copies.filter(fields => !seen.has(texts(fields)) && seen.add(texts(fields)));
  // What it has cost stands once: with the row itself, or else with its first copy.
  if (originals) emit.keep(row, undefined, at);
  for (const [i, fields] of fresh.entries())
    emit.child(row.id, fields, { from: [row.id], ...(i === 0 && !originals ? at : {}) });
  return fresh.length;
};

const local = (row: Row, texts: ReadonlyMap<string, string>, { variation }: State, options: Options): Fields[] =>
  wantedOf(options).map(({ way, copy }) => {
    const changed = [...texts].map(([field, text]) => [
      field,
      vary(text, way as LocalWay, variation, draw(options.seed ?? 0, row.id, way, copy, field)),
    ]);
    return { ...row.fields, ...Object.fromEntries(changed), augmented: named(row.fields, way) };
  });

const written = async (
  row: Row,
  texts: ReadonlyMap<string, string>,
  emit: Emit,
  { state, options }: { state: State; options: Options },
): Promise<void> => {
  const spent = nothingSpent();
  const one = async ({ way, copy }: Wanted): Promise<Fields> => {
    const changed = await Promise.all(
      [...texts].map(async ([field, text]): Promise<[string, string]> => {
        if (!isAsked(way))
          return [field, vary(text, way, state.variation, draw(options.seed ?? 0, row.id, way, copy, field))];
        const answer = await rewrite(state.rewriting!, { row, text, way, copy }, spent);
        return [way === 'pseudo-label' ? options.into : field, answer];
      }),
    );
    return { ...row.fields, ...Object.fromEntries(changed), augmented: named(row.fields, way) };
  };
  const wanted = wantedOf(options);
  const results = await Promise.allSettled(wanted.map(one));
  const copies: Fields[] = [];
  const troubles: string[] = [];
  let again = false;
  for (const [i, result] of results.entries()) {
    if (result.status === 'fulfilled') copies.push(result.value);
    else {
      const { why, transient } = rowTrouble(result.reason);
      const { way, copy } = wanted[i]!;
      troubles.push(`${way}${options.copies > 1 ? ` ${copy + 1}` : ''}: ${why}`);
      again ||= transient;
    }
  }
  const at = spent.input_tokens + spent.output_tokens > 0 ? lineageOf(spent) : undefined;
  const made = emitAll(row, emit, { copies, originals: options.originals, at });
  // The row itself is none the worse for it.
  const told = options.originals || made > 0 ? undefined : at;
  if (troubles.length > 0) emit.reject(row, troubles.join('; '), again, told);
  else if (made === 0 && !options.originals) emit.drop(row, NOTHING, told);
};

const NOTHING = 'nothing in it could be changed';

export default {
  kind: 'rows',
  async setup({ options, files }, outside): Promise<State> {
    const file = files.synonyms?.[0];
    const isRemote = waysOf(options).some(isAsked);
    if (isRemote) outside.count({ asked: 0 });
    return {
      variation: {
        rate: options.rate,
        kept: keptOf(options.keep ?? []),
        synonyms: file ? parseSynonyms(await readFile(file.path), file.name) : null,
      },
      rewriting: isRemote
        ? {
            chat: openChat(options, outside),
            system: options.system === undefined ? null : openPrompt(options.system, 'system'),
            prompt: options.prompt === undefined ? null : openPrompt(options.prompt, 'prompt'),
            language: options.language,
            via: options.via,
          }
        : null,
    };
  },
  map(row, emit, state, options) {
    const texts = textsOf(row, options);
    if (typeof texts === 'string') return emit.reject(row, texts);
    if (state.rewriting) return written(row, texts, emit, { state, options });
    const made = emitAll(row, emit, { copies: local(row, texts, state, options), originals: options.originals });
    if (made === 0 && !options.originals) emit.drop(row, NOTHING);
  },
  tally: ({ fields }) => ({ copies: typeof fields.augmented === 'string' ? 1 : 0 }),
  verdict: (totals, { prices }) => ({
    note: [`${totals.copies ?? 0} copies`, spending(totals, prices)].filter(Boolean).join(', '),
  }),
  counted: (counts, { prices }) => asking(counts, prices),
} satisfies RowsStage<Options, State>;
