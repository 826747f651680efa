/** Transform `sentences`: one child row for each sentence of a text. */
import type { SentencesOptions } from '../../schemas/types.ts';
import type { Fields, Json, RowsStage } from '../contract.ts';
import { spans } from './sentences/spans.ts';

export type Options = SentencesOptions;

export default {
  kind: 'rows',
  map(row, emit, _state, options) {
    const text = row.fields[options.field];
    if (typeof text !== 'string') return emit.reject(row, `field "${options.field}" is not a text`);
    const carried: Record<string, Json> = {};
    for (const name of options.carry) {
      const value = row.fields[name];
      if (value !== undefined) carried[name] = value;
    }
    let any = false;
    for (const [start, end] of spans(text)) {
      any = true;
      const found = text.slice(start, end);
      const sentence = found.includes('\n') ? found.replace(/\s*\n\s*/g, ' ') : found;
      const fields: Fields = { ...carried, [options.field]: sentence };
      emit.child(row.id, fields, { from: [row.id], start, end });
    }
    if (!any) emit.drop(row, 'no sentence is in it');
  },
} satisfies RowsStage<Options>;
