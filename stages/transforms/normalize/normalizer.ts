/** The steps of `normalize`, in the order in which one makes work for the next. */
import type { NormalizeOptions } from '../../../schemas/types.ts';
import { patternsOf } from '../text/patterns.ts';
import { repairMojibake } from './mojibake.ts';

type Step = (text: string) => string;

/** Half a surrogate pair, which UTF-8 cannot hold: what stands there was lost, too. */
const wellFormed: Step = text => (text.isWellFormed() ? text : text.toWellFormed());

const CONTROL = /[\0-\x08\x0E-\x1F\x7F-\x84\x86-\x9F\uFDD0-\uFDEF\uFFF9-\uFFFC\uFFFE\uFFFF]/g;
/** Byte order marks, soft hyphens, word joiners, marks of direction. */
const INVISIBLE = /[\u00AD\u180E\u200E\u200F\u202A-\u202E\u2060-\u2064\u2066-\u206F\uFEFF]/g;
/**
 * Joiners (U+200C, U+200D) shape letters in Arabic and Indic scripts and join emoji to one: they go only where no letter that
 * is joined, no emoji and no variation selector stands before them.
 */
const STRAY_JOINER =
  /(?<![\u0600-\u06FF\u0710-\u07FF\u0860-\u08FF\u0900-\u0DFF\u0F00-\u109F\u1780-\u18AF\uFB50-\uFDFF\uFE70-\uFEFC]|[\uFE00-\uFE0F]|\p{Extended_Pictographic}|\p{Emoji_Modifier}|[\u200C\u200D])[\u200C\u200D]+/gu;
/** Between words of scripts that write none, a space without width says where one may break the line. */
const STRAY_SPACE = /(?<![\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF])\u200B+/g;
/** Characters that spell a flag's region after it. */
const STRAY_TAG = /(?<![\u{1F3F4}\u{E0020}-\u{E007E}])[\u{E0001}\u{E0020}-\u{E007F}]+/gu;
const UNSEEN = /[\u00AD\u180E\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uDB40]/;

const invisible: Step = text =>
  UNSEEN.test(text)
    ? text.replace(INVISIBLE, '').replace(STRAY_SPACE, '').replace(STRAY_JOINER, '').replace(STRAY_TAG, '')
    : text;

const BREAKS = /\r\n?|[\x0B\x0C\x85\u2028\u2029]/g;
const SPACES = /[\u00A0\u1680\u2000-\u200A\u202F\u205F]/g;
const IDEOGRAPHIC_SPACE = /\u3000/g;

const STRAIGHT: readonly (readonly [RegExp, string])[] = [
  [/[\u2018\u2019\u201A\u201B\u2032\u2035\u02BC\uFF07]/g, "'"],
  [/[\u201C\u201D\u201E\u201F\u2033\u2036\u301D-\u301F\uFF02]/g, '"'],
  [/[\u2039\u203A]/g, "'"],
  [/[\u00AB\u00BB]/g, '"'],
];
const DASHES = /[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]/g;

const swap = (text: string, pairs: readonly (readonly [RegExp, string])[]): string =>
  pairs.reduce((t, [pattern, to]) => t.replace(pattern, to), text);

/** Full-width letters, digits and (with `all`) marks to ASCII; half-width kana and Hangul to their usual width. */
const width =
  (marks: boolean): Step =>
  text =>
    text
      .replace(marks ? /[\uFF01-\uFF5E]/g : /[\uFF10-\uFF19\uFF21-\uFF3A\uFF41-\uFF5A]/g, c =>
        String.fromCharCode(c.charCodeAt(0) - 0xfee0),
      )
      // Voicing marks stand behind their kana: together they are one.
      .replace(/[\uFF66-\uFFDC]+/g, half => half.normalize('NFKC'));

/** Lines that were broken to fit a page: joined where no paragraph, list item, quote, heading or code begins. */
const WRAP =
  /(?<=[^\s\n])[ \t]*\n(?![ \t]*\n|[ \t]{2,}|\t|[ ]?(?:[-*+•>|#]|\d{1,3}[.)][ \t]|```|~~~))[ \t]*(?=[^\s\n])/g;
const SPACELESS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303F\uFF00-\uFFEF]/u;
/** "exam-" and "ple": a letter before the hyphen, a small one after the break. */
const HYPHENATED = /(?<=\p{L})[-\u2010\u00AD]\n(?=\p{Ll})/gu;

const unwrap: Step = text =>
  text.replace(HYPHENATED, '').replace(WRAP, (gap, at: number, all: string) => {
    const spaceless = SPACELESS.test(all[at - 1]!) && SPACELESS.test(all[at + gap.length]!);
    return spaceless ? '' : ' ';
  });

/** Steps that only touch characters beyond ASCII are passed over where there are none. */
const beyondAscii =
  (step: Step): Step =>
  text =>
    /[^\0-\x7F]/.test(text) ? step(text) : text;

const blankLines = (most: number): Step => {
  const more = new RegExp(`\\n{${most + 2},}`, 'g');
  const few = '\n'.repeat(most + 1);
  return text => (text.includes('\n') ? text.replace(more, few) : text);
};

/** What the options make of one text. */
export const normalizer = (o: NormalizeOptions): Step => {
  const steps: Step[] = [];
  const step = (on: boolean, one: Step) => {
    if (on) steps.push(one);
  };
  step(true, wellFormed);
  // Before anything that would change a byte of what is to be read anew.
  step(o.mojibake, repairMojibake);
  step(o.line_breaks === 'lf', text => text.replace(BREAKS, '\n'));
  step(o.control, text => text.replace(CONTROL, ''));
  step(o.invisible, invisible);
  step(
    o.spaces,
    beyondAscii(text => text.replace(SPACES, ' ')),
  );
  step(o.replacement === 'remove', text => text.replaceAll('\uFFFD', ''));
  if (o.unicode !== 'none') {
    const form = o.unicode;
    steps.push(beyondAscii(text => text.normalize(form)));
  }
  step(o.width !== 'keep', beyondAscii(width(o.width === 'all')));
  step(
    o.width === 'all' && o.spaces,
    beyondAscii(text => text.replace(IDEOGRAPHIC_SPACE, ' ')),
  );
  step(
    o.quotes === 'straight',
    beyondAscii(text => swap(text, STRAIGHT)),
  );
  step(
    o.dashes === 'hyphen',
    beyondAscii(text => text.replace(DASHES, '-')),
  );
  step(
    o.ellipsis === 'dots',
    beyondAscii(text => text.replaceAll('…', '...')),
  );
  for (const pattern of patternsOf('remove', o.remove, 'gu')) steps.push(text => text.replace(pattern, ''));
  step(o.unwrap, unwrap);
  step(o.trailing, text => text.replace(/[ \t]+$/gm, ''));
  if (o.blank_lines !== undefined) steps.push(blankLines(o.blank_lines));
  step(o.trim, text => text.trim());
  return text => steps.reduce((t, one) => one(t), text);
};
