/** The line of a file that a text stands in, for rows whose text was cleaned since it was read. */

export interface LineInPage {
  /** From 1. */
  readonly line: number;
  /** UTF-16 units before it in the file. */
  readonly offset: number;
  /** The text stands there as it is; else only its beginning does. */
  readonly exact: boolean;
}

/** Words of a text's beginning that are looked for in turn where the whole is not found. */
const BEGINNINGS = [16, 10, 6, 4];
/** More than this need not be looked at to tell one text from others. */
const MOST_WORDS = 400;

/** White space in the page may be any other: `from` is a line (from 1) before which the text cannot be. */
export const lineInPage = (page: string, text: string, from: number): LineInPage | null => {
  const words = text.split(/\s+/).filter(w => w !== '');
  let start = 0;
  for (let line = 1; line < from && start !== -1; line++) start = page.indexOf('\n', start) + 1 || -1;
  if (words.length === 0 || start === -1) return null;
  for (const count of [words.length, ...BEGINNINGS.filter(n => n < words.length)]) {
    const pattern = words.slice(0, Math.min(count, MOST_WORDS)).map(escaped).join('\\s+');
    const found = [...page.slice(start).matchAll(new RegExp(pattern, 'g'))];
    if (found.length === 0) continue;
    // A beginning that comes again says nothing.
    if (found.length > 1 && count < words.length) return null;
    const offset = start + found[0]!.index;
    return { line: page.slice(0, offset).split('\n').length, offset, exact: count === words.length };
  }
  return null;
};

const escaped = (word: string): string => word.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
