/** What kind of page an answer is: by its Content-Type, and where it has none by its name and first bytes. */
import type { Format } from './content.ts';
import { type Head, header } from './http.ts';
import { Trouble } from './trouble.ts';

export interface MediaType {
  /** Null: not told, and yet to be found out. */
  readonly format: Format | null;
  readonly xhtml: boolean;
  readonly charset: string | null;
}

const FORMATS: Readonly<Record<string, Format>> = {
  'text/html': 'html',
  'application/xhtml+xml': 'html',
  'text/markdown': 'markdown',
  'text/x-markdown': 'markdown',
  'text/plain': 'text',
};

/** Throws Trouble for what is no page: an image, an archive, a table. */
export const mediaType = (head: Head, address: string): MediaType => {
  const value = header(head, 'content-type') ?? '';
  const name = value.split(';', 1)[0]!.trim().toLowerCase();
  const charset = /;\s*charset\s*=\s*"?\s*([\w.:+-]+)/i.exec(value)?.[1] ?? null;
  if (name === '') return { format: null, xhtml: false, charset };
  const format = FORMATS[name];
  if (!format) throw new Trouble('no-page', `no page but ${name}`, { status: head.status });
  // Servers that know no Markdown call it plain text.
  const isMarkdown = format === 'text' && isMarkdownName(address);
  return { format: isMarkdown ? 'markdown' : format, xhtml: name === 'application/xhtml+xml', charset };
};

/** Of an answer without Content-Type. */
export const sniff = (body: Buffer, address: string): Format => {
  if (beginsAsHtml(body.toString('utf8', 0, 1024))) return 'html';
  return isMarkdownName(address) ? 'markdown' : 'text';
};

const beginsAsHtml = (beginning: string): boolean => {
  let text = beginning.replace(/^\uFEFF/, '').trimStart();
  while (text.startsWith('<!--')) {
    const end = text.indexOf('-->');
    if (end === -1) return true;
    text = text.slice(end + 3).trimStart();
  }
  return /^<(?:!doctype html|html|head|body|title|meta|div|p|h1|main|article)\b/i.test(text);
};

const isMarkdownName = (address: string): boolean => /\.(md|markdown|mdx)$/i.test(new URL(address).pathname);
