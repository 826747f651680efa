/**
 * Repairs mojibake: UTF-8 that was read as Latin-1 or Windows-1252 ("cafÃ©", "donâ€™t", "ä¸­æ–‡"), once or several times over.
 *
 * Every character of such a text is a lead (À to ô in Latin-1) with the right number of others after it, and their bytes are
 * UTF-8. Clean text may hold such a sequence, too: a French "« café »" with no-break spaces ends in the bytes of a Chinese
 * character. So a sequence is taken for mojibake only on evidence: a character in it that nobody writes after a letter ("é" then
 * "¸"), a capital after a small letter, a neighbour that is one, or the company of a text in which everything is.
 */

/** Windows-1252's own characters by byte, from 0x80; Latin-1's controls stand for themselves where a reader had no character. */
const WINDOWS = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—˜™š›œ\u009DžŸ';

/** By UTF-16 unit: the byte that it was read from, of those that may stand after a lead; 0 for all others. */
const BYTES = new Uint8Array(0x2200);
for (let byte = 0x80; byte < 0xc0; byte++) BYTES[byte] = byte;
for (const [i, c] of [...WINDOWS].entries()) BYTES[c.charCodeAt(0)] = 0x80 + i;

const FOLLOWERS = `\\x80-\\xBF${WINDOWS}`;
/** A text without any of these is clean. The last two are what a lost byte or a replaced no-break space leaves behind. */
const SUSPECT = new RegExp(`[\\xC2-\\xF4][${FOLLOWERS}]|\\xC3 |â€`);

/**
 * What people write straight after an accented letter: closing quotes, dashes, footnote and trade marks. Of what is left
 * (¸ ¡ ¢ © ¿ …, controls) nothing follows a letter.
 */
const AFTER_LETTER = new Set('\u00A0«»·ªº°®¹²³‘’“”…–—•™†‡‹›');
/** Of these, what another letter may follow without a space: "CAFÉ–BAR"; after a closing quote, too, in Turkish. */
const WITHIN = new Set('\u00A0·’…–—');
const OPENING_QUOTES = new Set('«“‘‹„‚');
const CLOSING_QUOTES = new Set('»”’›');
/** What ends a word without a space, so that any of the marks that open one may follow. */
const BREAKS = new Set('–—');
const OPENING = new Set('«“‘‹„‚¿¡§£€©');
/** Letters that follow a capital at the beginning of a word, and the capitals: "Úžasný". */
const LETTERS = new Set('ŠšŽž');
const BEFORE_LETTERS = new Set('ÉÍÓÔÚÝÄÖÜÕ');

/** Blocks that people write in; what decodes to anything else was no UTF-8. */
const PLAUSIBLE =
  /[\x80-\u017F\u0192\u01A0\u01A1\u01AF\u01B0\u01CD-\u01DC\u01E6\u01E7\u0218-\u021B\u0259\u02BB-\u02BD\u02C6\u02DC\u0370-\u052F\u0531-\u06FF\u0900-\u0DFF\u0E01-\u0FDA\u1000-\u109F\u10A0-\u10FF\u1200-\u139F\u1780-\u17FF\u1E00-\u27BF\u2900-\u2BFF\u3000-\u30FF\u3105-\u312F\u3131-\u318E\u3200-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3\uF900-\uFAFF\uFB00-\uFB4F\uFB50-\uFDFF\uFE30-\uFE4F\uFE70-\uFEFF\uFF01-\uFFEE\uFFFD\u{1D400}-\u{1D7FF}\u{1F000}-\u{1FAFF}\u{20000}-\u{2FA1F}\u{E0020}-\u{E007F}]|[\u0300-\u036F\uFE00-\uFE0F]/u;

const LETTER = /[\p{L}\p{M}]/u;
const SMALL = /\p{Ll}/u;
const CAPITAL = /\p{Lu}/u;
const ACCENT = /[\u0300-\u036F]/;

interface Sequence {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Not in a block that people write in: only next to one that is. */
  readonly odd: boolean;
  /** Mojibake whatever stands around it. */
  readonly strong: boolean;
}

