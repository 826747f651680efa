/** What filters for web text measure of a document; shares are between 0 and 1, and 0 of a text that has nothing to count. */
import { commonWords } from '../language/function-words.ts';
import { spans } from '../sentences/spans.ts';
import type { Document } from './document.ts';

type Measured = (document: Document) => number;

const share = (part: number, whole: number): number => (whole === 0 ? 0 : Number((part / whole).toFixed(4)));

const shareOf = (all: readonly string[], is: (one: string) => boolean): number =>
  share(all.filter(is).length, all.length);

/** Of parts that stood before: how many, or how much of the text they are. */
const repeated = (all: readonly string[], weigh: (one: string) => number): number => {
  const seen = new Set<string>();
  let again = 0;
  let whole = 0;
  for (const one of all) {
    const weight = weigh(one);
    whole += weight;
    if (seen.has(one)) again += weight;
    else seen.add(one);
  }
  return share(again, whole);
};

const lengthOf = (words: readonly string[]): number => words.reduce((n, word) => n + word.length, 0);

/** Words of Chinese have two characters on the whole: of scripts without spaces, runs are twice as long. */
const runLength = (document: Document, n: number): number => (document.spaced ? n : n * 2);

/** Share of the characters (of words) that the commonest run of `n` words makes up. */
const topRun =
  (n: number): Measured =>
  document => {
    const length = runLength(document, n);
    const runs = document.runs(length);
    const counts = new Map<number, number>();
    let [most, at] = [1, -1];
    for (const [i, run] of runs.entries()) {
      const count = (counts.get(run) ?? 0) + 1;
      counts.set(run, count);
      if (count > most) [most, at] = [count, i];
    }
    // One that comes once is no repetition.
    if (at === -1) return 0;
    return Math.min(1, share(lengthOf(document.words.slice(at, at + length)) * most, lengthOf(document.words)));
  };

/** Share of the characters that stand in runs of `n` words which came before, each counted once. */
const repeatedRuns =
  (n: number): Measured =>
  document => {
    const { words } = document;
    const length = runLength(document, n);
    const seen = new Set<number>();
    let again = 0;
    let until = 0;
    for (const [i, run] of document.runs(length).entries()) {
      if (!seen.has(run)) {
        seen.add(run);
        continue;
      }
      for (let k = Math.max(i, until); k < i + length; k++) again += words[k]!.length;
      until = i + length;
    }
    return share(again, lengthOf(words));
  };

const BULLET = /^(?:[•‣◦●▪■□–*-]\s|[•‣◦●▪■□])/;
const ELLIPSIS = /(?:…|\.\.\.)$/;
const ENDS = /[.!?:;"'”’»)\]。！？；：」』）…؟۔।]$/;
const LETTER = /\p{L}/u;
const SYMBOLS = /#|…|\.\.\./g;
/** A character of a script without spaces says as much as two and a half letters. */
const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;

const isShort = (line: string): boolean => {
  if (line.length >= 30) return false;
  return line.length + 1.5 * (line.match(WIDE)?.length ?? 0) < 30;
};

export const documentMeasures = {
  mean_word_length: ({ words }) => share(lengthOf(words), words.length),
  symbols: ({ text, words }) => share(text.match(SYMBOLS)?.length ?? 0, words.length),
  alphabetic_words: ({ words }) => shareOf(words, word => LETTER.test(word)),
  stop_words: ({ text }) => commonWords(text.toLowerCase()),
  bullet_lines: ({ lines }) => shareOf(lines, line => BULLET.test(line)),
  ellipsis_lines: ({ lines }) => shareOf(lines, line => ELLIPSIS.test(line)),
  ended_lines: ({ lines }) => shareOf(lines, line => ENDS.test(line)),
  short_lines: ({ lines }) => shareOf(lines, isShort),
  line_breaks: ({ text, words }) => share(text.split('\n').length - 1, words.length),
  sentences: ({ text }) => spans(text).length,
  duplicate_lines: ({ lines }) => repeated(lines, () => 1),
  duplicate_line_characters: ({ lines }) => repeated(lines, line => line.length),
  duplicate_paragraphs: ({ paragraphs }) => repeated(paragraphs, () => 1),
  duplicate_paragraph_characters: ({ paragraphs }) => repeated(paragraphs, paragraph => paragraph.length),
  top_2gram: topRun(2),
  top_3gram: topRun(3),
  top_4gram: topRun(4),
  duplicate_5gram: repeatedRuns(5),
  duplicate_6gram: repeatedRuns(6),
  duplicate_7gram: repeatedRuns(7),
  duplicate_8gram: repeatedRuns(8),
  duplicate_9gram: repeatedRuns(9),
  duplicate_10gram: repeatedRuns(10),
} satisfies Readonly<Record<string, Measured>>;

export type DocumentMeasure = keyof typeof documentMeasures;
