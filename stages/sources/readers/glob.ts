/** Globs tested on paths that are known by name only: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any number of folders. */

export const isGlob = (pattern: string): boolean => /[*?[{]/.test(pattern);

/** Paths have "/"; as in a shell, no pattern but a literal dot matches a leading one. */
export const globTest = (pattern: string): ((path: string) => boolean) => {
  const ways = alternatives(pattern.replace(/^(?:\.\/)+/, '')).map(way => way.split('/'));
  const all = ways.map(parts => new RegExp(`^${parts.map(toRegExp).join('')}$`, 's'));
  return path => all.some(r => r.test(path));
};

const toRegExp = (part: string, i: number, parts: readonly string[]): string => {
  const last = i === parts.length - 1;
  // `**` at the end is every file below; before the end, any number of folders, none of them hidden.
  if (part === '**') return last ? '(?:(?!\\.)[^/]+/)*(?!\\.)[^/]+' : '(?:(?!\\.)[^/]+/)*';
  const dot = /^[*?[]/.test(part) ? '(?!\\.)' : '';
  const text = part.replaceAll(
    /\*+|\?|\[([!^]?)(\]?[^\]]*)\]|[\\^$.|+()[\]{}]/g,
    (found, not?: string, set?: string) => {
      if (found.startsWith('*')) return '[^/]*';
      if (found === '?') return '[^/]';
      return set === undefined ? `\\${found}` : `[${not ? '^' : ''}${set.replaceAll(/[\\\]^[]/g, '\\$&')}]`;
    },
  );
  return `${dot}${text}${last ? '' : '/'}`;
};

/** `a{b,c{d,e}}` in every way that it can be read. */
const alternatives = (text: string): string[] => {
  const open = text.indexOf('{');
  if (open === -1) return [text];
  const commas: number[] = [];
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '{') depth++;
    else if (text[i] === ',' && depth === 1) commas.push(i);
    else if (text[i] === '}' && --depth === 0) {
      const bounds = [open, ...commas, i];
      return bounds
        .slice(1)
        .flatMap((end, k) => alternatives(text.slice(0, open) + text.slice(bounds[k]! + 1, end) + text.slice(i + 1)));
    }
  }
  return [text.replaceAll('{', '[{]')];
};
