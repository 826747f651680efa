/** Transform `language`: writes the language of a text beside it. A `filter` below keeps rows by it, so that another choice detects nothing again. */
import type { LanguageOptions } from '../../schemas/types.ts';
import type { RowsStage, Setup } from '../contract.ts';
import { type Detect, detector } from './language/detect.ts';
import { named, textsOf } from './text/texts.ts';

export type Options = LanguageOptions;

export default {
  kind: 'rows',
  setup: ({ options }: Setup<Options>): Promise<Detect> => detector(options),
  map(row, emit, detect, { field, as }) {
    const texts = textsOf(row.fields, field);
    if (texts.length === 0) return emit.reject(row, `${named(field)}: there is no text`);
    emit.keep(row, { ...row.fields, [as]: detect(texts.length === 1 ? texts[0]! : texts.join('\n')) });
  },
} satisfies RowsStage<Options, Detect>;
