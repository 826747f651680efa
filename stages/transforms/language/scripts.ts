/** What the script of a text says about its language. */

/** Scripts of one language, or of one that is written far more than the others. */
const ONE: readonly (readonly [language: string, script: string])[] = [
  ['el', 'Greek'],
  ['he', 'Hebrew'],
  ['th', 'Thai'],
  ['lo', 'Lao'],
  ['km', 'Khmer'],
  ['my', 'Myanmar'],
  ['ka', 'Georgian'],
  ['hy', 'Armenian'],
  ['ta', 'Tamil'],
  ['te', 'Telugu'],
  ['kn', 'Kannada'],
  ['ml', 'Malayalam'],
  ['gu', 'Gujarati'],
  ['pa', 'Gurmukhi'],
  ['bn', 'Bengali'],
  ['si', 'Sinhala'],
  ['or', 'Oriya'],
  ['am', 'Ethiopic'],
  ['bo', 'Tibetan'],
  ['hi', 'Devanagari'],
];

const BEYOND_LATIN = /[^\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Arabic}\P{L}]/u;
const LETTERS = /[\p{L}\p{M}]/gu;
const HAN = /\p{Script=Han}/gu;
const KANA = /[\p{Script=Hiragana}\p{Script=Katakana}]/gu;
const HANGUL = /\p{Script=Hangul}/gu;
const SCRIPTS = ONE.map(([language, script]) => [language, new RegExp(`\\p{Script=${script}}`, 'gu')] as const);

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** Letters that a character of a script without spaces is worth: it says as much. */
const WORTH = 3;

export interface Script {
  /** Letters; a character of Han, kana and Hangul counts as three. */
  readonly letters: number;
  /** The language, where the script decides: English names in a Chinese text do not make it English. */
  readonly language: string | null;
}

export const scriptOf = (text: string): Script => {
  const letters = count(text, LETTERS);
  if (!BEYOND_LATIN.test(text)) return { letters, language: null };
  const han = count(text, HAN);
  const kana = count(text, KANA);
  const hangul = count(text, HANGUL);
  const dense = han + kana + hangul;
  const worth = letters + dense * (WORTH - 1);
  // Half of what is written, or a third of it in characters that are as much as a word.
  const most = (n: number): boolean => n * WORTH * 2 >= worth - n * WORTH;
  if (hangul > kana && hangul * 2 > han && most(hangul)) return { letters: worth, language: 'ko' };
  if (kana > 0 && kana * 12 >= han && most(han + kana)) return { letters: worth, language: 'ja' };
  if (han > 0 && most(han)) return { letters: worth, language: 'zh' };
  for (const [language, pattern] of SCRIPTS)
    if (count(text, pattern) * 2 > letters) return { letters: worth, language };
  return { letters: worth, language: null };
};
