/** Transform `dedup`: of rows that are equal in the chosen fields, the first stays. */
import type { DedupOptions } from '../../schemas/types.ts';
import type { KeyedStage } from '../contract.ts';
import { canonicalText, normalizers } from './dedup/canonical.ts';
import { valueAt } from './text/texts.ts';

export type Options = DedupOptions;

export default {
  kind: 'keyed',
  reason: 'duplicate of an earlier row',
  key({ fields }, { by, normalize }) {
    const text = normalizers[normalize];
    if (by === undefined) return canonicalText(fields, text);
    const values = [by].flat().map(name => valueAt(fields, name));
    // A row without any of the fields cannot be a duplicate by them.
    if (values.every(value => value === null)) return null;
    return values.map(value => canonicalText(value, text)).join(',');
  },
} satisfies KeyedStage<Options>;
