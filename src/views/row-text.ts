/** A row as people read it: fields one below the other, conversations as such, long texts cut, nothing that a terminal obeys. */
import { counted, thousands } from './numbers.ts';
import { type Palette, plainPalette } from './palette.ts';
import { visible, visibleLines, width } from './printable.ts';
import { type Stretch, stretchLines } from './stretch-text.ts';
import { wrap } from './wrap.ts';

export interface RowShown {
  readonly id: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The text in stretches, of which some are marked; takes the place of the field `text`, and of token ids. */
  readonly stretches?: readonly Stretch[] | null;
}

export interface RowStyle {
  readonly palette?: Palette;
  /** Width of a terminal; null where lines are not to be broken. */
  readonly columns?: number | null;
}

/** Characters of one text. */
const LONGEST = 600;
/** Columns of a value that stays on its line. */
const INLINE = 100;
const MOST_ITEMS = 10;
const MOST_NUMBERS = 8;

export const rowLines = (row: RowShown, { palette = plainPalette, columns = null }: RowStyle = {}): string[] => {
  const lines: string[] = [palette('bold', visible(row.id))];
  const { stretches } = row;
  const fields = Object.entries(row.fields).filter(([name]) => !stretches || !INSTEAD.has(name));
  if (stretches) lines.push(...stretchLines(row.fields, stretches, palette));
  for (const [name, value] of fields) lines.push(...field(name, value, '  ', palette));
  return columns === null ? lines : lines.flatMap(line => wrap(line, columns));
};

/** Fields that the stretches say better. */
const INSTEAD = new Set(['text', 'input_ids', 'trained']);

const field = (name: string, value: unknown, indent: string, palette: Palette): string[] => {
  const label = `${indent}${palette('cyan', `${visible(name)}:`)}`;
  const lines = valueLines(value, palette);
  if (lines.length === 1 && !isBlock(value)) return [`${label} ${lines[0]!}`.trimEnd()];
  return [label, ...lines.map(l => `${indent}  ${l}`.trimEnd())];
};

const isBlock = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && inline(value) === null && !isNumbers(value);

const isNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length > 0 && value.every(v => typeof v === 'number');

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isMessages = (value: unknown): value is readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) && value.length > 0 && value.every(m => isMap(m) && typeof m.role === 'string');

/** A value on one line, or null where it is too long for that. */
const inline = (value: unknown): string | null => {
  const text = visible(JSON.stringify(value));
  return width(text) <= INLINE ? text : null;
};

const valueLines = (value: unknown, palette: Palette): string[] => {
  if (typeof value === 'string') return textLines(value);
  if (isNumbers(value)) return [numbers(value)];
  if (isMessages(value)) return value.flatMap(m => messageLines(m, palette));
  const short = inline(value);
  if (short !== null) return [short];
  if (Array.isArray(value)) {
    const items = value.slice(0, MOST_ITEMS).flatMap(item => {
      const lines = valueLines(item, palette);
      return lines.map((l, i) => (i === 0 ? `- ${l}` : `  ${l}`));
    });
    const rest = value.length - MOST_ITEMS;
    return rest > 0 ? [...items, `… and ${counted(rest, 'more item')}`] : items;
  }
  return Object.entries(value as object).flatMap(([name, inner]) => field(name, inner, '', palette));
};

const numbers = (value: readonly number[]): string => {
  const short = `[${value.slice(0, MOST_NUMBERS).join(', ')}`;
  return value.length <= MOST_NUMBERS ? `${short}]` : `${short}, …] (${thousands(value.length)} numbers)`;
};

/** Lines of a text, at most so many characters of it. */
const textLines = (text: string, most = LONGEST): string[] => {
  const characters = text.length > most ? [...text] : null;
  if (!characters || characters.length <= most) return visibleLines(text);
  return visibleLines(`${characters.slice(0, most).join('')}… (${thousands(characters.length)} characters)`);
};

/** Who speaks, then what is said, indented; what else a message has below it. */
const messageLines = (message: Readonly<Record<string, unknown>>, palette: Palette): string[] => {
  const { role, content, ...more } = message;
  const text = Array.isArray(content)
    ? content.map(part => (isMap(part) && typeof part.text === 'string' ? part.text : JSON.stringify(part))).join('')
    : content;
  const said =
    typeof text === 'string' ? textLines(text) : text === undefined || text === null ? [] : valueLines(text, palette);
  const others = Object.entries(more).filter(([, v]) => v !== null && v !== undefined);
  return [
    palette('green', visible(String(role))),
    ...others.filter(([name]) => BEFORE.has(name)).flatMap(([name, v]) => field(name, v, '  ', palette)),
    ...said.map(l => `  ${l}`),
    ...others.filter(([name]) => !BEFORE.has(name)).flatMap(([name, v]) => field(name, v, '  ', palette)),
  ];
};

/** What a message says before its content. */
const BEFORE = new Set(['name', 'channel', 'thinking', 'analysis', 'reasoning_content', 'reasoning', 'thought']);
