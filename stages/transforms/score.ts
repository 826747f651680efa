/** Transform `score`: writes a number about a text beside it. A `filter` below judges by it, so moving a threshold scores nothing. */
import type { ScoreOptions } from '../../schemas/types.ts';
import type { RowsStage } from '../contract.ts';
import { measures } from './score/measures.ts';

export type Options = ScoreOptions;

export default {
  kind: 'rows',
  map(row, emit, _state, { field, measure, as = measure }) {
    const text = row.fields[field];
    if (typeof text !== 'string') return emit.reject(row, `field "${field}" is not a text`);
    emit.keep(row, { ...row.fields, [as]: measures[measure](text) });
  },
} satisfies RowsStage<Options>;
