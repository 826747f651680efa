/** Text of a page's bytes: what its server and the page itself say of the charset is believed only as far as the bytes bear it out. */
import { isUtf8 } from 'node:buffer';

/**
 * By byte-order mark; else UTF-8 where the bytes are it (by chance other text is not), else the charset of the header, else
 * that of `<meta>`, else windows-1252, as browsers do. Bytes that are nearly all UTF-8 stay so, with U+FFFD for the rest.
 */
export const decode = (bytes: Buffer, header: string | null, isHtml: boolean): string => {
  const marked = byMark(bytes);
  if (marked) return text(marked, bytes);
  const declared = [header, isHtml ? inMeta(bytes) : null].flatMap(label => known(label) ?? []);
  const disguised = declared.find(label => isDisguised(label, bytes));
  if (disguised) return text(disguised, bytes);
  if (isUtf8(bytes)) return text('utf-8', bytes);
  const other = declared.find(label => label !== 'utf-8');
  if (other) return text(other, bytes);
  const lossy = text('utf-8', bytes);
  return mostlyUtf8(lossy) ? lossy : text('windows-1252', bytes);
};

/** UTF-16 without a mark, and seven-bit charsets, are well-formed UTF-8. */
const isDisguised = (label: string, bytes: Buffer): boolean =>
  (label.startsWith('utf-16') && bytes.includes(0)) || (label === 'iso-2022-jp' && bytes.every(b => b < 0x80));

const byMark = (bytes: Buffer): string | null => {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return null;
};

/** A page that says UTF-16 in bytes that could be read so far is none (HTML Standard, 13.2.3.2). */
const inMeta = (bytes: Buffer): string | null => {
  const head = bytes.toString('latin1', 0, 2048);
  const label = /<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([\w.:-]+)/i.exec(head)?.[1] ?? null;
  return label && /^utf-16/i.test(label) ? 'utf-8' : label;
};

/** The charset's own name; null for a label that nobody knows. */
const known = (label: string | null): string | null => {
  if (!label) return null;
  try {
    return new TextDecoder(label).encoding;
  } catch {
    return null;
  }
};

const text = (charset: string, bytes: Buffer): string => new TextDecoder(charset).decode(bytes);

/** Whether more characters beyond ASCII came out whole than not. */
const mostlyUtf8 = (decoded: string): boolean => {
  let whole = 0;
  let broken = 0;
  for (let i = 0; i < decoded.length; i++) {
    const code = decoded.charCodeAt(i);
    if (code === 0xfffd) broken++;
    else if (code > 0x7f) whole++;
  }
  return whole > broken;
};
