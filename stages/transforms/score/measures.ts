/** What can be measured of a text, each a number; shares are between 0 and 1, and 0 of a text that has nothing to count. */
import type { ScoreOptions } from '../../../schemas/types.ts';
import { documentOf } from '../quality/document.ts';
import { documentMeasures } from '../quality/measures.ts';
import { count } from '../text/count.ts';

export type Measure = ScoreOptions['measure'];

const LETTER = 1;
const CAPITAL = 2;
const DIGIT = 4;
const MARK = 8;
const KNOWN = 128;

/** By UTF-16 unit, filled as they are asked for: a regular expression for each character would take the most of the time. */
const classes = new Uint8Array(0x10000);

const classify = (character: string): number =>
  KNOWN |
  (/\p{L}/u.test(character) ? LETTER : 0) |
  (/\p{Lu}/u.test(character) ? CAPITAL : 0) |
  (/\p{Nd}/u.test(character) ? DIGIT : 0) |
  (/[\p{P}\p{S}]/u.test(character) ? MARK : 0);

/** How many characters of the text are of one class. */
const countOf = (text: string, wanted: number): number => {
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    let found: number;
    if ((unit & 0xfc00) === 0xd800) {
      found = classify(String.fromCodePoint(text.codePointAt(i)!));
      i++;
    } else {
      found = classes[unit]!;
      if (found === 0) classes[unit] = found = classify(String.fromCharCode(unit));
    }
    if (found & wanted) n++;
  }
  return n;
};

const share = (part: number, whole: number): number => (whole === 0 ? 0 : Number((part / whole).toFixed(4)));

const words = (text: string): string[] => text.toLowerCase().match(/\S+/g) ?? [];

/** Length of the runs of words that `repetition` looks for. */
const RUN = 3;

export const measures: Readonly<Record<Measure, (text: string) => number>> = {
  characters: text => count(text).characters,
  words: text => count(text).words,
  unique_words(text) {
    const all = words(text);
    return share(new Set(all).size, all.length);
  },
  punctuation: text => share(countOf(text, MARK), count(text).characters),
  digits: text => share(countOf(text, DIGIT), count(text).characters),
  caps: text => share(countOf(text, CAPITAL), countOf(text, LETTER)),
  repetition(text) {
    const all = words(text);
    const runs = Math.max(0, all.length - RUN + 1);
    const different = new Set<string>();
    for (let i = 0; i < runs; i++) different.add(`${all[i]} ${all[i + 1]} ${all[i + 2]}`);
    return share(runs - different.size, runs);
  },
  ...(Object.fromEntries(
    Object.entries(documentMeasures).map(([name, measured]) => [name, (text: string) => measured(documentOf(text))]),
  ) as Record<keyof typeof documentMeasures, (text: string) => number>),
};
