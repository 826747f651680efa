/** Limits of what is read, and how what is refused is shown. */
import { type Fields, type Read, StageError } from '../../contract.ts';

/** Longest line or CSV record, in bytes: one broken file must not fill the memory. */
export const MAX_RECORD = 16 * 2 ** 20;
/** Largest document (Markdown, HTML, text), in bytes. */
export const MAX_DOCUMENT = 64 * 2 ** 20;

export const tooLong = `line longer than ${MAX_RECORD / 2 ** 20} MB`;

/** The first 200 characters of what was refused, as a text of its own: a slice would hold the whole block in memory. */
export const excerpt = (text: string): string =>
  Buffer.from(text.length > 200 ? `${text.slice(0, 199)}…` : text, 'utf16le').toString('utf16le');

/** Told by readers of files that say which columns they have. */
export const noColumn = (path: string, lost: readonly string[], names: readonly string[]): StageError =>
  new StageError('unknown-column', `there is no column ${lost.map(n => `"${n}"`).join(', ')}`, {
    place: { path },
    advice: `It has: ${names.join(', ')}.`,
  });

/** Of records that each have fields of their own, these. */
export const only = (reads: readonly Read[], columns: readonly string[] | undefined): readonly Read[] => {
  if (!columns) return reads;
  return reads.map((read): Read => {
    if (read === null || 'reason' in read) return read;
    const pairs = columns.flatMap(c => (Object.hasOwn(read.fields, c) ? [[c, read.fields[c]!] as const] : []));
    const { fields, ...rest } = read;
    if (pairs.length > 0) return { ...rest, fields: Object.fromEntries(pairs) as Fields };
    const { line } = rest;
    return { reason: `has none of the fields ${columns.join(', ')}`, ...(line === undefined ? {} : { line }) };
  });
};
