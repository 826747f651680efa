/** A worker's dealings with the memo during one task: what it was to ask for and has not kept when the task ends is left. */
import type { Told } from './pool.ts';
import type { ToWorker } from './protocol.ts';
import type { RowMemo } from './row-memo.ts';

export interface TaskMemo {
  /** Whether the message was for the memo. */
  hear(message: Told, reply: (message: ToWorker) => void): boolean;
  /** When the task has ended, however. Throws when something could not be kept. */
  end(): void;
}

export const taskMemo = (memo: RowMemo): TaskMemo => {
  const mine = new Set<string>();
  const failures: unknown[] = [];
  const leave = (key: string): void => {
    mine.delete(key);
    memo.leave(key);
  };
  const keep = async (key: string, given: string): Promise<void> => {
    try {
      await memo.keep(key, given);
    } catch (error) {
      failures.push(error);
    }
    mine.delete(key);
  };
  /** What another was given; null, too, if that one has left it meanwhile: the worker then looks again. */
  const wait = async (key: string): Promise<string | null> => {
    const [found] = memo.find([key]);
    if (found === null) memo.leave(key);
    return found!;
  };
  return {
    hear: (message, reply) => {
      switch (message.type) {
        case 'find': {
          const { question, keys } = message;
          const found = memo.find(keys);
          for (const [i, f] of found.entries()) if (f === null) mine.add(keys[i]!);
          reply({ type: 'found', question, given: found.map(f => (f instanceof Promise ? true : f)) });
          return true;
        }
        case 'wait':
          void wait(message.key).then(given => reply({ type: 'answered', question: message.question, given }));
          return true;
        case 'keep':
          void keep(message.key, message.given).then(() => reply({ type: 'kept', question: message.question }));
          return true;
        case 'leave':
          leave(message.key);
          return true;
        default:
          return false;
      }
    },
    end: () => {
      for (const key of mine) memo.leave(key);
      if (failures.length > 0) throw failures[0];
    },
  };
};
