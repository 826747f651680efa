/** Rows of one document: the file, or one for each of its sections. */
import type { Read } from '../../contract.ts';
import { html } from './html.ts';
import { type Document, markdown, sections } from './markdown.ts';
import { decodeUtf8 } from './utf8.ts';

/** `name` is the file's name: the row's id, and the first part of a section's (`guide.md#install`). */
export const document = (
  name: string,
  bytes: Buffer,
  format: 'markdown' | 'html' | 'text',
  by: 'file' | 'section',
): NonNullable<Read>[] => {
  const parsed = parse(bytes, format);
  if ('reason' in parsed) return [parsed];
  const { title, text, line } = parsed;
  if (by === 'file' || format === 'text') {
    if (text.trim() === '') return [];
    return [
      { id: name, fields: { path: name, ...(title ? { title } : {}), text }, ...(line === null ? {} : { line }) },
    ];
  }
  return sections(text).map(section => {
    const own = section.title ?? title;
    return {
      id: `${name}#${section.slug}`,
      fields: { path: name, ...(own ? { title: own } : {}), text: section.text },
      ...(line === null ? {} : { line: line + section.line }),
    };
  });
};

const parse = (bytes: Buffer, format: 'markdown' | 'html' | 'text'): Document | { reason: string } => {
  if (format === 'html') return html(bytes);
  const decoded = decodeUtf8(bytes);
  if ('reason' in decoded) return decoded;
  const text = decoded.text.replace(/\r\n?/g, '\n');
  return format === 'markdown' ? markdown(text) : { title: null, text, line: 1 };
};
