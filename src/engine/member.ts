/** What the pool knows of a member: a worker thread, or a process of its own. */
import type { FromWorker, ToWorker } from './protocol.ts';

export interface Member {
  post(message: ToWorker): void;
  /** Keeps our process going, or no longer. */
  ref(): void;
  unref(): void;
  terminate(): Promise<unknown>;
}

export interface Hears {
  message(message: FromWorker): void;
  /** It has ended, and why: "its process ended (code 3)". */
  lost(why: string): void;
}
