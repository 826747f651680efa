/** Tells of any path whether a change there can change what is built, by the same reading of patterns as the build's own. */
import { statSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { type Part, readings } from '../engine/glob.ts';
import { isWithin, type Reads } from './reads.ts';

/** What is known of a path: null before anybody has looked at it. */
export interface Kind {
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

export interface Filter {
  /** Folders that hold all that counts, none within another. */
  readonly roots: readonly string[];
  /** For a folder: whether something that counts can lie in it. */
  counts(path: string, kind: Kind | null): boolean;
}

export const openFilter = ({ folder, files: all, globs, written }: Reads): Filter => {
  const files = new Set(all);
  /** By folder; null where every path below counts. */
  const patterns = new Map<string, (readonly (readonly Part[])[] | null)[]>();
  for (const g of globs) patterns.set(g.folder, [...(patterns.get(g.folder) ?? []), readings(g.pattern)]);
  const homes = [folder, ...all.map(path => dirname(path)), ...patterns.keys()];
  const roots = topmost(homes);
  const above = new Set<string>();
  for (const home of homes) {
    for (let at = home; !above.has(at); at = dirname(at)) {
      above.add(at);
      if (roots.includes(at)) break;
    }
  }
  const matched = (path: string, kind: Kind | null): boolean => {
    for (let at = dirname(path); ; at = dirname(at)) {
      const here = patterns.get(at);
      if (here) {
        const names = relative(at, path).split(sep);
        if (here.some(p => p === null || p.some(parts => matches(parts, names, kindOf(path, kind))))) return true;
      }
      if (dirname(at) === at) return false;
    }
  };
  return {
    roots,
    counts: (path, kind) => {
      if (written.some(w => isWithin(path, w))) return false;
      if (files.has(path)) return true;
      if (above.has(path)) return kind === null || kind.isDirectory() || kind.isSymbolicLink();
      return matched(path, kind);
    },
  };
};

const topmost = (folders: readonly string[]): string[] => {
  const sorted = [...new Set(folders.map(f => resolve(f)))].sort((a, b) => a.length - b.length);
  const roots: string[] = [];
  for (const f of sorted) if (!roots.some(r => isWithin(f, r))) roots.push(f);
  return roots;
};

type Is = 'file' | 'folder' | 'link to a folder' | 'unknown';

const kindOf = (path: string, kind: Kind | null): Is => {
  if (kind === null) return 'unknown';
  if (kind.isDirectory()) return 'folder';
  if (kind.isSymbolicLink() && statSync(path, { throwIfNoEntry: false })?.isDirectory()) return 'link to a folder';
  return 'file';
};

/** Whether a file of these names matches, or one in a folder of these names can. */
const matches = (parts: readonly Part[], names: readonly string[], is: Is): boolean => {
  let at = new Set(reachable(parts, [0]));
  for (const [i, name] of names.entries()) {
    const last = i === names.length - 1;
    if (last && is !== 'folder' && is !== 'link to a folder') {
      if ([...at].some(p => p === parts.length - 1 && fits(parts[p]!, name))) return true;
      if (is === 'file') return false;
    }
    // A pattern does not lead through a link: only a name written out does.
    const isLink = last && is === 'link to a folder';
    const next = [...at].flatMap(p => {
      const part = parts[p]!;
      if (!fits(part, name) || (isLink && typeof part !== 'string')) return [];
      return part === null ? [p] : p < parts.length - 1 ? [p + 1] : [];
    });
    at = new Set(reachable(parts, next));
  }
  return at.size > 0;
};

/** `**` stands for no folder, too. */
const reachable = (parts: readonly Part[], from: readonly number[]): number[] => {
  const out = [...from];
  for (const p of out) if (parts[p] === null && p < parts.length - 1) out.push(p + 1);
  return out;
};

const fits = (part: Part, name: string): boolean =>
  part === null ? !name.startsWith('.') : typeof part === 'string' ? part === name : part.test(name);
