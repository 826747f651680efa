/** What a run over rows is given, whatever its kind, and what it gives; and how its results are put together. */
import { join } from 'node:path';
import type { Manifest } from '../../../cache/dataset.ts';
import type { Store } from '../../../cache/store.ts';
import type { Pool, Told } from '../pool.ts';
import type { NodeJob, ToWorker } from '../protocol.ts';
import type { RowMemo } from '../row-memo.ts';
import { taskMemo } from '../task-memo.ts';
import type { Alignment, Part } from './alignment.ts';
import type { Base } from './base.ts';
import { inOrder } from './in-order.ts';
import type { DatasetWriter, Piece } from './pieces.ts';
import type { Goal, Segment } from './segments.ts';
import type { Task } from './tasks.ts';

/** Who does the tasks: the pool, or this thread. */
export interface Workers {
  /** Tasks at a time. */
  readonly size: number;
  /** Rows that are enough for a task, where few are. */
  readonly taskRows?: number;
  run: Pool['run'];
}

export interface RowsContext {
  readonly job: NodeJob;
  readonly store: Store;
  readonly pool: Workers;
  readonly memo: RowMemo;
  /** Names what may be kept of chunks for runs to come: a digest of stage, version, options and other inputs. */
  readonly print: string;
  readonly base: Base | null;
  /** Nothing that was kept of runs before is used. */
  readonly fresh: boolean;
  readonly streams: readonly string[];
  readonly writers: readonly DatasetWriter[];
  told(message: Told, reply: (message: ToWorker) => void): void;
  /** So many rows are going to be worked on. */
  expect?(rows: number): void;
  progress(done: number, total: number | null, unit: string, note?: string): void;
}

export interface Ran {
  /** Rows that the stage's code was run on. */
  readonly computed: number;
  /** Rows (or lines) that went in. */
  readonly seen: number;
  readonly tallies: Readonly<Record<string, number>>;
  readonly alignment: Alignment | null;
}

/** Rows of a task: enough that starting one costs little, few enough that all workers have some. */
const TASK_ROWS = 2048;
/** And no more of their text than this, since what a task gives is held until it ends. */
const TASK_BYTES = 8 << 20;

export const goalFor = ({ size, taskRows = TASK_ROWS }: Workers, rows: number): Goal => ({
  rows: Math.max(1, Math.min(taskRows, Math.ceil(rows / size))),
  bytes: TASK_BYTES,
});

export const partsOf = ({ chunks }: Manifest) =>
  chunks.map(c => ({ name: c.digest, rows: c.rows, bytes: c.bytes, end: c.end }));

/** Runs a task in a worker; what it sends of rows is kept until its turn comes. */
export const ask = async <A>(
  c: RowsContext,
  task: Task,
): Promise<{ answer: A; pieces: [string, readonly Piece[]][] }> => {
  const pieces: [string, readonly Piece[]][] = [];
  const memo = taskMemo(c.memo);
  try {
    const answer = await c.pool.run(c.job, { type: 'task', id: c.job.id, task }, (m, reply) => {
      if (m.type === 'pieces') pieces.push([m.output, m.pieces]);
      else if (!memo.hear(m, reply)) c.told(m, reply);
    });
    return { answer: answer as A, pieces };
  } finally {
    memo.end();
  }
};

/**
 * Puts the outputs together: segments taken over from the base, and the results of work, in order. `work` runs one, `parts`
 * says what came of it. Returns the parts of the new alignment.
 */
export const stitch = async <A>(
  c: RowsContext,
  all: readonly Segment[],
  {
    work,
    parts,
    rows,
  }: {
    work(segment: Extract<Segment, { do: 'work' }>): Promise<{ answer: A; pieces: [string, readonly Piece[]][] }>;
    parts(answer: A, segment: Extract<Segment, { do: 'work' }>): readonly Part[];
    rows(segment: Extract<Segment, { do: 'work' }>): number;
  },
): Promise<Part[]> => {
  const out: Part[] = [];
  const works = all.filter(s => s.do === 'work');
  const total = works.reduce((n, s) => n + rows(s), 0);
  c.expect?.(total);
  let done = 0;
  let at = 0;
  const copyUpToWork = (): void => {
    for (let s = all[at]; s?.do === 'copy'; s = all[++at]) {
      const { alignment, outputs, starts } = c.base!;
      for (const [i, writer] of c.writers.entries()) writer.copy(outputs[i]!, starts[i]![s.from]!, starts[i]![s.to]!);
      for (let k = s.from; k < s.to; k++) out.push(alignment.parts[k]!);
    }
  };
  await inOrder(
    works.map(segment => () => work(segment)),
    c.pool.size,
    ({ answer, pieces }, index) => {
      copyUpToWork();
      for (const [output, some] of pieces) {
        const writer = c.writers[c.streams.indexOf(output)];
        if (!writer) throw new Error(`the stage declares no rows output "${output}"`);
        for (const piece of some) writer.add(piece);
      }
      out.push(...parts(answer, works[index]!));
      at++;
      done += rows(works[index]!);
      c.progress(done, total, 'rows');
    },
  );
  copyUpToWork();
  return out;
};

/** Rows rejected and dropped, by the names that records use. */
export const counts = (streams: readonly string[], parts: readonly Part[]): Record<string, number> => {
  const out: Record<string, number> = {};
  for (const name of ['rejects', 'dropped']) {
    const i = streams.indexOf(name);
    if (i === -1) continue;
    const n = parts.reduce((sum, p) => sum + p.totals[i]!, 0);
    if (n > 0) out[name] = n;
  }
  return out;
};

export const logPath = (c: Pick<RowsContext, 'store' | 'print'>, kind: string): string =>
  join(c.store.folder, 'rows', `${c.print.slice(0, 32)}.${kind}`);
