/** Transform `normalize`: one way to write what can be written in many: Unicode, encodings gone wrong, line breaks, odd characters. */
import type { NormalizeOptions } from '../../schemas/types.ts';
import type { RowsStage, Setup } from '../contract.ts';
import { normalizer } from './normalize/normalizer.ts';
import { mapTexts, named, textsOf } from './text/texts.ts';

export type Options = NormalizeOptions;

type State = (text: string) => string;

export default {
  kind: 'rows',
  setup: ({ options }: Setup<Options>): State => normalizer(options),
  map(row, emit, change, { field, replacement }) {
    const texts = field === undefined ? null : textsOf(row.fields, field);
    if (texts?.length === 0) return emit.reject(row, `${named(field)}: there is no text`);
    const fields = mapTexts(row.fields, field, change);
    if (replacement === 'reject' && textsOf(fields, field).some(text => text.includes('\uFFFD')))
      return emit.reject(row, 'holds U+FFFD: bytes were lost before this row was made');
    emit.keep(row, fields);
  },
} satisfies RowsStage<Options, State>;
