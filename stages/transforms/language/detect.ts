/** Says which language a text is written in: by script, by its small words, and by tinyld's letter groups; the only module that imports `tinyld`. */
import { functionWords } from './function-words.ts';
import { scriptOf } from './scripts.ts';

/** Not known: too short, or like no language. */
export const UNKNOWN = 'und';

export interface DetectOptions {
  /** Fewest letters to go by. */
  readonly min: number;
  /** ISO 639-1 codes; others are never given. */
  readonly only?: readonly string[];
}

export type Detect = (text: string) => string;

/** No data set is written in these, and short texts in other languages are taken for them. */
const UNLIKELY: ReadonlySet<string> = new Set(['tlh', 'vo', 'eo', 'la', 'ber', 'rn']);

/** Characters that are looked at: of a long text its beginning, middle and end. */
const LOOKED_AT = 900;
/** Those of them that the slow part sees. */
const LETTER_GROUPS = 240;
/** What is in no language: addresses, tags, code in backticks, words with digits, names such as `from_pretrained`, `GitHub`. */
const NO_WORDS =
  /[Hh][Tt][Tt][Pp][Ss]?:\/\/\S+|\S+@\S+|<[^<>]{1,200}>|`[^`\n]{1,200}`|[A-Za-z]*\d[A-Za-z\d]*|[A-Za-z]+(?:[._][A-Za-z]+)+|\b[A-Z]*[a-z]+[A-Z]\w*/g;
const NO_LETTERS = /[^\p{L}\p{M}']+/gu;

const sample = (text: string): string => {
  if (text.length <= LOOKED_AT) return text;
  const part = LOOKED_AT / 3;
  const middle = (text.length - part) >> 1;
  const cut = (from: number): string => {
    const piece = text.slice(from, from + part);
    // Half words at both ends say nothing.
    return /\s/.test(piece) ? piece.replace(/^\S{0,40}\s|\s\S{0,40}$/g, ' ') : piece;
  };
  return `${cut(0)} ${cut(middle)} ${cut(text.length - part)}`;
};

/** Small words that are enough: so many, and twice those of the next language. */
const ENOUGH = 8;
const WORD = 0.2;
const GROUPS = 3;
/** tinyld is certain when it meets a group of letters that one language alone has; in names it is often wrong. */
const CERTAIN = 0.45;
/** Of two languages that are as likely, the one that is written more. */
const USUAL: Readonly<Record<string, number>> = {
  en: 0.075,
  es: 0.05,
  pt: 0.05,
  fr: 0.05,
  de: 0.05,
  it: 0.05,
  ru: 0.05,
  nl: 0.05,
  pl: 0.05,
};
const LEAST = 0.04;

/**
 * A detector. Time is bounded: of long texts a sample is read. Gives ISO 639-1 codes (`zh`, `pt`; `no` for Norwegian) or `und`.
 */
export const detector = async ({ min, only }: DetectOptions): Promise<Detect> => {
  const { detectAll } = await import('tinyld');
  const allowed = only && new Set(only);
  const may = (language: string): boolean => (allowed ? allowed.has(language) : !UNLIKELY.has(language));
  return text => {
    const looked = sample(text).replace(NO_WORDS, ' ');
    const script = scriptOf(looked);
    if (script.letters < min) return UNKNOWN;
    if (script.language !== null) return may(script.language) ? script.language : UNKNOWN;
    const plain = looked.toLowerCase().replace(NO_LETTERS, ' ').trim();
    const scores = new Map<string, number>();
    let [first, second, best] = [0, 0, ''];
    for (const [language, votes] of functionWords(plain)) {
      if (!may(language)) continue;
      scores.set(language, votes * WORD);
      if (votes > first) [first, second, best] = [votes, first, language];
      else if (votes > second) second = votes;
    }
    if (first >= ENOUGH && first >= second * 2) return best;
    for (const { lang, accuracy } of detectAll(plain.slice(0, LETTER_GROUPS))) {
      const language = lang === 'nb' ? 'no' : lang;
      if (!may(language)) continue;
      scores.set(language, (scores.get(language) ?? 0) + (accuracy === 1 ? CERTAIN : Math.min(0.6, accuracy * GROUPS)));
    }
    let [most, answer] = [LEAST, UNKNOWN];
    for (const language of [...scores.keys()].sort()) {
      const score = scores.get(language)! + (USUAL[language] ?? 0);
      if (scores.get(language)! >= LEAST && score > most) [most, answer] = [score, language];
    }
    return answer;
  };
};
