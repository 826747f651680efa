/** Reads JSON Lines: one object a line; what is none is refused line by line. */
import { isAscii, isUtf8 } from 'node:buffer';
import type { Fields, Read, ReadPart } from '../../contract.ts';
import { eachLine, type Lines, wholeLines } from './lines.ts';
import { excerpt, tooLong } from './records.ts';
import { decodeUtf8 } from './utf8.ts';

/** Reads of the lines that it is given, block after block: one for each, null for a blank one. */
export const jsonlReader = (): ((lines: Lines) => Read[]) => {
  let line = 0;
  return lines => {
    if ('head' in lines) return [{ line: ++line, reason: tooLong, text: excerpt(lines.head.toString('latin1')) }];
    const out: Read[] = [];
    const { bytes } = lines;
    // Bytes are the characters of ASCII text: it is decoded at once and cut, which saves a call a line.
    const text = isAscii(bytes) ? bytes.toString('latin1') : null;
    const valid = text !== null || isUtf8(bytes);
    eachLine(bytes, (start, end) => {
      line++;
      if (text !== null) out.push(record(text.slice(start, end), line));
      else if (valid || isUtf8(bytes.subarray(start, end))) out.push(record(bytes.toString('utf8', start, end), line));
      else {
        const own = bytes.subarray(start, end);
        const { reason } = decodeUtf8(own) as { reason: string };
        out.push({ line, reason, text: excerpt(own.toString('utf8')) });
      }
    });
    return out;
  };
};

export function* jsonl(part: ReadPart): Generator<Read[]> {
  const read = jsonlReader();
  for (const lines of wholeLines(part)) yield read(lines);
}

/** What one object's JSON gives. */
export const record = (text: string, line: number): Read => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (text.trim() === '') return null;
    // V8 quotes the line in its message; the row carries it as `text` already.
    const why = (error as Error).message.replace(/,? (?:\.\.\.)?".*$/s, '').replace(/ in JSON/, '');
    return { line, reason: `no JSON: ${why}`, text: excerpt(text) };
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    const kind = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
    return { line, reason: `${kind} where an object is expected`, text: excerpt(text) };
  }
  if (tooDeep(text, value)) return { line, reason: `nested deeper than ${DEEPEST} levels`, text: excerpt(text) };
  return { line, fields: value as Fields };
};

/** Of what is nested in a record; who works on it may call itself for each level. */
const DEEPEST = 500;

const tooDeep = (text: string, value: unknown): boolean => {
  // Nearly always too few brackets for it.
  if (text.split('[', DEEPEST).length + text.split('{', DEEPEST).length < DEEPEST) return false;
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return true;
    level = level.flatMap(v => (typeof v === 'object' && v !== null ? Object.values(v) : []));
  }
  return false;
};
