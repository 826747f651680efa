/** Reads CSV (RFC 4180: quotes, doubled quotes, line breaks inside them) with a header row, as a stream. */
import { type Read, StageError } from '../../contract.ts';
import { eachLine, type Lines } from './lines.ts';
import { excerpt, MAX_RECORD, noColumn, tooLong } from './records.ts';
import { decodeUtf8 } from './utf8.ts';

export type Delimiter = 'auto' | ',' | ';' | 'tab';

/** Cells of one record, fed line by line until the quotes are closed. */
const record = (delimiter: string) => {
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  const feed = (line: string): boolean => {
    let i = 0;
    if (quoted) cell += '\n';
    for (;;) {
      if (quoted) {
        const end = line.indexOf('"', i);
        if (end < 0) {
          cell += line.slice(i);
          return false;
        }
        cell += line.slice(i, end);
        i = end + 1;
        if (line[i] === '"') {
          cell += '"';
          i++;
        } else quoted = false;
        continue;
      }
      if (cell === '' && line[i] === '"' && (i === 0 || line[i - 1] === delimiter)) {
        quoted = true;
        i++;
        continue;
      }
      const end = line.indexOf(delimiter, i);
      cells.push(cell + line.slice(i, end < 0 ? line.length : end));
      cell = '';
      if (end < 0) return true;
      i = end + 1;
    }
  };
  return { cells, feed };
};

/** The delimiter that occurs most often outside quotes in the header line; a comma if none does. */
const guess = (header: string): string => {
  const bare = header.replace(/"[^"]*"/g, '');
  const count = (d: string) => bare.split(d).length;
  return [',', ';', '\t'].reduce((best, d) => (count(d) > count(best) ? d : best));
};

interface Asked {
  /** The file's name, for mistakes. */
  readonly name: string;
  readonly delimiter: Delimiter;
  /** Of these columns only; all without it. */
  readonly columns: readonly string[] | undefined;
}

/** Rows with the header's names as fields; every value is text. `end` is called after the last block of lines. */
export const csvReader = ({ name, delimiter, columns: only }: Asked): { read(lines: Lines): Read[]; end(): Read[] } => {
  let number = 0;
  let header: string[] | null = null;
  let separator = delimiter === 'tab' ? '\t' : delimiter;
  let open: { start: number; text: string; bytes: number; record: ReturnType<typeof record> } | null = null;

  const read = (lines: Lines): Read[] => {
    const out: Read[] = [];
    for (const bytes of 'head' in lines ? [lines.head] : cut(lines.bytes)) {
      number++;
      const decoded = 'head' in lines ? { reason: tooLong } : decodeUtf8(bytes);
      if ('reason' in decoded) {
        if (header === null) throw badHeader(name, number, decoded.reason);
        out.push({ line: number, reason: decoded.reason, text: excerpt(bytes.toString('utf8')) });
        open = null;
        continue;
      }
      const text = decoded.text;
      if (open === null && text.trim() === '') continue;
      if (header === null && open === null && separator === 'auto') separator = guess(text);
      open ??= { start: number, text: '', bytes: 0, record: record(separator) };
      if (open.text.length < 200) open.text += (open.text ? '\n' : '') + text;
      open.bytes += bytes.length + 1;
      if (!open.record.feed(text)) {
        if (open.bytes > MAX_RECORD) {
          out.push({ line: open.start, reason: 'a quote is opened and not closed', text: excerpt(open.text) });
          open = null;
        }
        continue;
      }
      const { cells } = open.record;
      if (header === null) {
        header = columns(cells, name, open.start);
        const names = header;
        const lost = only?.filter(c => !names.includes(c)) ?? [];
        if (lost.length > 0) throw noColumn(name, lost, names);
      } else if (cells.length !== header.length) {
        const reason = `${cells.length} cells where the header has ${header.length}`;
        out.push({ line: open.start, reason, text: excerpt(open.text) });
      } else {
        const pairs = header.map((column, i) => [column, cells[i]!] as const);
        const fields = Object.fromEntries(only ? pairs.filter(([column]) => only.includes(column)) : pairs);
        out.push({ line: open.start, fields });
      }
      open = null;
    }
    return out;
  };

  const end = (): Read[] => {
    if (!open) return [];
    if (header === null) throw badHeader(name, open.start, 'a quote is opened and not closed');
    const reason = 'a quote is opened and not closed before the end of the file';
    return [{ line: open.start, reason, text: excerpt(open.text) }];
  };
  return { read, end };
};

const cut = (bytes: Buffer): Buffer[] => {
  const lines: Buffer[] = [];
  eachLine(bytes, (start, end) => lines.push(bytes.subarray(start, end)));
  return lines;
};

const badHeader = (path: string, line: number, why: string): StageError =>
  new StageError('bad-header', `the header row cannot be used: ${why}`, {
    place: { path, line },
    advice: 'The first line of a CSV file names its columns, each once.',
  });

const columns = (cells: readonly string[], path: string, line: number): string[] => {
  const names = cells.map(cell => cell.trim());
  const empty = names.indexOf('');
  if (empty >= 0) throw badHeader(path, line, `column ${empty + 1} has no name`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw badHeader(path, line, `column "${twice}" occurs twice`);
  return names;
};
