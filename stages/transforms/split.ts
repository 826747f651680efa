/** Transform `split`: deals rows to named sides so that what belongs together stays together. */
import type { Json, PartitionStage, Row } from '../contract.ts';

export type By =
  | 'row'
  | 'parent'
  | 'document'
  | 'component'
  | { readonly field: string }
  | { readonly component: readonly string[] };

/** Besides these two, every option is the name of an output with its share. */
export interface Options {
  readonly seed: number;
  readonly by: By;
  readonly [side: string]: unknown;
}

/** `docs/a.md#install/1f…/9c…~2` was cut from `docs/a.md#install`, a section of `docs/a.md`. */
const CHILD = /(?:\/[0-9a-f]{20}(?:~\d+)?)+$/;
/** Only after a file name's extension: a record's own key may hold a `#` ("ticket#12"). */
const SECTION = /(\.\w{1,8})#[^/#]*$/;

/** The document that a row descends from: its own id if it was cut from nothing. */
export const documentOf = (id: string): string => id.replace(CHILD, '').replace(SECTION, '$1');

/**
 * A text that may stand on one side only: three words or more, or eight characters of a script without spaces. Shorter
 * values are labels (a language, a category) and would tie all rows into one group.
 */
const isSentence = (text: string): boolean =>
  /\S\s+\S+\s+\S/.test(text) ||
  (text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu)?.length ?? 0) >= 8;

const normalize = (text: string): string => text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();

/** As a child's id says: `docs/a.md` of `docs/a.md/1f…`; null for what was cut from nothing. */
const parentIn = (id: string): string | null => {
  const above = id.replace(/\/[0-9a-f]{20}(?:~\d+)?$/, '');
  return above === id ? null : above;
};

/** What `augment` writes into the field `augmented`: the ways by which a copy of a copy was made, one after another. */
const WAY = '(?:synonyms|insert|delete|swap|paraphrase|back-translation|pseudo-label)';
const WAYS = new RegExp(`^${WAY}(?:, ${WAY})*$`);

/** A copy belongs wherever its row does: it is nearly the same. */
const original = ({ id, parent, fields: { augmented } }: Row): Pick<Row, 'id' | 'parent'> => {
  let of = { id, parent };
  if (typeof augmented !== 'string' || !WAYS.test(augmented)) return of;
  for (const _ of augmented.split(', ')) if (of.parent !== null) of = { id: of.parent, parent: parentIn(of.parent) };
  return of;
};

// The field's name is no part of a sentence's group: a response on one side may be no instruction on the other.
const component = (row: Row, fields: readonly string[] | null): string[] => {
  const { id, parent } = original(row);
  const groups = [`parent ${parent ?? id}`];
  for (const name of fields ?? Object.keys(row.fields)) {
    const value = row.fields[name];
    if (typeof value !== 'string') continue;
    if (fields || isSentence(value)) groups.push(`text ${normalize(value)}`);
  }
  return groups;
};

const fieldGroup = (value: Json | undefined): string | null =>
  value === undefined || value === null ? null : typeof value === 'string' ? value : JSON.stringify(value);

export default {
  kind: 'partition',
  sides({ seed: _, by: __, ...shares }) {
    return shares as Record<string, number>;
  },
  seed: options => options.seed,
  groups(row, { by }) {
    if (by === 'row') return [original(row).id];
    if (by === 'parent') return [original(row).parent ?? original(row).id];
    if (by === 'document') return [documentOf(row.id)];
    if (by === 'component') return component(row, null);
    if ('component' in by) return component(row, by.component);
    const value = fieldGroup(row.fields[by.field]);
    // A row without the field is a group of its own.
    return [value === null ? `row ${row.id}` : `value ${value}`];
  },
} satisfies PartitionStage<Options>;
