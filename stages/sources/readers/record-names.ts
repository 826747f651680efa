/** What names records: a key, which must be unique, or their content. */
import { type Fields, type Row, StageError } from '../../contract.ts';

interface Options {
  readonly key: string | undefined;
  contentId(fields: Fields): string;
}

interface Place {
  readonly path: string;
  readonly line?: number;
}

/** A key that comes again is an error, with both places. */
export const recordNames = ({ key, contentId }: Options) => {
  const seen = new Map<string, Place>();
  return (fields: Fields, place: Place): Row | { readonly reason: string } => {
    if (key === undefined) return { id: contentId(fields), parent: null, fields };
    const value = fields[key];
    if ((typeof value !== 'string' || value === '') && !Number.isFinite(value))
      return { reason: `field "${key}" names no row: it is neither text nor a number` };
    const id = String(value);
    const first = seen.get(id);
    if (first === undefined) {
      seen.set(id, place);
      return { id, parent: null, fields };
    }
    const at = first.line === undefined ? first.path : `${first.path}:${first.line}`;
    throw new StageError('duplicate-key', `the ${key} of this record occurs twice: first at ${at}, again here`, {
      place: { path: place.path, ...(place.line === undefined ? {} : { line: place.line }) },
      advice: 'Row ids must be unique: name another `key`, or leave it out (ids are then made from the content).',
    });
  };
};
