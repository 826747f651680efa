/** What a page holds: its title, its main content as Markdown, its language, and where it leads. */
import type { Element, Parent } from '../readers/dom.ts';
import { isElement } from '../readers/dom.ts';
import { mainContent, parseHtml } from '../readers/html.ts';
import { markdown } from '../readers/markdown.ts';
import { normalise } from './address.ts';
import { decode } from './charset.ts';
import { Trouble } from './trouble.ts';

export type Format = 'html' | 'markdown' | 'text';

/** Raised when the same page gives other content: what is kept of pages is then read again. Raise the stage's version, too. */
export const READER = 1;

export interface Content {
  readonly title: string | null;
  readonly text: string;
  /** As the page declares it: the language alone ("en" of en-US). */
  readonly language: string | null;
  /** Pages that it leads to, each once, in order. */
  readonly links: readonly string[];
  /** Where it sends its readers at once (`<meta http-equiv="refresh">`). */
  readonly leadsTo: string | null;
}

/** Of what is not read as a page: a sitemap. */
export const UNREAD: Content = { title: null, text: '', language: null, links: [], leadsTo: null };

export interface Source {
  readonly body: Buffer;
  readonly format: Format;
  /** The charset of the header. */
  readonly charset: string | null;
  readonly xhtml: boolean;
  /** The page's own address: links are relative to it. */
  readonly address: string;
}

/** Throws Trouble for what is no text. */
export const read = ({ body, format, charset, xhtml, address }: Source): Content => {
  const text = decode(body, charset, format === 'html').replace(/\r\n?/g, '\n');
  const nul = text.indexOf('\0');
  if (nul >= 0) throw new Trouble('dead', `not text: character ${nul} is NUL`);
  if (format === 'html') return readHtml(text, xhtml, address);
  const { title, text: content } = format === 'markdown' ? markdown(text) : { title: null, text };
  return { title, text: content, language: null, links: [], leadsTo: null };
};

const readHtml = (text: string, xhtml: boolean, address: string): Content => {
  const document = parseHtml(text, xhtml);
  if (document === null) throw new Trouble('dead', 'its elements are nested too deep');
  const about = lookAround(document, address);
  const { title, text: content } = mainContent(document);
  return { title, text: content, ...about };
};

/** What stands in `<head>` and in links; on the way, targets are made absolute, so that they mean the same in a row. */
const lookAround = (document: Parent, address: string): Pick<Content, 'language' | 'links' | 'leadsTo'> => {
  let base = address;
  let language: string | null = null;
  let leadsTo: string | null = null;
  let follow = true;
  const anchors: Element[] = [];
  const images: Element[] = [];
  for (const node of elements(document)) {
    const { name, attribs } = node;
    if (name === 'a' || name === 'area') anchors.push(node);
    else if (name === 'img') images.push(node);
    else if (name === 'html') language = languageOf(attribs.lang ?? attribs['xml:lang']);
    else if (name === 'base' && attribs.href && base === address)
      base = URL.parse(attribs.href, address)?.href ?? address;
    else if (name === 'meta') {
      const content = attribs.content ?? '';
      if (attribs['http-equiv']?.toLowerCase() === 'refresh') leadsTo ??= content;
      if (attribs.name?.toLowerCase() === 'robots' && /\b(nofollow|none)\b/i.test(content)) follow = false;
    }
  }
  const links = new Set<string>();
  for (const node of anchors) {
    const { href, rel, download } = node.attribs;
    if (href === undefined) continue;
    const target = normalise(href, base);
    if (target && follow && download === undefined && !/\bnofollow\b/i.test(rel ?? '')) links.add(target);
    node.attribs.href = absolute(href, base);
  }
  for (const node of images) node.attribs.src = absolute(node.attribs.src ?? '', base);
  links.delete(address);
  return { language, links: [...links], leadsTo: leadsTo === null ? null : refreshTarget(leadsTo, base) };
};

/** All elements in document order, without recursion. */
function* elements(document: Parent): Generator<Element> {
  const stack: Parent[] = [document];
  for (let parent = stack.pop(); parent; parent = stack.pop()) {
    if (isElement(parent as Element)) yield parent as Element;
    for (let i = parent.children.length - 1; i >= 0; i--) {
      const child = parent.children[i]!;
      if (isElement(child)) stack.push(child);
    }
  }
}

/** Empty for what leads nowhere on paper: scripts, and images that are all in their address. */
const absolute = (target: string, base: string): string => {
  if (/^\s*(javascript|data|blob):/i.test(target)) return '';
  return target === '' ? '' : (URL.parse(target, base)?.href ?? target);
};

const languageOf = (tag: string | undefined): string | null =>
  /^\s*([a-z]{2,3})(?:[-_]|\s*$)/i.exec(tag ?? '')?.[1]?.toLowerCase() ?? null;

/** "0; url=new/page.html": only where it is at once, not a page that renews itself. */
const refreshTarget = (content: string, base: string): string | null => {
  const [, seconds, target] = /^\s*(\d*)(?:\.\d*)?\s*[;,]?\s*(?:url\s*=\s*)?["']?([^"']*)/i.exec(content) ?? [];
  return target && Number(seconds || 0) <= 5 ? normalise(target, base) : null;
};
