/** Writes the content of an HTML element as Markdown: what stands in text as a mark is escaped. */
import { type Element, isElement, isText, type Node, type Parent } from './dom.ts';
import { isFootnoteMark, isNoise } from './html-noise.ts';

const words = (list: string): ReadonlySet<string> => new Set(list.trim().split(/\s+/));

const BLOCK = words(`
  address article aside blockquote body center dd details div dl dt fieldset figcaption figure form h1 h2 h3 h4 h5 h6 header
  hgroup hr html legend li main ol p pre section summary table tbody td tfoot th thead tr ul caption`);
const MARKS: Readonly<Record<string, string>> = { strong: '**', b: '**', em: '*', i: '*', cite: '*', dfn: '*' };
const CODE = words('code tt kbd samp');

/** Blocks are separated by a blank line; noise (navigation, scripts) is left out. */
export const toMarkdown = (root: Parent): string => blocks(root.children).join('\n\n');

/** Adds to `out`: of a nest, each level that copied what is in it would make a page of 10 MB take minutes. */
const blocks = (nodes: readonly Node[], out: string[] = []): string[] => {
  let text = '';
  const flush = () => {
    const line = paragraph(text);
    if (line !== '') out.push(line);
    text = '';
  };
  for (const node of nodes) {
    if (isText(node)) text += escaped(node.data);
    if (!isElement(node)) continue;
    if (isNoise(node)) {
      if (isFootnoteMark(node)) text = text.trimEnd();
      continue;
    }
    if (BLOCK.has(node.name) || holdsBlocks(node)) {
      flush();
      if (isPlain(node)) blocks(node.children, out);
      else if (node.name === 'table') table(node, out);
      else for (const b of block(node)) out.push(b);
    } else text += inline(node);
  }
  flush();
  return out;
};

/** Whether an inline element wraps blocks, as `<a><div>…</div></a>` and custom elements do. */
const holdsBlocks = (node: Element): boolean => {
  if (!node.children.some(isElement)) return false;
  let holds = holding.get(node);
  if (holds === undefined) {
    holds = node.children.some(n => isElement(n) && !isNoise(n) && (BLOCK.has(n.name) || holdsBlocks(n)));
    holding.set(node, holds);
  }
  return holds;
};

/** Asked again at each level of a nest. */
const holding = new WeakMap<Element, boolean>();

/** Whether it is no more than the blocks in it. */
const isPlain = (node: Element): boolean =>
  !MARKED.has(node.name) || (NESTED.has(node.name) && isTooDeep(node)) || (node.name === 'dt' && !isSignature(node));

const MARKED = words('h1 h2 h3 h4 h5 h6 pre ul ol blockquote table hr dt');

/** The signature of a function in Sphinx's API pages is code. */
const isSignature = ({ attribs }: Element): boolean => /(?:^|\s)sig(?:\s|$)/.test(attribs.class ?? '');

const block = (node: Element): readonly string[] => {
  switch (node.name) {
    case 'h1':
    case 'h2':
    case 'h3':
    case 'h4':
    case 'h5':
    case 'h6': {
      const title = fold(inlines(node.children)).trim();
      return title === '' ? [] : [`${'#'.repeat(Number(node.name[1]))} ${title.replace(/ ?\\?¶$/, '')}`];
    }
    case 'pre':
      return fenced(raw(node), language(node));
    case 'ul':
    case 'ol':
      return list(node);
    case 'blockquote':
      return quote(blocks(node.children));
    case 'hr':
      return ['---'];
    case 'dt':
      return fenced(raw(node).replace(/\s+/g, ' ').trim(), '');
    default:
      throw new Error(`<${node.name}> is no block with marks`);
  }
};

const inlines = (nodes: readonly Node[]): string => {
  let out = '';
  for (const node of nodes) {
    if (isText(node)) out += escaped(node.data);
    else if (isElement(node) && !isNoise(node))
      out += BLOCK.has(node.name) ? ` ${inlines(node.children)} ` : inline(node);
  }
  return out;
};

