/** The words of a text by their places: between white space, and in scripts without spaces each character. */

export interface Word {
  /** Offsets of all of it, with the punctuation that sticks to it. */
  readonly start: number;
  readonly end: number;
  /** Offsets of its letters and digits; empty where it has none. */
  readonly from: number;
  readonly to: number;
  /** Its letters and digits, small and in NFC: what glossaries are asked for. */
  readonly core: string;
  /** A character of a script without spaces. */
  readonly alone: boolean;
}

/** Han, kana, Thai, Lao, Khmer, Myanmar; a mark belongs to the character before it. */
const ALONE =
  '[\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u3041-\\u30ff\\u3400-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}]\\p{M}*';
const WORD = new RegExp(`(${ALONE})|(?:(?!${ALONE})\\S)+`, 'gu');
const CORE = /[\p{L}\p{N}](?:.*[\p{L}\p{N}\p{M}])?/su;

export const wordsOf = (text: string): Word[] => {
  const words: Word[] = [];
  for (const match of text.matchAll(WORD)) {
    const [all, alone] = match;
    const start = match.index;
    const core = CORE.exec(all);
    const from = start + (core?.index ?? 0);
    const to = from + (core?.[0].length ?? 0);
    words.push({
      ...{ start, end: start + all.length, from, to },
      core: text.slice(from, to).normalize('NFC').toLowerCase(),
      alone: alone !== undefined,
    });
  }
  return words;
};

/** How glossaries write neighbouring words: with a space between them where their script has one. */
export const joined = (words: readonly Word[]): string =>
  words.reduce((text, w, i) => (i > 0 && !(w.alone && words[i - 1]!.alone) ? `${text} ${w.core}` : text + w.core), '');

/** A text as `joined` would write it. */
export const phrase = (text: string): string =>
  PLAIN.test(text) ? text : joined(wordsOf(text).filter(w => w.core !== ''));

/** Most entries of a thesaurus are written so already. */
const PLAIN = /^[a-z]+(?: [a-z]+)*$/;
