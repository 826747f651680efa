/**
 * Synonyms from a file of the user's, and their places in a text. Three kinds of file are read:
 *
 *   quick, fast, rapid        a line each, with commas or tabs between: each may stand for the others
 *   car -> automobile         each after the arrow may stand for what is before it, and not the other way
 *   { "car": ["auto"] }       JSON, as with an arrow; or a list of lists, as with commas
 *   UTF-8 / car|1 / (noun)|auto|automobile      MyThes, as LibreOffice's dictionaries (WordNet among them) are: words of one meaning
 */
import { StageError } from '../../contract.ts';
import type { Draw } from './draw.ts';
import { joined, phrase, type Word } from './words.ts';

/** A stretch of words that others may stand for. */
export interface Match {
  /** Numbers of its first word, and of the one after its last. */
  readonly first: number;
  readonly after: number;
  readonly others: readonly string[];
}

export interface Synonyms {
  readonly size: number;
  /** In order, the longest where several begin at one word, none overlapping. */
  find(text: string, words: readonly Word[]): Match[];
}

const LONGEST = 8;

export const parseSynonyms = (bytes: Uint8Array, name: string): Synonyms => {
  const groups = new Map<string, Set<string>>();
  const add = (word: string, others: readonly string[]): void => {
    const key = phrase(word);
    if (key === '') return;
    const set = groups.get(key) ?? new Set();
    for (const other of others) if (other.trim() !== '' && phrase(other) !== key) set.add(other.trim());
    if (set.size > 0) groups.set(key, set);
  };
  const text = decode(bytes);
  if (isMyThes(text)) readMyThes(text, add);
  else if (/^\s*[[{]/.test(text)) readJson(text, name, add);
  else readLines(text, add);
  if (groups.size === 0)
    throw new StageError('no-synonyms', `${name} holds no synonyms`, {
      advice: 'write a group a line: quick, fast, rapid',
      place: { path: name },
    });
  const known = new Map([...groups].map(([word, set]) => [word, [...set]]));
  return { size: known.size, find: (inText, words) => find(known, inText, words) };
};

type Add = (word: string, others: readonly string[]) => void;

const readLines = (text: string, add: Add): void => {
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [before, after] = line.split(/\s*->\s*/, 2);
    const parts = (part: string): string[] => part.split(/[,\t，、]/).map(p => p.trim());
    if (after !== undefined) for (const word of parts(before!)) add(word, parts(after));
    else for (const [i, word] of parts(line).entries()) add(word, parts(line).toSpliced(i, 1));
  }
};

const readJson = (text: string, name: string, add: Add): void => {
  const wrong = (why: string) => new StageError('bad-synonyms', `${name} ${why}`, { place: { path: name } });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(`is no JSON: ${(error as Error).message}`);
  }
  const texts = (list: unknown, of: string): string[] => {
    if (Array.isArray(list) && list.every(w => typeof w === 'string')) return list as string[];
    throw wrong(`holds no list of words for ${of}`);
  };
  if (Array.isArray(value)) {
    for (const [i, group] of value.entries()) {
      const words = texts(group, `group ${i + 1}`);
      for (const [k, word] of words.entries()) add(word, words.toSpliced(k, 1));
    }
  } else for (const [word, others] of Object.entries(value as object)) add(word, texts(others, `"${word}"`));
};

const isMyThes = (text: string): boolean => /^[\w-]+\r?\n[^\n|]+\|\d+\r?\n/.test(text);

const SHORTEST = 3;

const readMyThes = (text: string, add: Add): void => {
  const lines = text.split(/\r?\n/);
  for (let i = 1; i < lines.length; ) {
    const [word, count] = lines[i]!.split('|');
    const meanings = Number(count ?? 0) || 0;
    // Of several meanings nobody here knows which one is meant; short ones are abbreviations (it, information technology).
    if (meanings === 1 && word!.length >= SHORTEST) {
      const [, ...others] = (lines[i + 1] ?? '').split('|');
      // "(generic term)", "(antonym)" and their like say that it is something else.
      const same = others.filter(o => o.length >= SHORTEST && !/\([^)]*\)\s*$/.test(o));
      add(word!, same);
    }
    i += 1 + meanings;
  }
};

/** UTF-8; a MyThes file in another encoding names it in its first line. */
const decode = (bytes: Uint8Array): string => {
  const first = Buffer.from(bytes.subarray(0, 40)).toString('latin1').split(/\r?\n/)[0]!;
  const label = /^ISO8859-(\d+)$/i.exec(first)?.[1];
  return new TextDecoder(label ? `iso-8859-${label}` : 'utf-8').decode(bytes);
};

const find = (known: ReadonlyMap<string, readonly string[]>, text: string, words: readonly Word[]): Match[] => {
  const matches: Match[] = [];
  for (let first = 0; first < words.length; ) {
    let after = first;
    let others: readonly string[] | undefined;
    for (let end = first + 1; end <= Math.min(words.length, first + LONGEST); end++) {
      if (end - first > 1 && !areNeighbours(text, words[end - 2]!, words[end - 1]!)) break;
      const found = known.get(joined(words.slice(first, end)));
      if (found) [after, others] = [end, found];
    }
    if (others) matches.push({ first, after, others });
    first = Math.max(first + 1, after);
  }
  return matches;
};

/** Only white space, or in scripts without spaces nothing, stands between them. */
const areNeighbours = (text: string, a: Word, b: Word): boolean => /^\s*$/.test(text.slice(a.to, b.from));

/** The text with some of the matches replaced, each by one that is drawn. */
export const replace = (
  text: string,
  words: readonly Word[],
  { matches, draw }: { readonly matches: readonly Match[]; readonly draw: Draw },
): string => {
  let out = '';
  let at = 0;
  for (const { first, after, others } of matches) {
    const [from, to] = [words[first]!.from, words[after - 1]!.to];
    out += text.slice(at, from) + alike(text.slice(from, to), others[draw.below(others.length)]!);
    at = to;
  }
  return out + text.slice(at);
};

/** With a capital, or all in capitals, as what it stands for. */
const alike = (old: string, other: string): string => {
  const letters = old.replace(/[^\p{L}]/gu, '');
  if (letters.length > 1 && letters === letters.toUpperCase() && letters !== letters.toLowerCase())
    return other.toUpperCase();
  const [head = ''] = old;
  const isCapital = head !== head.toLowerCase();
  const [first = ''] = other;
  return isCapital ? first.toUpperCase() + other.slice(first.length) : other;
};
