/** Reads JSON: an array of objects, or objects one after the other, however they are laid out; memory stays at one of them. */
import type { Read } from '../../contract.ts';
import { record } from './jsonl.ts';
import { excerpt, MAX_RECORD } from './records.ts';
import { decodeUtf8 } from './utf8.ts';

const [LF, SPACE, QUOTE, COMMA, BACKSLASH] = [10, 32, 34, 44, 92];
const [OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [91, 93, 123, 125];
const HEAD = 1024;

/** One `Read` for each object, `line` being where it begins. */
export async function* json(blocks: AsyncIterable<Buffer>): AsyncGenerator<Read[]> {
  let line = 1;
  /** Brackets open; those of the array around everything count. */
  let depth = 0;
  let isList = false;
  let begun = false;
  let inText = false;
  let escaped = false;
  /** The value in hand: where it began, and what earlier blocks hold of it. */
  let value: { line: number; held: Buffer[]; size: number } | null = null;

  const finish = (last: Buffer): Read => {
    const { line: at, held, size } = value!;
    value = null;
    const bytes = Buffer.concat([...held, last]);
    if (size + last.length > MAX_RECORD) {
      const text = excerpt(bytes.toString('utf8', 0, HEAD));
      return { line: at, reason: `record longer than ${MAX_RECORD / 2 ** 20} MB`, text };
    }
    const decoded = decodeUtf8(bytes);
    return 'reason' in decoded
      ? { line: at, reason: decoded.reason, text: excerpt(bytes.toString('utf8')) }
      : record(decoded.text, at);
  };

  for await (const block of blocks) {
    const out: Read[] = [];
    /** Where the value in hand begins in this block. */
    let from = 0;
    let i = 0;
    if (!begun && block[0] === 0xef && block[1] === 0xbb && block[2] === 0xbf) i = 3;
    for (; i < block.length; i++) {
      const byte = block[i]!;
      if (byte === LF) line++;
      if (inText) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inText = false;
        continue;
      }
      const isOuter = depth === (isList ? 1 : 0);
      if (isOuter && (byte <= SPACE || byte === COMMA || (isList && byte === CLOSE_LIST))) {
        // The end of a number or the like; objects end at their bracket.
        if (value) out.push(finish(block.subarray(from, i)));
        if (byte === CLOSE_LIST) {
          isList = false;
          depth = 0;
        }
        continue;
      }
      if (!begun) {
        begun = true;
        if (byte === OPEN_LIST) {
          isList = true;
          depth = 1;
          continue;
        }
      }
      if (!value) {
        value = { line, held: [], size: 0 };
        from = i;
      }
      if (byte === QUOTE) inText = true;
      else if (byte === OPEN || byte === OPEN_LIST) depth++;
      else if (byte === CLOSE || byte === CLOSE_LIST) {
        depth = Math.max(depth - 1, isList ? 1 : 0);
        if (depth === (isList ? 1 : 0)) out.push(finish(block.subarray(from, i + 1)));
      }
    }
    if (value) {
      const rest = block.subarray(from);
      // Of what is too long its beginning is enough to be shown.
      if (value.size <= MAX_RECORD) value.held.push(Buffer.from(rest));
      value.size += rest.length;
    }
    yield out;
  }
  if (value && !isList && depth === 0 && !inText) yield [finish(Buffer.alloc(0))];
  else if (value) yield [{ line: value.line, reason: 'the file ends inside this record' }];
  else if (isList) yield [{ line, reason: 'the file ends before its array does' }];
}
