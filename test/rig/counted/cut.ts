/**
 * Stands for `score` in recipes of the reliability tests: keeps rows, cuts some in pieces, drops some, rejects some for good
 * and some for as long as nobody answers; at times it waits. It depends on the row's text and the options alone.
 */
import type { ScoreOptions } from '../../../schemas/types.ts';
import type { Emit, Row, RowsStage } from '../../../stages/contract.ts';
import { isDown, note } from './calls.ts';

/** As if the code had been edited. */
const version = new URL(import.meta.url).searchParams.get('version') ?? '1';

const cut = (row: Row, text: string, as: string, emit: Emit): void => {
  const n = text.length;
  if (n % 13 === 0) emit.drop(row, 'a multiple of thirteen');
  else if (n % 17 === 0) emit.reject(row, 'a multiple of seventeen');
  else if (text.includes('winter') && isDown()) emit.reject(row, 'no answer', true);
  else if (n % 7 > 1) emit.keep(row, { ...row.fields, text: text + as, version });
  else {
    // A family of two to ten, some of them equal: with chunks of four rows, groups that reach over several.
    for (let i = 0; i < 2 + (n % 9); i++) {
      const piece = text.slice(i, i + 9 + (n % 3) * 8);
      emit.child(row.id, { text: `${piece} ${i % 5}`, n }, { from: [row.id], start: i });
    }
  }
};

export default {
  kind: 'rows',
  map(row, emit, _state, { measure, as = '' }): void | Promise<void> {
    note('cut');
    const { text } = row.fields;
    if (typeof text !== 'string') emit.reject(row, 'no text');
    else if (measure === 'words' && text.length % 3 > 0) return Promise.resolve().then(() => cut(row, text, as, emit));
    else cut(row, text, as, emit);
  },
  tally: ({ fields }) => ({ rows: 1, characters: String(fields.text).length }),
} satisfies RowsStage<ScoreOptions>;
