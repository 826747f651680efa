/**
 * Small damage to a text, so that a model learns not to mind it: words inserted, deleted, swapped (Wei and Zou, "EDA: Easy
 * Data Augmentation", 2019), never more of them than the rate allows.
 */
import type { Draw } from './draw.ts';
import type { Word } from './words.ts';

export interface Damage {
  readonly text: string;
  readonly words: readonly Word[];
  /** Numbers of the words that may be touched. */
  readonly free: readonly number[];
  /** How many of them at most. */
  readonly most: number;
  readonly draw: Draw;
}

/** Leaves words out, each with a space beside it; a mark that stands at one end only goes over to the neighbour. */
export const deleted = ({ text, words, free, most, draw }: Damage): string => {
  let out = '';
  let at = 0;
  for (const i of draw.some(free, Math.min(most, words.length - 1))) {
    const { start, end, from, to } = words[i]!;
    const before = text.slice(at, start);
    const trimmed = before.replace(/[^\S\n]+$/, '');
    const isFirst = trimmed === '' || trimmed.endsWith('\n');
    const [opens, closes] = [from > start, to < end];
    const spaceAfter = (place: number): number => place + /^[^\S\n]*/.exec(text.slice(place))![0].length;
    if (opens && !closes) {
      out += before + text.slice(start, from);
      at = spaceAfter(to);
    } else if (isFirst) {
      out += before;
      at = spaceAfter(end);
    } else {
      out += trimmed;
      at = opens ? end : to;
    }
  }
  return out + text.slice(at);
};

/** Neighbours change places: two words each, so half as many times. */
export const swapped = ({ text, words, free, most, draw }: Damage): string => {
  const isFree = new Set(free);
  const pairs = free.filter(i => isFree.has(i + 1));
  let out = '';
  let at = 0;
  let last = -2;
  for (const i of draw.some(pairs, Math.floor(most / 2))) {
    if (i <= last + 1) continue;
    const [a, b] = [words[i]!, words[i + 1]!];
    out += text.slice(at, a.from) + text.slice(b.from, b.to) + text.slice(a.to, b.from) + text.slice(a.from, a.to);
    at = b.to;
    last = i;
  }
  return out + text.slice(at);
};

/** Puts words in between others: one that `word` gives for a word of the text, or that word once more. */
export const inserted = ({ text, words, free, most, draw }: Damage, word: (i: number) => string): string => {
  if (free.length === 0) return text;
  let out = '';
  let at = 0;
  for (const i of draw.some([...words.keys()].slice(1), most)) {
    const { start, alone } = words[i]!;
    const other = word(free[draw.below(free.length)]!);
    out += text.slice(at, start) + (alone ? other : `${other} `);
    at = start;
  }
  return out + text.slice(at);
};