/** The character whose UTF-8 was read as the units from `at` on; null where they are none. */
const decode = (text: string, at: number): { readonly point: number; readonly end: number } | null => {
  const lead = text.charCodeAt(at);
  if (lead < 0xc2 || lead > 0xf4) return null;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  let point = lead & (length === 2 ? 0x1f : length === 3 ? 0x0f : 0x07);
  for (let i = 1; i < length; i++) {
    const unit = text.charCodeAt(at + i);
    const byte = unit < BYTES.length ? BYTES[unit]! : 0;
    if (byte === 0) return null;
    point = (point << 6) | (byte & 0x3f);
  }
  const least = length === 3 ? 0x800 : length === 4 ? 0x10000 : 0x80;
  if (point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return null;
  return { point, end: at + length };
};

const isStrong = (text: string, start: number, end: number, character: string): boolean => {
  const lead = text[start]!;
  // "10×²" and "Spaß“" are written so; Hebrew is known by its neighbours.
  if (lead === '×' || lead === 'ß') return false;
  const first = text[start + 1]!;
  // A soft hyphen stands between letters, in capitals too.
  if (first === '\u00AD') return !CAPITAL.test(text[start - 1] ?? '') || SMALL.test(text[end] ?? '');
  if (end - start === 2) return isStrongPair(text, start, character);
  if (end - start === 4) return !AFTER_LETTER.has(first);
  // A no-break space ends the word, and any mark may follow it: "café £5".
  if (first === '\u00A0') return false;
  if (LETTER.test(text[end] ?? '') && !BREAKS.has(first) && !WITHIN.has(text[end - 1]!)) return true;
  return [...text.slice(start + 1, end)].some((c, i) => {
    if (i > 0 && BREAKS.has(first) && OPENING.has(c)) return false;
    // Many languages have words that end in an accented small letter, but no footnotes at words that end in "â".
    if (lead === 'â') return !AFTER_LETTER.has(c) || c === '†' || c === '‡';
    return !AFTER_LETTER.has(c) && !LETTERS.has(c);
  });
};

const isControl = (character: string): boolean => character < '\u00A0';

/** Leads of two are capitals, but for "×" and "ß". */
const isStrongPair = (text: string, start: number, character: string): boolean => {
  const lead = text[start]!;
  const follower = text[start + 1]!;
  const before = text[start - 1] ?? '';
  const after = text[start + 2] ?? '';
  // Half of something that was garbled twice, in two ways (“Â”): the other half stands before it.
  if (isControl(character) && follower !== character) return false;
  // After a small letter nobody writes a capital.
  if (SMALL.test(before) && !CAPITAL.test(character)) return true;
  // Hardly any word ends in "Â": this is what becomes of a no-break space.
  if (lead === 'Â' && follower === '\u00A0') return true;
  if (LETTERS.has(follower)) return !BEFORE_LETTERS.has(lead);
  if (!AFTER_LETTER.has(follower)) return true;
  if (LETTER.test(after) && !WITHIN.has(follower) && !CLOSING_QUOTES.has(follower)) return true;
  // Words in hardly any language; each may be quoted as a letter.
  if ((lead !== 'Ã' && lead !== 'Â') || LETTER.test(before)) return false;
  return !(CLOSING_QUOTES.has(follower) && OPENING_QUOTES.has(before));
};

/** Sequences that may be mojibake, in order. */
const sequences = (text: string): Sequence[] => {
  const found: Sequence[] = [];
  for (let at = 0; at < text.length; at++) {
    const decoded = decode(text, at);
    if (!decoded) continue;
    const character = String.fromCodePoint(decoded.point);
    const { end } = decoded;
    const odd = !PLAUSIBLE.test(character);
    found.push({ start: at, end, text: character, odd, strong: !odd && isStrong(text, at, end, character) });
    at = end - 1;
  }
  return found;
};

/** By lead: Latin, Greek, Cyrillic, Armenian and Hebrew, Arabic, and all that takes three bytes or more. */
const scriptOf = (lead: number): number => [0xcc, 0xd0, 0xd5, 0xd8, 0xe0].filter(from => lead >= from).length;

/** Whether two sequences that touch are letters of one script; "Ö Ä " with no-break spaces is two words, accents are none. */
const isAlike = (text: string, a: Sequence, b: Sequence): boolean => {
  if (a.odd || b.odd || ACCENT.test(a.text) || ACCENT.test(b.text)) return false;
  const script = scriptOf(text.charCodeAt(a.start));
  return script === scriptOf(text.charCodeAt(b.start)) && !(script === 0 && text[a.end - 1] === '\u00A0');
};

const once = (text: string): string => {
  const found = sequences(text);
  const strong = found.map(s => s.strong);
  const touches = (i: number): boolean => i > 0 && i < found.length && found[i]!.start === found[i - 1]!.end;
  // Two that touch speak for each other: letter, mark, letter, mark is no word.
  for (let i = 1; i < found.length; i++)
    if (touches(i) && isAlike(text, found[i - 1]!, found[i]!)) strong[i] = strong[i - 1] = true;
  for (let i = 1; i < found.length; i++) if (touches(i) && strong[i - 1]) strong[i] = true;
  for (let i = found.length - 1; i > 0; i--) if (touches(i) && strong[i]) strong[i - 1] = true;
  const sure = strong.includes(true);
  const all = sure && !hasCleanLetter(text, found);
  let out = '';
  let from = 0;
  for (const [i, { start, end, odd, text: character }] of found.entries()) {
    const isAlone = sure && (text[start] === 'Ã' || text[start] === 'Â') && !isControl(character);
    if (!strong[i] && !(!odd && (all || isAlone))) continue;
    out += text.slice(from, start) + character;
    from = end;
  }
  out += text.slice(from);
  return rest(out, sure);
};

/** Whether a character beyond ASCII stands outside of all sequences: then the text has been put together of several. */
const hasCleanLetter = (text: string, found: readonly Sequence[]): boolean => {
  let next = 0;
  for (let i = 0; i < text.length; i++) {
    if (found[next]?.start === i) i = found[next++]!.end - 1;
    else if (text.charCodeAt(i) >= 0x80 && /[\p{L}\p{M}]/u.test(text[i]!)) {
      // "Ã" before a space and "â€" have lost a byte.
      if (text[i] === 'Ã' && text[i + 1] === ' ') continue;
      return true;
    }
  }
  return false;
};

/** "â€" has lost its last byte, 0x9D, which Windows-1252 lacks; "Ã " had a no-break space that became an ordinary one. */
const rest = (text: string, sure: boolean): string => {
  let out = text.includes('â€') ? text.replace(/â€(?:\uFFFD|(?![\x80-\uFFFF]))/g, '”') : text;
  if (!out.includes('Ã ')) return out;
  out = out.replace(/(?<=\p{Ll})Ã {1,2}|(?<!\p{L})Ã {2}/gu, 'à ');
  return sure ? out.replace(/(?<![\p{L}\p{N}])Ã {1,2}/gu, 'à ') : out;
};

/** Text that was garbled several times is repaired as often. */
const ROUNDS = 4;

/** The text with its mojibake repaired; clean text comes back as it is. */
export const repairMojibake = (text: string): string => {
  let out = text;
  for (let i = 0; i < ROUNDS && SUSPECT.test(out); i++) {
    const before = out;
    out = once(out);
    if (out === before) break;
  }
  return out;
};
