/** A text of which some is marked, as people read it: marked stretches whole, of the others the ends. */
import { counted, thousands } from './numbers.ts';
import { type Palette, plainPalette } from './palette.ts';
import { visible } from './printable.ts';

export interface Stretch {
  readonly text: string;
  readonly marked: boolean;
}

/** Characters of an unmarked stretch that is shown whole, and of the ends of a longer one. */
const WHOLE = 700;
const END = 240;

// They stand for colours that begin and end; no text has them, for they are made visible in it.
const ON = '\0';
const OFF = '\x01';

/** "116 tokens, 18 trained" where the fields say so, then the text; without colours ⟦what is marked⟧ stands in brackets. */
export const stretchLines = (
  fields: Readonly<Record<string, unknown>>,
  stretches: readonly Stretch[],
  palette: Palette,
): string[] => {
  const colours = palette !== plainPalette;
  const text = stretches
    .map(({ text, marked }, i) => {
      const safe = text.replaceAll(ON, '␀').replaceAll(OFF, '␁');
      if (marked) return colours ? `${ON}${safe}${OFF}` : `⟦${safe}⟧`;
      return shortened(safe, i < stretches.length - 1);
    })
    .join('');
  let on = false;
  const styled = (line: string): string =>
    line
      .split(/([\0\x01])/)
      .map(part => {
        if (part === ON || part === OFF) {
          on = part === ON;
          return '';
        }
        return palette(on ? 'green' : 'dim', visible(part));
      })
      .join('');
  const lines = text.split(/\r\n|[\n\r]/).map(line => {
    const plain = line.replaceAll('\t', '  ');
    return colours ? styled(plain) : visible(plain);
  });
  return [...counts(fields), `  ${palette('cyan', 'text:')}`, ...lines.map(l => `    ${l}`.trimEnd())];
};

const counts = ({ input_ids: ids, trained }: Readonly<Record<string, unknown>>): string[] => {
  if (!Array.isArray(ids) || !isRanges(trained)) return [];
  const sum = trained.reduce((n, [a, b]) => n + b - a, 0);
  return [`  ${counted(ids.length, 'token')}, ${thousands(sum)} trained`];
};

const isRanges = (value: unknown): value is readonly (readonly [number, number])[] =>
  Array.isArray(value) && value.every(r => Array.isArray(r) && r.length === 2);

/** Its beginning, and its end where something follows; words are kept whole where there are any. */
const shortened = (text: string, follows: boolean): string => {
  const characters = [...text];
  if (characters.length <= WHOLE) return text;
  const head = characters
    .slice(0, END)
    .join('')
    .replace(/\s\S{0,30}$/, '');
  const tail = follows
    ? characters
        .slice(-END)
        .join('')
        .replace(/^\S{0,30}\s/, '')
    : '';
  const gone = characters.length - [...head].length - [...tail].length;
  return `${head} … (${thousands(gone)} characters) … ${tail}`;
};
