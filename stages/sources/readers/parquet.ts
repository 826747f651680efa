/** Reads Parquet: row groups one after the other, their columns page by page. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Fields, InputFile, Read, ReadPart } from '../../contract.ts';
import { NoJson } from './json-values.ts';
import { Column } from './parquet/column.ts';
import { decodeFooter, type Footer, type RowGroup, type SchemaTree } from './parquet/footer.ts';
import { assemble } from './parquet/pages.ts';
import { type ToJson, toJson } from './parquet/to-json.ts';
import { noColumn } from './records.ts';

/** Neighbouring row groups are read together up to so many bytes: a part costs a look at the footer. */
const PART = 16 * 2 ** 20;
/** Rows that are decoded at once: about so many bytes of them. */
const BATCH = 4 * 2 ** 20;
const MAX_BATCH = 512;
const MAX_FOOTER = 512 * 2 ** 20;

/** A file that is no Parquet, or of a kind that is not read. */
class Damage extends Error {}

/** Errors of the disk are not the file's. */
const isSystem = (error: unknown): boolean => typeof (error as { syscall?: unknown }).syscall === 'string';

/** Without what only the decoder's own code is about. */
const why = (error: unknown): string =>
  error instanceof TypeError || error instanceof RangeError
    ? 'it is damaged'
    : (error as Error).message.replace(/^parquet /, '').replace(/\.$/, '');

/** The last one: parts of one file are read one after the other. */
let last: { readonly digest: string; readonly footer: Footer } | null = null;

const footerOf = (fd: number, { digest, size }: InputFile): Footer => {
  if (last?.digest === digest) return last.footer;
  const tail = Buffer.alloc(8);
  const read = (into: Uint8Array, at: number): void => {
    for (let have = 0; have < into.length; ) {
      const n = readSync(fd, into, have, into.length - have, at + have);
      if (n === 0) throw new Damage('the file is shorter than it was');
      have += n;
    }
  };
  if (size < 12) throw new Damage('too short to be Parquet');
  read(tail, size - 8);
  const magic = tail.toString('latin1', 4);
  if (magic === 'PARE') throw new Damage('its footer is encrypted');
  if (magic !== 'PAR1') throw new Damage('no Parquet, or cut off: it does not end as Parquet does');
  const length = tail.readUInt32LE(0) + 8;
  if (length > size - 4 || length > MAX_FOOTER) throw new Damage('damaged: its footer cannot be as long as it says');
  const bytes = new Uint8Array(length);
  read(bytes, size - length);
  let footer: Footer;
  try {
    footer = decodeFooter(bytes);
  } catch (error) {
    const known = error instanceof TypeError || error instanceof RangeError ? '' : ` (${why(error)})`;
    throw new Damage(`damaged: its footer makes no sense${known}`);
  }
  last = { digest, footer };
  return footer;
};

const open = <T>(file: InputFile, use: (fd: number, footer: Footer) => T): T => {
  const fd = openSync(file.path, 'r');
  try {
    return use(fd, footerOf(fd, file));
  } finally {
    closeSync(fd);
  }
};

/**
 * Stretches of the file that are read alone: whole row groups. `of` says what else their rows depend on. Null where it
 * cannot be cut, and is read as one; why, reading it will say.
 */
export const parquetParts = (file: InputFile): { start: number; end: number; of: string }[] | null => {
  try {
    return open(file, (_, { schema, groups }) => {
      const parts: { start: number; end: number; of: string }[] = [];
      const meaning = JSON.stringify(schema, (_, value) => (typeof value === 'bigint' ? String(value) : value));
      for (const [i, group] of groups.entries()) {
        const before = groups[i - 1];
        if (before && group.start < before.end) return null;
        const part = parts.at(-1);
        if (part && group.end - part.start <= PART) part.end = group.end;
        else parts.push({ start: i === 0 ? 0 : group.start, end: group.end, of: `${group.first} ${meaning}` });
      }
      return parts.length > 1 ? parts : null;
    });
  } catch (error) {
    if (error instanceof Damage) return null;
    throw error;
  }
};

