/** What C4 does besides measuring (Raffel et al. 2020, 2.2): lines that are no sentences go, and pages with marks of no prose. */

const CITATION = /\[(?:\d{1,3}|edit|citation needed)\]/g;
const ENDS = /[.!?"'”’»。！？」』]$/;
const CUT_OFF = /(?:\.\.\.|…)$/;
const NO_PROSE =
  /\bjavascript\b|\bterms of use\b|\bprivacy policy\b|\bcookie policy\b|\buses cookies\b|\buse of cookies\b|\buse cookies\b/i;
const FEWEST_WORDS = 3;
const SPACELESS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

const isSentence = (line: string): boolean => {
  if (!ENDS.test(line) || CUT_OFF.test(line) || NO_PROSE.test(line)) return false;
  return SPACELESS.test(line) || line.split(/\s+/).length >= FEWEST_WORDS;
};

/** The lines that end as sentences do, have three words, and are about neither JavaScript nor cookies; blank lines stay. */
export const sentenceLines = (text: string): string =>
  text
    .split('\n')
    .map(line => line.replace(CITATION, '').trimEnd())
    .filter(line => line.trim() === '' || isSentence(line.trim()))
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();

/** Why C4 would not have the page, or null. */
export const noPage = (text: string): string | null => {
  if (/lorem ipsum/i.test(text)) return 'holds "lorem ipsum", c4';
  return text.includes('{') ? 'holds a curly bracket, c4' : null;
};
