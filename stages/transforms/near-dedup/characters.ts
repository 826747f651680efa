/**
 * What near-dedup sees in a text: which UTF-16 units are parts of words, and their small letters. The table is our own and
 * not the Unicode of the running Node, so that a sketch stays the same for ever. Text is in NFKC before it is looked up.
 */

/** Not part of a word. */
export const SEPARATOR = 0;
/** Flag of a character that is a word of its own: its script puts no spaces between words. */
export const ALONE = 0x10000;
/** Seen through: soft hyphen, joiners, variation selectors. */
export const IGNORED = 0x20000;

type Range = readonly [first: number, last: number];

/** Punctuation and symbols from U+0080 on; every other unit is a letter. */
const SEPARATORS: readonly Range[] = [
  [0x80, 0xbf],
  [0xd7, 0xd7],
  [0xf7, 0xf7],
  [0x2c2, 0x2c5],
  [0x2d2, 0x2df],
  [0x37e, 0x37e],
  [0x387, 0x387],
  [0x55a, 0x55f],
  [0x589, 0x58f],
  [0x5be, 0x5be],
  [0x5c0, 0x5c0],
  [0x5c3, 0x5c3],
  [0x5f3, 0x5f4],
  [0x606, 0x60f],
  [0x61b, 0x61f],
  [0x66a, 0x66d],
  [0x6d4, 0x6d4],
  [0x700, 0x70d],
  [0x964, 0x965],
  [0x970, 0x970],
  [0xe3f, 0xe3f],
  [0xe4f, 0xe4f],
  [0xe5a, 0xe5b],
  [0xf04, 0xf14],
  [0xf3a, 0xf3d],
  [0x104a, 0x104f],
  [0x10fb, 0x10fb],
  [0x1360, 0x1368],
  [0x1680, 0x1680],
  [0x17d4, 0x17d6],
  [0x17d8, 0x17db],
  [0x1800, 0x180a],
  [0x2000, 0x206f],
  [0x20a0, 0x20cf],
  [0x2190, 0x2bff],
  [0x2e00, 0x2e7f],
  [0x3000, 0x3004],
  [0x3008, 0x3020],
  [0x3030, 0x3030],
  [0x303d, 0x303f],
  [0x30a0, 0x30a0],
  [0x30fb, 0x30fb],
  [0xe000, 0xf8ff],
  [0xfd3e, 0xfd3f],
  [0xfe10, 0xfe6f],
  [0xff00, 0xff0f],
  [0xff1a, 0xff20],
  [0xff3b, 0xff40],
  [0xff5b, 0xff65],
  [0xffe0, 0xffff],
];

const IGNORABLE: readonly Range[] = [
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x200b, 0x200f],
  [0x2060, 0x2064],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
];

/** Thai and Lao, Myanmar, Khmer, Han, kana, bopomofo, Yi. */
const SPACELESS: readonly Range[] = [
  [0xe00, 0xeff],
  [0x1000, 0x109f],
  [0x1780, 0x17ff],
  [0x2e80, 0x2fdf],
  [0x3005, 0x3007],
  [0x3021, 0x312f],
  [0x31a0, 0x31ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xf900, 0xfaff],
];

/** Capitals of Latin, Greek, Cyrillic, Armenian, Georgian: a range, what makes the small letter, and every how many. */
const CAPITALS: readonly (readonly [first: number, last: number, add: number, step: number])[] = [
  [0x41, 0x5a, 32, 1],
  [0xc0, 0xd6, 32, 1],
  [0xd8, 0xde, 32, 1],
  [0x100, 0x12e, 1, 2],
  [0x130, 0x130, -199, 1],
  [0x132, 0x136, 1, 2],
  [0x139, 0x147, 1, 2],
  [0x14a, 0x176, 1, 2],
  [0x178, 0x178, -121, 1],
  [0x179, 0x17d, 1, 2],
  [0x1cd, 0x1db, 1, 2],
  [0x1de, 0x1ee, 1, 2],
  [0x1f8, 0x21e, 1, 2],
  [0x222, 0x232, 1, 2],
  [0x386, 0x386, 38, 1],
  [0x388, 0x38a, 37, 1],
  [0x38c, 0x38c, 64, 1],
  [0x38e, 0x38f, 63, 1],
  [0x391, 0x3a1, 32, 1],
  [0x3a3, 0x3ab, 32, 1],
  // Sigma at the end of a word.
  [0x3c2, 0x3c2, 1, 1],
  [0x400, 0x40f, 80, 1],
  [0x410, 0x42f, 32, 1],
  [0x460, 0x480, 1, 2],
  [0x48a, 0x4be, 1, 2],
  [0x4c0, 0x4c0, 15, 1],
  [0x4c1, 0x4cd, 1, 2],
  [0x4d0, 0x52e, 1, 2],
  [0x531, 0x556, 48, 1],
  [0x1c90, 0x1cba, -3008, 1],
  [0x1e00, 0x1e94, 1, 2],
  [0x1e9e, 0x1e9e, -7615, 1],
  [0x1ea0, 0x1efe, 1, 2],
];

const table = (): Uint32Array => {
  const all = Uint32Array.from({ length: 0x10000 }, (_, unit) => unit);
  for (let unit = 0; unit < 0x80; unit++) if (!/[0-9A-Za-z]/.test(String.fromCharCode(unit))) all[unit] = SEPARATOR;
  for (const [first, last] of SPACELESS) for (let unit = first; unit <= last; unit++) all[unit] = unit | ALONE;
  for (const [first, last] of SEPARATORS) all.fill(SEPARATOR, first, last + 1);
  for (const [first, last] of IGNORABLE) all.fill(IGNORED, first, last + 1);
  for (const [first, last, add, step] of CAPITALS) {
    for (let unit = first; unit <= last; unit += step) all[unit] = unit + add;
  }
  return all;
};

/** By UTF-16 unit: `SEPARATOR`, `IGNORED`, the unit of its small letter, or that with `ALONE`. */
export const SEEN_AS: Uint32Array = table();

/** The same for a pair of surrogates: of a letter, its first unit. */
export const seenBeyond = (high: number, low: number): number => {
  const point = 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
  if (point >= 0x1f000 && point < 0x20000) return SEPARATOR;
  if (point >= 0xe0000) return IGNORED;
  return point >= 0x20000 ? high | ALONE : high;
};
