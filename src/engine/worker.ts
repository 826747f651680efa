/** A worker thread: opens nodes, runs ranges and streams of them, one at a time, and posts what they give. */
import { parentPort } from 'node:worker_threads';
import { canonical, digest } from '../../cache/digest.ts';
import type { Row } from '../../stages/contract.ts';
import { processPort } from './process-port.ts';
import type { FromWorker, NodeJob, ToWorker } from './protocol.ts';
import type { Memo } from './rows/map.ts';
import { transferable } from './rows/pieces.ts';
import type { Sink } from './whole.ts';
import { NodeWork } from './work.ts';
import { toWorkerError } from './worker-error.ts';

const port = parentPort ?? processPort();
const open = new Map<number, NodeWork>();
/** Pieces that may be on their way before we wait for the main thread to take some in. */
const ROOM = 64;
let onTheWay = 0;
/** Those who wait for room: a stage may write from several places at once. */
let waiting: (() => void)[] = [];

const post = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

const sink = (id: number): Sink => ({
  pieces: async (output, pieces) => {
    if (pieces.length === 0) return;
    onTheWay += pieces.length;
    post({ type: 'pieces', id, output, pieces }, transferable(pieces));
    if (onTheWay > ROOM) {
      await new Promise<void>(resolve => waiting.push(resolve));
    }
  },
  metrics: (output, value) => post({ type: 'metrics', id, output, value }),
  progress: (done, total, unit, note) =>
    post({ type: 'progress', id, done, total, unit, ...(note === undefined ? {} : { note }) }),
  measure: values => post({ type: 'measure', id, values }),
  log: line => post({ type: 'log', id, line }),
  warn: line => post({ type: 'warn', id, line }),
});

/** The node that runs, or ran last: what its code writes to the console belongs into that node's log. */
let current: number | null = null;

/** Stdout is the events' alone, and a log has no secrets. */
const capture = (stream: NodeJS.WriteStream): void => {
  let rest = '';
  stream.write = ((chunk: string | Uint8Array, ...more: unknown[]): boolean => {
    const lines = (rest + (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())).split('\n');
    rest = lines.pop() ?? '';
    if (current !== null) for (const line of lines) post({ type: 'log', id: current, line });
    for (const done of more) if (typeof done === 'function') done();
    return true;
  }) as typeof stream.write;
};
capture(process.stdout);
capture(process.stderr);

/** Questions to the main thread, by node: answered in the order in which they were asked. */
const asked = new Map<number, ((message: ToWorker) => void)[]>();

const askMain = <M extends ToWorker>(message: Extract<FromWorker, { type: 'find' | 'keep' }>): Promise<M> =>
  new Promise(resolve => {
    const queue = asked.get(message.id) ?? [];
    asked.set(message.id, queue);
    queue.push(answer => resolve(answer as M));
    post(message);
  });

const memoOf = (id: number, job: NodeJob): Memo | null => {
  const { dear } = job;
  if (dear === null) return null;
  const keyOf = ({ fields }: Row) => digest(`${dear}\n${canonical(fields)}`);
  return {
    find: async rows => {
      if (rows.length === 0) return [];
      return (await askMain<Extract<ToWorker, { type: 'found' }>>({ type: 'find', id, keys: rows.map(keyOf) })).given;
    },
    keep: async (row, given) => void (await askMain({ type: 'keep', id, key: keyOf(row), given })),
  };
};

const jobs = new Map<number, NodeJob>();

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'open':
      jobs.set(message.job.id, message.job);
      open.set(message.job.id, new NodeWork(message.job));
      return;
    case 'close':
      open.get(message.id)?.close();
      open.delete(message.id);
      jobs.delete(message.id);
      return;
    case 'found':
    case 'kept':
      asked.get(message.id)?.shift()?.(message);
      return;
    case 'taken': {
      onTheWay -= message.pieces;
      if (onTheWay > ROOM / 2) return;
      const wake = waiting;
      waiting = [];
      for (const w of wake) w();
      return;
    }
    default:
      void run(message);
  }
});

const run = async (message: Extract<ToWorker, { type: 'task' | 'stream' }>): Promise<void> => {
  const { id } = message;
  const node = open.get(id)!;
  current = id;
  try {
    const answer =
      message.type === 'task'
        ? await node.task(message.task, sink(id), memoOf(id, jobs.get(id)!))
        : await node.stream(sink(id));
    post({ type: 'done', id, answer });
  } catch (error) {
    post({ type: 'failed', id, error: toWorkerError(error) });
  }
};
