/** Copies of a text that need nobody else: synonyms and noise, drawn by the seed. */
import type { Draw } from './draw.ts';
import { type Damage, deleted, inserted, swapped } from './noise.ts';
import { type Match, replace, type Synonyms } from './synonyms.ts';
import { joined, phrase, wordsOf } from './words.ts';

export const LOCAL = ['synonyms', 'insert', 'delete', 'swap'] as const;
export type LocalWay = (typeof LOCAL)[number];

export interface Variation {
  /** Share of the words that may be touched. */
  readonly rate: number;
  /** Words and phrases that nobody touches, as `phrase` writes them. */
  readonly kept: ReadonlySet<string>;
  readonly synonyms: Synonyms | null;
}

export const keptOf = (terms: readonly string[]): ReadonlySet<string> =>
  new Set(terms.map(phrase).filter(t => t !== ''));

/** The text itself where it is too short to be touched, or has nothing that may be. */
export const vary = (text: string, way: LocalWay, { rate, kept, synonyms }: Variation, draw: Draw): string => {
  const words = wordsOf(text);
  const isKept = keptWords(words, kept);
  // A number or a version that changes changes what is said.
  const free = [...words.keys()].filter(i => !isKept[i] && words[i]!.core !== '' && !/\p{N}/u.test(words[i]!.core));
  const most = Math.floor(words.length * rate + 1e-9);
  const damage: Damage = { text, words, free, most, draw };
  const isFree = new Set(free);
  const matches = (): Match[] =>
    synonyms!.find(text, words).flatMap(match => {
      for (let i = match.first; i < match.after; i++) if (!isFree.has(i)) return [];
      const others = fitting(match, words);
      return others.length > 0 ? [{ ...match, others }] : [];
    });
  switch (way) {
    case 'delete':
      return deleted(damage);
    case 'swap':
      return swapped(damage);
    case 'synonyms':
      // What means the same does no damage: one word of a short text, too.
      return replace(text, words, { matches: draw.some(matches(), Math.max(1, most)), draw });
    case 'insert': {
      const others = new Map(synonyms ? matches().map(m => [m.first, m.others]) : []);
      return inserted(damage, i => {
        const list = others.get(i);
        return list ? list[draw.below(list.length)]! : text.slice(words[i]!.from, words[i]!.to);
      });
    }
  }
};

const VOWEL = /^[aeiou]/i;

/** After "a" and "an" only what begins with the same kind of sound, as far as letters tell. */
const fitting = ({ first, others }: Match, words: ReturnType<typeof wordsOf>): readonly string[] => {
  const article = words[first - 1]?.core;
  if (article !== 'a' && article !== 'an') return others;
  return others.filter(other => VOWEL.test(other) === VOWEL.test(words[first]!.core));
};

/** Which words belong to a phrase that is kept. */
const keptWords = (words: ReturnType<typeof wordsOf>, kept: ReadonlySet<string>): boolean[] => {
  const out = words.map(() => false);
  if (kept.size === 0) return out;
  const longest = Math.max(...[...kept].map(k => wordsOf(k).length));
  for (let first = 0; first < words.length; first++) {
    for (let after = first + 1; after <= Math.min(words.length, first + longest); after++)
      if (kept.has(joined(words.slice(first, after)))) out.fill(true, first, after);
  }
  return out;
};
