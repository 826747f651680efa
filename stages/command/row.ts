/** Makes rows of the objects that a command wrote: what names them, and what is wrong with them. */
import type { CommandOptions } from '../../schemas/types.ts';
import { type Fields, type Row, StageError, type WholeContext } from '../contract.ts';

export type Named = Row | { readonly reason: string };

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Names the object of a line. An id that comes twice fails the node, with both lines. */
export const naming = ({ options, contentId }: Pick<WholeContext<CommandOptions>, 'options' | 'contentId'>) => {
  const { ids, key } = options;
  const lines = new Map<string, number>();
  const once = (id: string, line: number): string => {
    const before = lines.get(id);
    if (before === undefined) {
      lines.set(id, line);
      return id;
    }
    throw new StageError(
      'duplicate-key',
      `${key === undefined ? 'the id' : key} ${JSON.stringify(id)} stands in two lines of $OUT, ${before} and ${line}`,
      { advice: 'row ids must be unique' },
    );
  };
  return (object: Fields, line: number): Named => {
    if (ids) {
      const { id, parent = null, fields } = object;
      if (typeof id !== 'string' || id === '') return { reason: 'with ids: true, a line has an "id" that is text' };
      if (parent !== null && typeof parent !== 'string') return { reason: '"parent" is neither text nor null' };
      if (!isFields(fields)) return { reason: 'with ids: true, a line has "fields", an object' };
      return { id: once(id, line), parent, fields };
    }
    if (key === undefined) return { id: contentId(object), parent: null, fields: object };
    const value = object[key];
    if ((typeof value !== 'string' || value === '') && !Number.isFinite(value)) {
      return { reason: `field "${key}" names no row: it is neither text nor a number` };
    }
    return { id: once(String(value), line), parent: null, fields: object };
  };
};
