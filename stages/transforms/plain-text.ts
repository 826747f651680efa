/** Transform `plain-text`: Markdown and HTML marks off, prose left; blocks stay apart by a blank line. */
import type { PlainTextOptions } from '../../schemas/types.ts';
import type { RowsStage } from '../contract.ts';
import { blocks } from './markdown/blocks.ts';
import { BREAK, HOLE, inline } from './markdown/inline.ts';
import { type Decode, decoder } from './markdown/tags.ts';

export type Options = PlainTextOptions;

const LETTER = /[\p{L}\p{N}]/u;
const CJK = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\u3000-\\u303F\\uFF00-\\uFFEF';
const HAS_CJK = new RegExp(`[${CJK}]`, 'u');
const CJK_WRAP = new RegExp(`(?<=[${CJK}])[ \\t]*\\n[ \\t]*(?=[${CJK}])`, 'gu');

/** The prose of `text`, '' if there is none. */
export const plainText = (text: string, options: Options, decode: Decode): string => {
  const { blocks: found, references } = blocks(text, options);
  const out: string[] = [];
  for (const { kind, text } of found) {
    if (kind === 'code' || kind === 'table') {
      if (kind === 'code' ? !options.code : !options.tables) out.push(text);
      continue;
    }
    if (kind === 'heading' && options.headings === 'drop') continue;
    const stripped = inline(text, options, references, decode);
    for (const part of stripped.includes(BREAK) ? stripped.split(BREAK) : [stripped]) {
      const prose = tidy(options.whitespace ? fold(part) : part);
      if (prose === '' || (options.symbols && !LETTER.test(prose))) continue;
      out.push(kind === 'heading' && options.headings === 'keep' ? `# ${prose}` : prose);
    }
  }
  return out.join('\n\n');
};

/** Closes the gaps that removed links, paths and images leave: "(see )", "in ." and doubled spaces. */
const tidy = (text: string): string => {
  if (!text.includes(HOLE)) return text;
  return text
    .replace(/\uFDD0(?:[ \t]*\uFDD0)+/g, HOLE)
    .replace(/ ?[([][\s,;:\uFDD0]*\uFDD0[\s,;:]*[)\]]/g, '')
    .replace(/ ?\uFDD0(?= ?(?:[.,;:!?…)\]。，、；：！？）]|$)) ?/g, '')
    .replace(/^ ?\uFDD0 ?/, '')
    .replace(/ ?\uFDD0 ?/g, ' ');
};

const INVISIBLE = /[\u200B\u2060\uFEFF\u00AD]/g;
/** White space that is not just one space: most of a text's is, and need not be written again. */
const WIDE_SPACE = /\s{2,}|[^\S ]/g;

/** One line, single spaces; a line break between two CJK characters is no space. */
const fold = (text: string): string => {
  const joined = text.includes('\n') && HAS_CJK.test(text) ? text.replace(CJK_WRAP, '') : text;
  return joined.replace(INVISIBLE, '').replace(WIDE_SPACE, ' ').trim();
};

export default {
  kind: 'rows',
  setup: decoder,
  map(row, emit, decode, options) {
    const text = row.fields[options.field];
    if (typeof text !== 'string') return emit.reject(row, `field "${options.field}" is not a text`);
    const prose = plainText(text, options, decode);
    if (prose === '') return emit.drop(row, 'no text is left');
    emit.keep(row, { ...row.fields, [options.field]: prose });
  },
} satisfies RowsStage<Options, Decode>;
