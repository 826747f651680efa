/**
 * The workers of a node whose rows are asked for elsewhere: this thread, which waits for many chunks at once, so that what
 * limits the asking (calls at a time, tokens a minute) counts all of them. What computes goes to the pool all the same.
 */
import type { Outside } from '../../stages/contract.ts';
import type { Pool } from './pool.ts';
import type { NodeJob } from './protocol.ts';
import type { Workers } from './rows/context.ts';
import type { Sink } from './whole.ts';
import { NodeWork } from './work.ts';

/** Between two tellings of how far it is, in ms. */
const PACE = 250;

interface About {
  readonly job: NodeJob;
  readonly pool: Pool;
  readonly outside: Outside;
  /** Rows done, of so many. */
  progress(done: number, total: number | null): void;
}

export interface Here extends Workers {
  /** So many rows are going to be worked on. */
  expect(rows: number): void;
  close(): void;
}

export const openHere = ({ job, pool, outside, progress }: About): Here => {
  const work = new NodeWork(job, outside);
  let done = 0;
  let total: number | null = null;
  let told = 0;
  const finished = (): void => {
    done++;
    const now = performance.now();
    if (now - told < PACE && done !== total) return;
    told = now;
    progress(done, total);
  };
  return {
    // A chunk whose last row is slow keeps the others from nothing as long as there are more chunks than rows may be asked for.
    size: 16,
    taskRows: 1,
    run: (of, asked, tell) => {
      if (asked.type !== 'task' || (asked.task.do !== 'map' && asked.task.do !== 'sketch'))
        return pool.run(of, asked, tell);
      const sink: Sink = {
        pieces: async (output, pieces) => tell({ type: 'pieces', id: of.id, output, pieces }, () => {}),
        metrics: () => {},
        tree: () => {},
        origin: () => {},
        progress: () => {},
        measure: () => {},
        log: () => {},
        warn: line => outside.warn(line),
      };
      return work.task(asked.task, sink, null, { waits: true, finished });
    },
    expect: rows => {
      total = rows;
    },
    close: () => work.close(),
  };
};
