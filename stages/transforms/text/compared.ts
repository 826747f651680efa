/** The texts of a row that are compared with those of other rows. */
import type { Fields, Json } from '../../contract.ts';

/** Every text in a value, however deep (messages hold theirs in lists); fields by their names, whatever their order. */
const collect = (value: Json | undefined, into: string[]): void => {
  if (typeof value === 'string') into.push(value);
  else if (Array.isArray(value)) for (const part of value as readonly Json[]) collect(part, into);
  else if (value !== null && typeof value === 'object') {
    const object = value as Fields;
    for (const name of Object.keys(object).sort()) collect(object[name], into);
  }
};

/** Those of the fields that are named, else its `text`, else every text in it. */
export const compared = (fields: Fields, field: string | readonly string[] | undefined): string[] => {
  const texts: string[] = [];
  if (field !== undefined) for (const name of [field].flat()) collect(fields[name], texts);
  else collect(typeof fields.text === 'string' ? fields.text : fields, texts);
  return texts;
};
