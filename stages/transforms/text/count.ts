/** Lengths of a text as people count them. */

export interface Counts {
  /** Code points, not UTF-16 units. */
  readonly characters: number;
  /** Parts between white space. */
  readonly words: number;
}

/** What `\s` matches, which Unicode no longer changes. */
const isSpace = (unit: number): boolean =>
  unit <= 0x20
    ? unit === 0x20 || (unit >= 9 && unit <= 13)
    : unit >= 0xa0 &&
      (unit === 0xa0 ||
        unit === 0x1680 ||
        (unit >= 0x2000 && unit <= 0x200a) ||
        unit === 0x2028 ||
        unit === 0x2029 ||
        unit === 0x202f ||
        unit === 0x205f ||
        unit === 0x3000 ||
        unit === 0xfeff);

export const count = (text: string): Counts => {
  const { length } = text;
  let characters = length;
  let words = 0;
  let between = true;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (isSpace(unit)) between = true;
    else if (between) {
      words++;
      between = false;
    }
    // The first half of a pair; a half that stands alone is no character, and JSON's texts hold none.
    if ((unit & 0xfc00) === 0xd800) characters--;
  }
  return { characters, words };
};