interface Top {
  readonly name: string;
  readonly plain: SchemaTree;
  readonly json: ToJson;
}

/** A row for each row, `line` being its number. What cannot be read is refused by row, by row group or by file. */
export function* parquet(part: ReadPart, columns?: readonly string[]): Generator<Read[]> {
  const fd = openSync(part.file.path, 'r');
  try {
    let footer: Footer;
    try {
      footer = footerOf(fd, part.file);
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      yield [{ reason: error.message }];
      return;
    }
    const names = footer.schema.children.map(c => c.element.name);
    const lost = columns?.filter(c => !names.includes(c)) ?? [];
    if (lost.length > 0) throw noColumn(part.file.name, lost, names);
    const chosen = columns ? names.filter(n => columns.includes(n)) : names;
    for (const group of footer.groups)
      if (group.start >= part.start && group.start < part.end && group.rows > 0)
        yield* rowsOf({ fd, footer, group, names: chosen });
  } finally {
    closeSync(fd);
  }
}

interface InGroup {
  readonly fd: number;
  readonly footer: Footer;
  readonly group: RowGroup;
  readonly names: readonly string[];
}

function* rowsOf({ fd, footer, group, names }: InGroup): Generator<Read[]> {
  let at = 0;
  let column = '';
  try {
    const tops = names.map((name): Top & { leaves: [string, Column][] } => {
      column = name;
      const of = (tree: SchemaTree) => tree.children.find(c => c.element.name === name)!;
      const chunks = group.columns.filter(c => c.meta_data?.path_in_schema[0] === name);
      if (chunks.length === 0) throw new Error('it is missing in this row group');
      const leaves = chunks.map((chunk): [string, Column] => [
        chunk.meta_data!.path_in_schema.join('.'),
        new Column(fd, footer.plain, chunk),
      ]);
      return { name, plain: of(footer.plain), json: toJson(of(footer.schema)), leaves };
    });
    const bytes = group.columns
      .filter(c => names.includes(c.meta_data?.path_in_schema[0] ?? ''))
      .reduce((n, c) => n + Number(c.meta_data!.total_uncompressed_size), 0);
    const batch = Math.max(1, Math.min(MAX_BATCH, Math.floor((BATCH * group.rows) / (bytes + 1))));
    while (at < group.rows) {
      const n = Math.min(batch, group.rows - at);
      const values = tops.map(({ name, plain, leaves }) => {
        column = name;
        const taken = leaves.map(([path, leaf]): [string, unknown[]] => [path, leaf.take(n)]);
        const all = plain.children.length > 0 ? assemble(plain, new Map(taken)) : taken[0]![1];
        if (all.length !== n) throw new Error(`${all.length} values where there are ${n} rows`);
        return all;
      });
      const reads: Read[] = [];
      for (let i = 0; i < n; i++) {
        const line = group.first + at + i + 1;
        reads.push(rowOf(tops, values, i, line));
      }
      at += n;
      yield reads;
    }
  } catch (error) {
    if (isSystem(error)) throw error;
    const [from, to] = [group.first + at + 1, group.first + group.rows];
    const rows = from === to ? `row ${from}` : `rows ${from} to ${to}`;
    yield [{ line: from, reason: `${rows} cannot be read: column "${column}": ${why(error)}` }];
  }
}

const rowOf = (tops: readonly Top[], values: readonly (readonly unknown[])[], i: number, line: number): Read => {
  const fields: Record<string, Fields[string]> = {};
  let column = '';
  try {
    for (const [k, top] of tops.entries()) {
      column = top.name;
      fields[top.name] = top.json(values[k]![i]);
    }
    return { fields, line };
  } catch (error) {
    if (!(error instanceof NoJson)) throw error;
    return { line, reason: `column "${column}" holds ${error.message}` };
  }
};
