/** Where words begin and end, for phrases that are to be found as whole words. */

const WORD = /[\p{L}\p{M}\p{N}_]/u;
/** Scripts that put no space between words, or (Hangul) particles straight after them. */
const SPACELESS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Whether another letter beside this character would make a longer word of both. */
export const isPartOfWord = (character: string | undefined): boolean =>
  character !== undefined && WORD.test(character) && !SPACELESS.test(character);

/** Whether the character (of one or two UTF-16 units) before `at` is part of the word that begins there. */
export const isWordBefore = (text: string, at: number): boolean => {
  const unit = text.charCodeAt(at - 1);
  const pair = (unit & 0xfc00) === 0xdc00;
  return at > 0 && isPartOfWord(pair ? text.slice(at - 2, at) : text[at - 1]);
};

export const isWordAt = (text: string, at: number): boolean => {
  const point = text.codePointAt(at);
  return point !== undefined && isPartOfWord(String.fromCodePoint(point));
};
