/** Puts rows into a table: looked through for the types of its columns, written out as JSON Lines, and read by DuckDB. */
import { once } from 'node:events';
import { createWriteStream, rmSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Row, RowsInput } from '../contract.ts';
import { Columns, literal, quoted } from './columns.ts';
import type { Session } from './session.ts';

export interface Table {
  readonly name: string;
  readonly rows: RowsInput;
}

export interface Loaded {
  /** Whether `_id` and `_parent` are the rows' own names, and not fields of theirs. */
  readonly ids: boolean;
}

const IDS = ['_id', '_parent'];
/** Text that is written at once. */
const BLOCK = 1 << 20;
const LEAST_OBJECT = 1 << 20;

/** `folder` takes a file that is gone afterwards; `tick` is called now and then, and throws when the build is given up. */
export const loadTable = async (
  session: Session,
  { name, rows }: Table,
  folder: string,
  tick: () => Promise<void>,
): Promise<Loaded> => {
  const found = new Columns();
  for await (const { fields } of withTicks(rows, tick)) found.add(fields);
  const columns = found.table();
  const ids = !columns.some(c => IDS.includes(c.column.toLowerCase()));
  const path = join(folder, 'rows.jsonl');
  const longest = await write(path, rows, tick, row => {
    const out: unknown[] = columns.map(({ field }) => (Object.hasOwn(row.fields, field) ? row.fields[field] : null));
    return ids ? [...out, row.id, row.parent] : out;
  });
  const all = [...columns, ...(ids ? IDS.map(column => ({ column, type: 'VARCHAR' })) : [])];
  const types = all.map(({ type }, i) => `'c${i}': ${literal(type)}`).join(', ');
  const size = Math.max(LEAST_OBJECT, 2 * longest);
  const reader = `read_json(${literal(path)}, format = 'newline_delimited', columns = {${types}}, maximum_object_size = ${size})`;
  const chosen = all.map(({ column }, i) => `c${i} AS ${quoted(column)}`).join(', ');
  await session.run(`CREATE TABLE ${quoted(name)} AS SELECT ${chosen} FROM ${reader}`);
  rmSync(path);
  return { ids };
};

const withTicks = async function* (rows: RowsInput, tick: () => Promise<void>): AsyncGenerator<Row> {
  let n = 0;
  for await (const row of rows) {
    yield row;
    if (++n % 1000 === 0) await tick();
  }
};

/** Under names that are as good in SQL as in JSON. Returns the length of the longest line in bytes, or more. */
const write = async (
  path: string,
  rows: RowsInput,
  tick: () => Promise<void>,
  values: (row: Row) => readonly unknown[],
): Promise<number> => {
  const file = createWriteStream(path);
  let block = '';
  let longest = 0;
  try {
    for await (const row of withTicks(rows, tick)) {
      const line = encode(Object.fromEntries(values(row).map((v, i) => [`c${i}`, v])));
      longest = Math.max(longest, 3 * line.length);
      block += line;
      if (block.length < BLOCK) continue;
      if (!file.write(block)) await once(file, 'drain');
      block = '';
    }
    file.end(block);
    await finished(file);
  } finally {
    file.destroy();
  }
  return longest;
};

/** Half of a surrogate pair is no text anywhere but in JavaScript. */
const encode = (record: object): string => {
  const line = JSON.stringify(record);
  if (!line.includes('\\ud')) return `${line}\n`;
  return `${JSON.stringify(record, (_, v) => (typeof v === 'string' ? v.toWellFormed() : v))}\n`;
};