const inline = (node: Element): string => {
  const { name, attribs } = node;
  if (name === 'br') return '\n';
  if (name === 'img') return attribs.src ? `![${fold(escaped(attribs.alt ?? ''))}](${target(attribs.src)})` : '';
  if (CODE.has(name)) return codeSpan(raw(node));
  const text = inlines(node.children);
  if (name === 'a' && attribs.href) {
    // A permalink: a sign without a word.
    if (/^\s*(?:¶|\\?#|🔗|§)?\s*$/u.test(text)) return '';
    return around(text, inner => `[${inner}](${target(attribs.href!)})`);
  }
  if (name === 'sup' && /^\s*[\w+-]+\s*$/.test(text)) return `^${text.trim()}`;
  if (name === 'q') return `“${text}”`;
  const mark = MARKS[name];
  return mark && !text.includes('*') ? around(text, inner => `${mark}${inner}${mark}`) : text;
};

/** Marks must touch the text: white space at its ends goes outside. */
const around = (text: string, wrap: (inner: string) => string): string => {
  const inner = text.trim();
  if (inner === '') return text;
  const start = text.indexOf(inner);
  return text.slice(0, start) + wrap(inner) + text.slice(start + inner.length);
};

const target = (href: string): string => (/[\s()<>]/.test(href) ? `<${href.replace(/[<>\n]/g, '')}>` : href);

const codeSpan = (text: string): string => {
  const code = text.replace(/\s+/g, ' ').trim();
  if (code === '') return ' ';
  const ticks = '`'.repeat(longest(code, /`+/g) + 1);
  const pad = /^`|`$/.test(code) ? ' ' : '';
  return ticks + pad + code + pad + ticks;
};

const fenced = (text: string, lang: string): string[] => {
  const code = text.replace(/^\n+|\s+$/g, '');
  if (code === '') return [];
  const fence = '`'.repeat(Math.max(3, longest(code, /`+/g) + 1));
  return [`${fence}${lang}\n${code}\n${fence}`];
};

const longest = (text: string, pattern: RegExp): number =>
  (text.match(pattern) ?? []).reduce((max, run) => Math.max(max, run.length), 0);

/** From `class="language-x"` (HTML's advice) or Sphinx's `highlight-x`, on the element or the two around it. */
const language = (node: Element): string => {
  const child = node.children.find(isElement);
  const near = [child, node, node.parent, node.parent?.parent];
  for (const n of near) {
    const name =
      n && 'attribs' in n ? /(?:^|\s)(?:lang|language|highlight)-([\w+#.-]+)/.exec(n.attribs.class ?? '')?.[1] : null;
    if (name) return name;
  }
  return '';
};

/** Deeper lists and quotes are not indented any more: each level repeats the marks of all before it on every line. */
const DEEPEST = 16;

const isTooDeep = (node: Element): boolean => {
  let depth = 0;
  for (let p = node.parent; p && 'name' in p; p = p.parent) if (NESTED.has(p.name) && ++depth >= DEEPEST) return true;
  return false;
};

const NESTED = words('ul ol blockquote');

const list = (node: Element): string[] => {
  const start = Number.parseInt(node.attribs.start ?? '1', 10) || 1;
  const items: string[] = [];
  let loose = false;
  for (const child of node.children) {
    if (!isElement(child) || isNoise(child)) continue;
    const inner = blocks([child].flatMap(c => (c.name === 'li' ? c.children : [c])));
    if (inner.length === 0) continue;
    const mark = node.name === 'ol' ? `${start + items.length}. ` : '- ';
    const pad = ' '.repeat(mark.length);
    loose ||= inner.length > 1 && !/^(?:- |1\. )/.test(inner[1]!);
    items.push(mark + inner.join('\n\n').replace(/\n(?=[^\n])/g, `\n${pad}`));
  }
  return items.length === 0 ? [] : [items.join(loose ? '\n\n' : '\n')];
};

const quote = (inner: readonly string[]): string[] =>
  inner.length === 0 ? [] : [inner.join('\n\n').replace(/^/gm, '> ').replace(/^> $/gm, '>')];

/** A pipe table; a table that holds blocks or one column only lays out the page, and its cells are blocks. */
const table = (node: Element, out: string[]): void => {
  const rows = ownRows(node);
  const cells = rows.map(tr => tr.children.filter(isElement).filter(c => /^t[dh]$/.test(c.name) && !isNoise(c)));
  const columns = cells.reduce((most, row) => Math.max(most, row.length), 0);
  const layout = cells.some(row => row.some(cell => cell.children.some(c => isElement(c) && LAYOUT.has(c.name))));
  const caption = node.children.filter(isElement).filter(c => c.name === 'caption');
  for (const { children } of caption) blocks(children, out);
  if (columns < 2 || layout) {
    for (const cell of cells.flat()) blocks(cell.children, out);
    return;
  }
  const lines = cells.map(row => {
    const texts = row.map(cell => fold(inlines(cell.children)).trim().replace(/\|/g, '\\|'));
    while (texts.length < columns) texts.push('');
    return `| ${texts.join(' | ')} |`;
  });
  lines.splice(1, 0, `|${' --- |'.repeat(columns)}`);
  out.push(lines.join('\n'));
};

const LAYOUT = words('table pre ul ol dl h1 h2 h3 h4 h5 h6 div section article blockquote');

/** Rows of a table, but not of tables in it. */
const ownRows = (node: Element): Element[] => {
  const rows: Element[] = [];
  const stack: Element[] = [node];
  for (let at = stack.pop(); at; at = stack.pop()) {
    if (at.name === 'tr') rows.push(at);
    const inner = at.children.filter(isElement).filter(c => c.name !== 'table');
    for (const child of inner.reverse()) stack.push(child);
  }
  return rows;
};

/** Text as it stands, line breaks included. */
const raw = (node: Element): string =>
  node.children
    .map(n => (isText(n) ? n.data : isElement(n) && !isNoise(n) ? (n.name === 'br' ? '\n' : raw(n)) : ''))
    .join('');

const fold = (text: string): string => text.replace(/[ \t\r\n\f]+/g, ' ');

/** A paragraph on one line, but for `<br>`; what would begin another kind of block there is escaped. */
const paragraph = (text: string): string =>
  text
    .split('\n')
    .map(line => fold(line).trim())
    .join('\n')
    .trim()
    .replace(/\n{2,}/g, '\n')
    .replace(/^(?=[#>|+-]|={3,}|:{3,}|~{3,})/gm, '\\')
    .replace(/^(\d+)(?=[.)]\s)/gm, '$1\\');

/** Folds white space and escapes what Markdown would read as a mark. Underscores and stars inside words are safe. */
const escaped = (text: string): string => {
  const line = fold(text);
  if (!/[\\`*_[<&~]/.test(line)) return line;
  return line
    .replace(/[\\`*[]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|~(?=~)/g, '\\$&')
    .replace(/(?<![\p{L}\p{N}_])_+|_+(?![\p{L}\p{N}_])/gu, run => '\\_'.repeat(run.length));
};
