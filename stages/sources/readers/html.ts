/** Reads an HTML document: its charset, its title, and its main content as Markdown. */
import { DomHandler, Parser } from 'htmlparser2';
import { type Document, type Element, isElement, isText, type Node, type Parent } from './dom.ts';
import { isNoise } from './html-noise.ts';
import { toMarkdown } from './html-to-markdown.ts';
import type { Document as Page } from './markdown.ts';
import { decodeUtf8 } from './utf8.ts';

/** Deeper nesting than any page needs; the walk is recursive. */
const MAX_DEPTH = 800;

export const html = (bytes: Buffer): Page | { reason: string } => {
  const decoded = decode(bytes);
  if ('reason' in decoded) return decoded;
  const document = parseHtml(decoded.text.replace(/\r\n?/g, '\n'));
  if (document === null) return { reason: `elements are nested deeper than ${MAX_DEPTH}` };
  return mainContent(document);
};

/** Title and main content, as Markdown. */
export const mainContent = (document: Document): Page => {
  const root = main(document);
  const text = toMarkdown(root);
  const heading = first(root, n => n.name === 'h1' && !isNoise(n));
  const title = (heading && flat(heading)) || flat(first(document, n => n.name === 'title'));
  return { title: title || null, text, line: null };
};

/** By byte-order mark, else `<meta charset>` in the first 2 KB (HTML Standard, 13.2.3.2), else UTF-8. */
const decode = (bytes: Buffer): { text: string } | { reason: string } => {
  const head = bytes.toString('latin1', 0, 2048);
  const label = /<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([\w.:-]+)/i.exec(head)?.[1]?.toLowerCase();
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  if (marked || label === undefined || /^utf-?(?:8|16(?:le|be)?)$/.test(label)) return decodeUtf8(bytes);
  try {
    return { text: new TextDecoder(label).decode(bytes) };
  } catch {
    return { reason: `charset "${label}" in <meta> is not known` };
  }
};

/** Builds the tree, and gives up as soon as it grows too deep: the parser's own time is quadratic in the depth. */
class LimitedHandler extends DomHandler {
  #depth = 0;
  override onopentag(name: string, attributes: Record<string, string>): void {
    if (++this.#depth > MAX_DEPTH) throw TOO_DEEP;
    super.onopentag(name, attributes);
  }
  override onclosetag(): void {
    this.#depth--;
    super.onclosetag();
  }
}

const TOO_DEEP = new Error('too deep');

/** `text` with LF line breaks; null when its elements are nested too deep. In XHTML `<script/>` is closed. */
export const parseHtml = (text: string, xhtml = false): Document | null => {
  const handler = new LimitedHandler();
  try {
    new Parser(handler, { recognizeSelfClosing: xhtml }).end(text);
  } catch (error) {
    if (error === TOO_DEEP) return null;
    throw error;
  }
  return handler.root;
};

/** The first element in document order for which `test` holds. */
const first = (root: Parent, test: (n: Element) => boolean): Element | null => {
  for (const child of root.children) {
    if (!isElement(child)) continue;
    const found = test(child) ? child : first(child, test);
    if (found) return found;
  }
  return null;
};

/** Where the page says its content is; the body where it does not. */
const main = (document: Parent): Parent => {
  const rules: ((n: Element) => boolean)[] = [
    n => n.attribs.role === 'main',
    n => n.name === 'main',
    n => n.name === 'article' && only(document, n),
    n => /^(?:content|main|main-content|page-content|mw-content-text|bodyContent)$/.test(n.attribs.id ?? ''),
    n => n.name === 'body',
  ];
  for (const rule of rules) {
    const found = first(document, rule);
    if (found) return found;
  }
  return document;
};

/** Whether `article` is the page's only one: a list of teasers has many. */
const only = (document: Parent, article: Element): boolean =>
  first(document, n => n.name === 'article' && n !== article) === null;

const flat = (node: Element | null): string => {
  const parts: string[] = [];
  const walk = (nodes: readonly Node[]) => {
    for (const n of nodes) {
      if (isText(n)) parts.push(n.data);
      else if (isElement(n) && !isNoise(n)) walk(n.children);
    }
  };
  if (node) walk(node.children);
  return parts.join('').replace(/\s+/g, ' ').trim();
};
