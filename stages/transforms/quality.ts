/** Transform `quality`: drops documents that the heuristics of Gopher, C4 and FineWeb call bad, and says which rule said so. */
import type { QualityOptions } from '../../schemas/types.ts';
import type { RowsStage, Setup } from '../contract.ts';
import { noPage, sentenceLines } from './quality/c4.ts';
import { documentOf } from './quality/document.ts';
import { broken, type Limits, measure, type Rule, rulesOf } from './quality/rules.ts';

export type Options = QualityOptions;

export default {
  kind: 'rows',
  setup: ({ options }: Setup<Options>): readonly Rule[] => rulesOf(options.rules, (options.limits ?? {}) as Limits),
  map(row, emit, rules, { field, rules: sets, lines, as }) {
    const text = row.fields[field];
    if (typeof text !== 'string') return emit.reject(row, `field "${field}" is not a text`);
    const kept = lines === 'sentences' ? sentenceLines(text) : text;
    if (kept === '') return emit.drop(row, 'no line is a sentence, c4');
    const document = documentOf(kept);
    const why = (sets.includes('c4') ? noPage(kept) : null) ?? broken(document, rules);
    if (why !== null) return emit.drop(row, why);
    const fields = kept === text ? row.fields : { ...row.fields, [field]: kept };
    if (as === undefined) return emit.keep(row, fields);
    const measured = Object.fromEntries(rules.map(rule => [rule.measure, measure(rule.measure, document)]));
    emit.keep(row, { ...fields, [as]: measured });
  },
} satisfies RowsStage<Options, readonly Rule[]>;
