/** Limits of what is read, and how what is refused is shown. */

/** Longest line or CSV record, in bytes: one broken file must not fill the memory. */
export const MAX_RECORD = 16 * 2 ** 20;
/** Largest document (Markdown, HTML, text), in bytes. */
export const MAX_DOCUMENT = 64 * 2 ** 20;

export const tooLong = `line longer than ${MAX_RECORD / 2 ** 20} MB`;

/** The first 200 characters of what was refused, as a text of its own: a slice would hold the whole block in memory. */
export const excerpt = (text: string): string =>
  Buffer.from(text.length > 200 ? `${text.slice(0, 199)}…` : text, 'utf16le').toString('utf16le');
