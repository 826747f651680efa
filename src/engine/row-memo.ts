/** What dear stages gave for rows, kept in the store's memo: opened when it is first asked, written a few at a time. */
import { Memo } from '../../cache/memo.ts';
import type { RowMemo } from './execution.ts';

/** Answers that come within this time, in ms, are written together. */
const TOGETHER = 5;

export interface OpenRowMemo extends RowMemo {
  close(): void;
}

/** `forget` asks for everything again. */
export const openRowMemo = (folder: string, warn: (line: string) => void, forget: boolean): OpenRowMemo => {
  let memo: Memo | null = null;
  const opened = (): Memo => (memo ??= new Memo(folder, warn));
  let waiting: { key: string; given: string; done(): void; failed(error: unknown): void }[] = [];
  const write = (): void => {
    const batch = waiting;
    waiting = [];
    try {
      opened().put(batch.map(({ key, given }) => [key, Buffer.from(given)] as const));
      for (const { done } of batch) done();
    } catch (error) {
      for (const { failed } of batch) failed(error);
    }
  };
  return {
    find: keys => {
      if (forget) return keys.map(() => null);
      const found = opened().get(keys);
      return keys.map(k => found.get(k)?.toString() ?? null);
    },
    keep: (key, given) =>
      new Promise((done, failed) => {
        if (waiting.length === 0) setTimeout(write, TOGETHER);
        waiting.push({ key, given, done, failed });
      }),
    close: () => memo?.close(),
  };
};
