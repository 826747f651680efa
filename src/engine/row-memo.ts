/**
 * What was given for rows or questions that are dear, kept in the store's memo: opened when it is first asked, written a few
 * at a time. Who finds nothing asks, and until that is kept or left, whoever else wants the same waits for it: what is equal
 * is asked for once, whichever chunks or workers it stands in.
 */
import { Memo } from '../../cache/memo.ts';

/** For a key: what is kept; a promise of it where somebody asks for it now, null if that came to nothing; or null: ask. */
export type Found = string | Promise<string | null> | null;

/** What is known of dear things, by key. */
export interface RowMemo {
  /** Who gets null asks, and then says `keep` or `leave`. */
  find(keys: readonly string[]): Found[];
  /** Resolves when it is safe from a kill. */
  keep(key: string, given: string): Promise<void>;
  /** It could not be had. */
  leave(key: string): void;
}

/** Answers that come within this time, in ms, are written together. */
const TOGETHER = 5;

export interface OpenRowMemo extends RowMemo {
  close(): void;
}

/** `forget` asks for everything again, once; the new answers then count. */
export const openRowMemo = (folder: string, warn: (line: string) => void, forget: boolean): OpenRowMemo => {
  let memo: Memo | null = null;
  const opened = (): Memo => (memo ??= new Memo(folder, warn));
  const asked = new Map<string, PromiseWithResolvers<string | null>>();
  /** Those that this build has kept. */
  const fresh = new Set<string>();
  let waiting: { key: string; given: string; done(): void; failed(error: unknown): void }[] = [];
  const write = (): void => {
    const batch = waiting;
    waiting = [];
    try {
      opened().put(
        batch.map(({ key, given }) => [key, Buffer.from(given)] as const),
        forget,
      );
      for (const { done } of batch) done();
    } catch (error) {
      for (const { failed } of batch) failed(error);
    }
  };
  const settle = (key: string, given: string | null): void => {
    asked.get(key)?.resolve(given);
    asked.delete(key);
  };
  return {
    find: keys => {
      const known = forget ? keys.filter(k => fresh.has(k)) : keys.filter(k => !asked.has(k));
      const kept = known.length > 0 ? opened().get(known) : null;
      return keys.map((key): Found => {
        const now = asked.get(key);
        if (now) return now.promise;
        const given = kept?.get(key);
        if (given) return given.toString();
        asked.set(key, Promise.withResolvers());
        return null;
      });
    },
    keep: async (key, given) => {
      try {
        await new Promise<void>((done, failed) => {
          if (waiting.length === 0) setTimeout(write, TOGETHER);
          waiting.push({ key, given, done, failed });
        });
        if (forget) fresh.add(key);
        settle(key, given);
      } catch (error) {
        settle(key, null);
        throw error;
      }
    },
    leave: key => settle(key, null),
    close: () => memo?.close(),
  };
};
