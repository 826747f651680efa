/** Rows that came, went or changed, a few lines each: "+ id", "- id", "~ id" and of a change the place where it is. */
import { counted, thousands } from './numbers.ts';
import { cut, visible } from './printable.ts';

export interface ShownRow {
  readonly id: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ShownChanges {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly examples: {
    readonly added: readonly ShownRow[];
    readonly removed: readonly ShownRow[];
    readonly changed: readonly { readonly before: ShownRow; readonly after: ShownRow }[];
  };
}

/** Columns of one field's value. */
const LONGEST = 110;
/** Characters kept before a change. */
const CONTEXT = 24;

/** "12 rows added, 3 removed, 1 changed"; rows that are all there, in another order, are "in another order". */
export const changesInWords = ({ added, removed, changed }: ShownChanges): string => {
  const parts = [
    [added, 'added'],
    [removed, 'removed'],
    [changed, 'changed'],
  ] as const;
  const said = parts.filter(([n]) => n > 0);
  if (said.length === 0) return 'the same rows in another order';
  return said.map(([n, word], i) => `${i === 0 ? counted(n, 'row') : thousands(n)} ${word}`).join(', ');
};

/** Examples, the changed ones first; "…" stands for those that are not shown. */
export const changeLines = ({ added, removed, changed, examples }: ShownChanges): string[] => [
  ...examples.changed.flatMap(({ before, after }) => [`~ ${visible(after.id)}`, ...fieldChanges(before, after)]),
  ...more(changed - examples.changed.length, 'changed'),
  ...examples.removed.flatMap(row => [`- ${visible(row.id)}`, ...fieldLines(row)]),
  ...more(removed - examples.removed.length, 'removed'),
  ...examples.added.flatMap(row => [`+ ${visible(row.id)}`, ...fieldLines(row)]),
  ...more(added - examples.added.length, 'added'),
];

const more = (n: number, word: string): string[] => (n > 0 ? [`… and ${counted(n, 'more row')} ${word}`] : []);

const fieldLines = ({ fields }: ShownRow): string[] =>
  Object.entries(fields).map(([name, value]) => `    ${visible(name)}: ${cut(textOf(value), LONGEST)}`);

const fieldChanges = (before: ShownRow, after: ShownRow): string[] =>
  [...new Set([...Object.keys(before.fields), ...Object.keys(after.fields)])].flatMap(name => {
    const [a, b] = [before.fields[name], after.fields[name]].map(v => (v === undefined ? null : textOf(v)));
    if (a === b) return [];
    if (a === null || a === undefined) return [`    ${visible(name)}: new: ${cut(b!, LONGEST)}`];
    if (b === null || b === undefined) return [`    ${visible(name)}: gone: ${cut(a, LONGEST)}`];
    const from = Math.max(0, commonStart(a, b) - CONTEXT);
    const window = (text: string) => `${from > 0 ? '…' : ''}${cut(text.slice(from), LONGEST)}`;
    return [
      `    ${visible(name)}: ${window(a)}`,
      `    ${' '.repeat(Math.max(0, visible(name).length - 1))}-> ${window(b)}`,
    ];
  });

const commonStart = (a: string, b: string): number => {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
};

/** Text as it is; numbers in rows (token ids) only by how many and how they begin. */
const textOf = (value: unknown): string => visible(typeof value === 'string' ? value : JSON.stringify(value));
