/** Types of a table's columns, found from the rows that go into it: the narrowest that holds all of them. */
import type { Fields, Json } from '../contract.ts';

/** What has been seen of a value's kind; null only, where nothing has. */
export type Kind =
  | { readonly is: 'nothing' }
  | { readonly is: 'boolean' | 'whole' | 'number' | 'text' | 'json' }
  | { readonly is: 'list'; readonly of: Kind }
  | { readonly is: 'group'; readonly fields: Map<string, Kind> };

/** More names than any group has whose names are names: what is beyond is a dictionary, and stays JSON. */
const MOST_FIELDS = 200;
const DEEPEST = 20;

const NOTHING: Kind = { is: 'nothing' };
const JSON_KIND: Kind = { is: 'json' };

/** The kind of what `kind` was and of this value. */
export const widen = (kind: Kind, value: Json | undefined, depth = 0): Kind => {
  if (value === null || value === undefined || kind.is === 'json') return kind;
  if (depth > DEEPEST) return JSON_KIND;
  switch (typeof value) {
    case 'boolean':
      return simple(kind, 'boolean');
    case 'string':
      return simple(kind, 'text');
    case 'number': {
      const is = Number.isSafeInteger(value) && !Object.is(value, -0) ? 'whole' : 'number';
      if (kind.is === 'whole' && is === 'number') return { is };
      return kind.is === 'number' ? kind : simple(kind, is);
    }
  }
  if (Array.isArray(value)) {
    if (kind.is !== 'list' && kind.is !== 'nothing') return JSON_KIND;
    const of = value.reduce<Kind>((k, v) => widen(k, v, depth + 1), kind.is === 'list' ? kind.of : NOTHING);
    return kind.is === 'list' && kind.of === of ? kind : { is: 'list', of };
  }
  if (kind.is !== 'group' && kind.is !== 'nothing') return JSON_KIND;
  // Filled in place: there is one for each column, and as many values as there are rows.
  const fields = kind.is === 'group' ? kind.fields : new Map<string, Kind>();
  for (const [name, v] of Object.entries(value)) fields.set(name, widen(fields.get(name) ?? NOTHING, v, depth + 1));
  if (fields.size > MOST_FIELDS || clash([...fields.keys()])) return JSON_KIND;
  return kind.is === 'group' ? kind : { is: 'group', fields };
};

const simple = (kind: Kind, is: 'boolean' | 'text' | 'whole' | 'number'): Kind =>
  kind.is === is ? kind : kind.is === 'nothing' ? { is } : JSON_KIND;

/** SQL does not tell letters from capitals in names. */
const clash = (names: readonly string[]): boolean => new Set(names.map(n => n.toLowerCase())).size < names.length;

/** Kinds of all fields of rows, by name. */
export class Columns {
  readonly kinds = new Map<string, Kind>();

  add(fields: Fields): void {
    for (const [name, value] of Object.entries(fields))
      this.kinds.set(name, widen(this.kinds.get(name) ?? NOTHING, value));
  }

  /** Columns of the table: their names, which SQL must be able to tell apart, the fields that they hold, and DuckDB's types. */
  table(): { readonly column: string; readonly field: string; readonly type: string }[] {
    const taken = new Set<string>();
    return [...this.kinds].map(([field, kind]) => {
      let column = field === '' ? '_' : field;
      for (let n = 1; taken.has(column.toLowerCase()); n++) column = `${field}_${n}`;
      taken.add(column.toLowerCase());
      return { column, field, type: typeOf(kind) };
    });
  }
}

/** `"a ""b"""` */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** `'it''s'` */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const SIMPLE = {
  nothing: 'VARCHAR',
  boolean: 'BOOLEAN',
  whole: 'BIGINT',
  number: 'DOUBLE',
  text: 'VARCHAR',
  json: 'JSON',
};

const typeOf = (kind: Kind): string => {
  if (kind.is === 'list') return `${typeOf(kind.of)}[]`;
  if (kind.is !== 'group') return SIMPLE[kind.is];
  // There is no group of nothing.
  if (kind.fields.size === 0) return 'JSON';
  return `STRUCT(${[...kind.fields].map(([name, k]) => `${quoted(name)} ${typeOf(k)}`).join(', ')})`;
};
