/** Stands for `sentence-pairs` in recipes of the reliability tests: neighbouring rows of one parent become one. */
import type { SentencePairsOptions } from '../../../schemas/types.ts';
import type { GroupStage } from '../../../stages/contract.ts';
import { note } from './calls.ts';

export default {
  kind: 'group',
  map(rows, emit, _state, { overlap, over }) {
    note('join', rows.length);
    const first = rows[0]!;
    const text = rows.map(r => String(r.fields.text)).join(overlap ? ' ' : ' | ');
    if (first.parent !== null) emit.child(first.parent, { text, of: rows.length }, { from: rows.map(r => r.id) });
    else if (over === 'drop' && text.length % 5 === 0) emit.drop(first, 'alone');
    else emit.keep(first);
    if (rows.length > 3) emit.keep({ ...first, fields: { text: text.slice(-30) } });
  },
} satisfies GroupStage<SentencePairsOptions>;
