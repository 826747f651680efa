/** A text cut in the ways that quality is measured by: words, lines, paragraphs; each cut when it is first asked for. */

export interface Document {
  readonly text: string;
  /** Parts between white space; in scripts without spaces every character is one. */
  readonly words: readonly string[];
  /** Whether most of it is in a script with spaces: what is said of the length of words holds for these only. */
  readonly spaced: boolean;
  /** Lines and paragraphs that are not empty, without white space around them. */
  readonly lines: readonly string[];
  readonly paragraphs: readonly string[];
  /** Numbers of the runs of `n` words, by the place where they begin: equal numbers for equal runs. None where no run comes twice. */
  runs(n: number): readonly number[];
}

const SPACELESS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const CHARACTERS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/gu;

const nonEmpty = (parts: readonly string[]): string[] => {
  const out: string[] = [];
  for (const part of parts) {
    const trimmed = part.trim();
    if (trimmed !== '') out.push(trimmed);
  }
  return out;
};

/** Numbers for values, in the order in which they come. */
const numbered = <T>(values: Iterable<T>): number[] => {
  const known = new Map<T, number>();
  const out: number[] = [];
  for (const value of values) {
    let number = known.get(value);
    if (number === undefined) known.set(value, (number = known.size));
    out.push(number);
  }
  return out;
};

/** Whether every number is a new one. */
const isRising = (numbers: readonly number[]): boolean => numbers.every((number, i) => number === i);

export const documentOf = (text: string): Document => {
  let words: readonly string[] | null = null;
  let lines: readonly string[] | null = null;
  let paragraphs: readonly string[] | null = null;
  const runs: (readonly number[])[] = [];
  const document: Document = {
    text,
    get words() {
      return (words ??= (SPACELESS.test(text) ? text.match(CHARACTERS) : text.match(/\S+/g)) ?? []);
    },
    get spaced() {
      return !SPACELESS.test(text) || document.words.length < 3 * (text.match(/\S+/g)?.length ?? 0);
    },
    get lines() {
      return (lines ??= nonEmpty(text.split('\n')));
    },
    get paragraphs() {
      return (paragraphs ??= nonEmpty(text.split(/\n\s*\n/)));
    },
    runs(n) {
      runs[1] ??= numbered(document.words.map(w => w.toLowerCase()));
      const single = runs[1];
      for (let length = runs.length; length <= n; length++) {
        const before = runs[length - 1]!;
        // What comes once comes once with a word more, too.
        if (before.length === 0) {
          runs[length] = before;
          continue;
        }
        // A run is the run of one word less and the word after it: a pair of numbers, told apart exactly.
        const pairs: number[] = [];
        for (let i = 0; i + length <= single.length; i++) pairs.push(before[i]! * 2 ** 26 + single[i + length - 1]!);
        const numbers = numbered(pairs);
        runs[length] = numbers.at(-1) === numbers.length - 1 && isRising(numbers) ? [] : numbers;
      }
      return runs[n]!;
    },
  };
  return document;
};
