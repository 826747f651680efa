/** A worker thread: opens nodes, runs ranges and streams of them, one at a time, and posts what they give. */
import { parentPort } from 'node:worker_threads';
import type { Outside } from '../../stages/contract.ts';
import { type Answers, answering, memoOf } from './outside.ts';
import { processPort } from './process-port.ts';
import type { FromWorker, NodeJob, ToWorker } from './protocol.ts';
import type { Found } from './row-memo.ts';
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
  origin: (name, meaning) => post({ type: 'origin', id, name, meaning }),
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

type Answer = Extract<ToWorker, { readonly question: number }>;
/** Questions to the main thread that are not answered yet. */
const asked = new Map<number, (message: Answer) => void>();
let questions = 0;

const askMain = <T extends Answer['type']>(
  _expects: T,
  message: (question: number) => FromWorker,
): Promise<Extract<Answer, { type: T }>> =>
  new Promise(resolve => {
    const question = ++questions;
    asked.set(question, answer => resolve(answer as Extract<Answer, { type: T }>));
    post(message(question));
  });

const answers: Answers = {
  find: async keys => {
    const { given } = await askMain('found', question => ({ type: 'find', question, keys }));
    return given.map((g, i): Found => (g === true ? other(keys[i]!) : g));
  },
  keep: async (key, given) => void (await askMain('kept', question => ({ type: 'keep', question, key, given }))),
  leave: key => post({ type: 'leave', key }),
};

const other = async (key: string): Promise<string | null> =>
  (await askMain('answered', question => ({ type: 'wait', question, key }))).given;

const outsideOf = (id: number): Outside => ({
  answer: answering(answers),
  count: more => post({ type: 'count', more }),
  warn: line => post({ type: 'warn', id, line }),
  // A worker whose build is given up is ended.
  signal: new AbortController().signal,
});

const jobs = new Map<number, NodeJob>();

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'open':
      jobs.set(message.job.id, message.job);
      open.set(message.job.id, new NodeWork(message.job, outsideOf(message.job.id)));
      return;
    case 'close':
      open.get(message.id)?.close();
      open.delete(message.id);
      jobs.delete(message.id);
      return;
    case 'found':
    case 'answered':
    case 'kept':
      asked.get(message.question)?.(message);
      asked.delete(message.question);
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
  const { dear } = jobs.get(id)!;
  current = id;
  try {
    const answer =
      message.type === 'task'
        ? await node.task(message.task, sink(id), dear === null ? null : memoOf(answers, dear))
        : await node.stream(sink(id));
    post({ type: 'done', id, answer });
  } catch (error) {
    post({ type: 'failed', id, error: toWorkerError(error) });
  }
};
