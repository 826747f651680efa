/**
 * Globs expanded on the engine's own listings of folders: `*`, `?`, `[…]`, `{a,b}`, and `**` for any number of folders.
 * As in a shell no pattern but a literal dot matches a leading one, letters are told from capitals on every system, and
 * only a name written out leads through a link to a folder. Rarer patterns go to Node's own glob, unlisted.
 */
import { type Dirent, globSync } from 'node:fs';
import { sep } from 'node:path';
import type { Files } from '../../cache/files.ts';

/** A part of a path: a name, a pattern for one, or `**`. */
export type Part = string | RegExp | null;

export const MAGIC = /[*?[\]{}!()]/;
const RARE = /[?*+@!]\(|\\|\[:|\.\.\}|\{[^}]*\.\.|\$\{|(^|\/)\[/;

/**
 * Names relative to `root`, with "/", of what matches and may be a file: links and other things among them are for the
 * caller to look at.
 */
export const expand = (pattern: string, root: string, files: Files): string[] => {
  const ways = readings(pattern);
  if (ways === null) {
    files.overlook();
    return globSync(pattern, { cwd: root }).map(name => name.split(sep).join('/'));
  }
  const out: string[] = [];
  for (const parts of ways) walk({ root, files, parts, out }, '', 0);
  // `**` of one reading comes to each file once.
  const isOnce = ways.length === 1 && ways[0]!.filter(part => part === null).length < 2;
  return isOnce ? out : [...new Set(out)];
};

/** Every way in which a pattern can be read, as its parts; null for one that is left to Node. */
export const readings = (pattern: string): (readonly Part[])[] | null => {
  if (RARE.test(pattern)) return null;
  return braces(pattern).flatMap(plain => {
    const parts = plain
      .split('/')
      .filter((p, i, all) => p !== '.' && (p !== '' || i === all.length - 1) && (p !== '**' || all[i + 1] !== '**'));
    return parts.at(-1) === '' ? [] : [parts.map(toPart)];
  });
};

interface Walk {
  readonly root: string;
  readonly files: Files;
  readonly parts: readonly Part[];
  readonly out: string[];
}

/** `folder` is '' or ends in "/"; `listed` is what is in it, where that is known. */
const walk = (w: Walk, folder: string, at: number, listed?: readonly Dirent[]): void => {
  const part = w.parts[at]!;
  const last = at === w.parts.length - 1;
  if (typeof part === 'string') {
    if (last) w.out.push(folder + part);
    else walk(w, `${folder}${part}/`, at + 1);
    return;
  }
  const entries = listed ?? w.files.list(folder === '' ? w.root : `${w.root}/${folder.slice(0, -1)}`);
  if (entries === null) return;
  if (part === null && !last) walk(w, folder, at + 1, entries);
  for (const entry of entries) {
    const isFolder = entry.isDirectory();
    if (isFolder ? part !== null && last : !last) continue;
    const { name } = entry;
    if (part === null ? name.startsWith('.') : !part.test(name)) continue;
    if (isFolder) walk(w, `${folder}${name}/`, part === null ? at : at + 1);
    else w.out.push(folder + name);
  }
};

const toPart = (text: string): Part => {
  if (text === '**') return null;
  if (!/[*?[]/.test(text)) return text;
  try {
    return new RegExp(`^${text.startsWith('.') ? '' : '(?!\\.)'}${toRegExp(text)}$`, 'su');
  } catch {
    // [z-a]
    return /(?!)/;
  }
};

const toRegExp = (text: string): string =>
  text.replaceAll(/\*+|\?|\[([!^]?)((?:\][^\]]*|[^\]]+))\]|[\\^$.|+()[\]{}]/gu, (found, not?: string, set?: string) => {
    if (found.startsWith('*')) return '[^/]*';
    if (found === '?') return '[^/]';
    return set === undefined ? `\\${found}` : `[${not ? '^' : ''}${set.replaceAll(/[\][^]/g, '\\$&')}]`;
  });

/** `a{b,c{d,e}}` in every way that it can be read; a brace without a comma is itself. */
const braces = (text: string): string[] => {
  for (let open = text.indexOf('{'); open !== -1; open = text.indexOf('{', open + 1)) {
    const ends: number[] = [];
    let depth = 0;
    let close = -1;
    for (let i = open; i < text.length && close === -1; i++) {
      if (text[i] === '{') depth++;
      else if (text[i] === '}' && --depth === 0) close = i;
      else if (text[i] === ',' && depth === 1) ends.push(i);
    }
    if (close === -1 || ends.length === 0) continue;
    const bounds = [open, ...ends, close];
    return ends
      .concat(close)
      .flatMap((end, i) => braces(text.slice(0, open) + text.slice(bounds[i]! + 1, end) + text.slice(close + 1)));
  }
  return [text];
};
