/** Breaks lines at the width of a terminal. */
import { charWidth, width } from './printable.ts';

const COLOURS = /\x1b\[[0-9;]*m/g;

/** Columns that a line must have at least: on fewer nothing can be read. */
const LEAST = 20;

/** The line on several, each as far in as the first; colours take no room, and words are kept whole where they fit. */
export const wrap = (line: string, columns: number): string[] => {
  const indent = /^ */.exec(line)![0];
  const room = Math.max(LEAST, columns);
  if (width(line.replace(COLOURS, '')) <= room) return [line];
  const out: string[] = [];
  let current = indent;
  let used = indent.length;
  /** Where the line may be broken: behind its last space. */
  let space = -1;
  for (let i = indent.length; i < line.length; ) {
    const colour = line[i] === '\x1b' ? line.slice(i).match(COLOURS)?.[0] : undefined;
    if (colour) {
      current += colour;
      i += colour.length;
      continue;
    }
    const char = String.fromCodePoint(line.codePointAt(i)!);
    if (used + charWidth(char) > room && used > indent.length) {
      const kept = space === -1 ? '' : current.slice(space);
      out.push((space === -1 ? current : current.slice(0, space)).trimEnd());
      current = indent + kept;
      used = indent.length + width(kept.replace(COLOURS, ''));
      space = -1;
    }
    current += char;
    used += charWidth(char);
    i += char.length;
    if (char === ' ') space = current.length;
  }
  return [...out, current];
};
