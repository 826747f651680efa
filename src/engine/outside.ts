/** What stages that ask others are given: their questions and rows by key, in the memo as this thread reaches it. */
import { canonical, digest } from '../../cache/digest.ts';
import type { Json, Outside, Row } from '../../stages/contract.ts';
import type { Found, RowMemo } from './row-memo.ts';
import type { Memo } from './rows/map.ts';

/** The memo, in this thread or behind messages. */
export interface Answers {
  find(keys: readonly string[]): Promise<readonly Found[]>;
  keep(key: string, given: string): Promise<void>;
  leave(key: string): void;
}

export const answersOf = (memo: RowMemo): Answers => ({
  find: async keys => memo.find(keys),
  keep: (key, given) => memo.keep(key, given),
  leave: key => memo.leave(key),
});

/** `outside.answer`: asked for by no stage, version or options, for a question says all that its answer depends on. */
export const answering =
  (answers: Answers): Outside['answer'] =>
  async <A extends Json>(question: Json, ask: () => Promise<A>): Promise<A> => {
    const key = digest(`answer\n${canonical(question)}`);
    for (;;) {
      const [found] = await answers.find([key]);
      const given = await found!;
      if (given !== null) return JSON.parse(given) as A;
      // Whoever asked for it got nothing.
      if (found !== null) continue;
      try {
        const made = await ask();
        await answers.keep(key, JSON.stringify(made));
        return made;
      } catch (error) {
        answers.leave(key);
        throw error;
      }
    }
  };

/** For a dear stage: what it gave for rows, named by `print` (stage, version, options) and their fields. */
export const memoOf = (answers: Answers, print: string): Memo => {
  const keyOf = ({ fields }: Row) => digest(`${print}\n${canonical(fields)}`);
  return {
    find: async rows => (rows.length === 0 ? [] : answers.find(rows.map(keyOf))),
    keep: (row, given) => answers.keep(keyOf(row), given),
    leave: row => answers.leave(keyOf(row)),
  };
};

/** Where nothing is kept. */
export const forgetful: Outside = {
  answer: (_, ask) => ask(),
  count: () => {},
  warn: () => {},
  signal: new AbortController().signal,
};
