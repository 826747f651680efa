/** Makes rows of a query's result: what names them, and what is wrong with them. */
import { type Fields, type Row, StageError } from '../contract.ts';

export type Named = Row | { readonly reason: string };

export interface NamingOptions {
  readonly key: string | undefined;
  /** Whether columns `_id` and `_parent` are the names of rows: those of tables that were made of rows. */
  readonly ids: boolean;
  contentId(fields: Fields): string;
}

/** `number` counts the result's rows from 1. */
export const naming = ({ key, ids, contentId }: NamingOptions): ((record: Fields, number: number) => Named) => {
  const seen = new Map<string, number>();
  const once = (id: string, number: number, by: string): string => {
    const before = seen.get(id);
    if (before === undefined) {
      seen.set(id, number);
      return id;
    }
    throw new StageError(
      'duplicate-key',
      `${by} ${JSON.stringify(id)} stands in two rows of the result, ${before} and ${number}`,
      {
        advice:
          by === '_id'
            ? 'Row ids must be unique: name a `key`, or leave the ids out (SELECT * EXCLUDE (_id, _parent)): they are then made from the content.'
            : 'Row ids must be unique: name another `key`, or leave it out (ids are then made from the content).',
      },
    );
  };
  return (record, number) => {
    let parent: string | null = null;
    let fields = record;
    let id: string | null = null;
    if (ids && ('_id' in record || '_parent' in record)) {
      const { _id = null, _parent = null, ...rest } = record;
      fields = rest;
      parent = typeof _parent === 'string' ? _parent : null;
      if (typeof _id === 'string' && key === undefined) id = once(_id, number, '_id');
    }
    if (key === undefined) return { id: id ?? contentId(fields), parent, fields };
    const value = record[key];
    if ((typeof value !== 'string' || value === '') && !Number.isFinite(value))
      return { reason: `column "${key}" names no row: it is neither text nor a number` };
    return { id: once(String(value), number, key), parent, fields };
  };
};

/** Names of a result's columns, each once. */
export const throwIfTwice = (columns: readonly string[]): void => {
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice === undefined) return;
  const isOurs = twice === '_id' || twice === '_parent';
  throw new StageError('sql-columns', `two columns of the result are called "${twice}"`, {
    advice: isOurs
      ? 'Take those of one table only: SELECT a.*, b.x, or b.* EXCLUDE (_id, _parent).'
      : 'Name one of them otherwise: … AS other.',
  });
};

/** A key that is none of them. */
export const throwIfLost = (key: string | undefined, columns: readonly string[]): void => {
  if (key === undefined || columns.includes(key)) return;
  throw new StageError('unknown-column', `the result has no column "${key}" to name its rows by`, {
    advice: `It has: ${columns.join(', ')}.`,
  });
};
