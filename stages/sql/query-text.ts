/** The text of a query, from the recipe or from a file, and places in it. */
import { readFileSync } from 'node:fs';
import { type InputFile, StageError } from '../contract.ts';

export interface Query {
  readonly text: string;
  /** A position in bytes, in words and as a place; neither where the position is not known. */
  locate(position: number | null): { readonly at: string; readonly place: StageError['place'] };
}

export const queryOf = (options: { query?: string }, files: Readonly<Record<string, readonly InputFile[]>>): Query => {
  const file = files.file?.[0];
  const text = file ? readFileSync(file.path, 'utf8') : (options.query ?? '');
  return {
    text,
    locate: position => {
      if (position === null) return { at: '', place: file ? { path: file.name } : undefined };
      const before = Buffer.from(text).toString('utf8', 0, position);
      const lines = before.split('\n');
      const [line, column] = [lines.length, lines.at(-1)!.length + 1];
      if (file) return { at: '', place: { path: file.name, line, column } };
      const near = text
        .split('\n')
        [line - 1]!.slice(column - 1, column + 29)
        .trim();
      const shown = near === '' ? '' : ` (${near}${near.length > 28 ? '…' : ''})`;
      return { at: ` at line ${line}, column ${column} of the query${shown}`, place: undefined };
    },
  };
};

/** Told of queries that are none, whoever is asked. */
export const notOneSelect = (query: Query, why: string): StageError => {
  const { place } = query.locate(null);
  return new StageError('sql-error', why, {
    advice: 'A query is one SELECT (WITH … SELECT, too).',
    ...(place ? { place } : {}),
  });
};
