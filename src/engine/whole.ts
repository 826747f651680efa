/** What a whole stage is given and gives: its context, the same in a worker and in the main thread, and its datasets. */
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { BlobReader } from '../../cache/blob.ts';
import { shortHash } from '../../cache/digest.ts';
import { modelsFolder } from '../../cache/models.ts';
import type { Fields, Input, Lineage, Row, WholeContext } from '../../stages/contract.ts';
import { type Redact, redactor } from '../redact.ts';
import { Counter, HashTable } from './hash-table.ts';
import type { NodeJob } from './protocol.ts';
import { rowsInput } from './reading.ts';
import { type Piece, PieceMaker } from './rows/pieces.ts';

/** Where a worker's results go. `pieces` resolves when there is room for more. */
export interface Sink {
  pieces(output: string, pieces: readonly Piece[]): Promise<void>;
  metrics(output: string, value: Fields): void;
  /** Takes a folder's files into the store at once; without it they are moved to where they are looked for in the end. */
  tree?(output: string, folder: string): void;
  origin(name: string, meaning: string): void;
  /** In the main thread only. */
  model?(output: string, folder: string): void;
  progress(done: number, total: number | null, unit: string, note?: string): void;
  measure(values: Readonly<Record<string, number>>): void;
  log(line: string): void;
  warn(line: string): void;
}

/** The datasets that a streaming stage writes, by output. */
export class Outputs {
  readonly #sink: Sink;
  readonly #makers = new Map<string, PieceMaker>();
  readonly counts: Record<string, number> = {};
  /** Rejects that the next build tries again. */
  #again = 0;
  written = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async write(output: string, row: Row, at: Lineage | null): Promise<void> {
    const maker = this.#makers.get(output) ?? new PieceMaker();
    this.#makers.set(output, maker);
    maker.add(row, at);
    this.counts[output] = (this.counts[output] ?? 0) + 1;
    if (output === 'rejects' && row.fields.transient === true) this.#again++;
    this.written++;
    const pieces = maker.take(false);
    if (pieces.length > 0) await this.#sink.pieces(output, pieces);
  }

  /** Counts that are worth a note. */
  get tallies(): Readonly<Record<string, number>> {
    const { rejects = 0, dropped = 0 } = this.counts;
    const again = this.#again;
    return { ...(rejects ? { rejects } : {}), ...(dropped ? { dropped } : {}), ...(again ? { again } : {}) };
  }

  async close(): Promise<void> {
    for (const [output, maker] of this.#makers) await this.#sink.pieces(output, maker.take(true));
  }
}

/** By port, what a stage is given to read. */
export const inputsOf = (job: NodeJob, reader: BlobReader): Record<string, Input> => {
  const inputs: Record<string, Input> = { ...job.folders };
  for (const [port, sources] of Object.entries(job.rows)) inputs[port] = rowsInput(reader, sources);
  for (const [port, value] of Object.entries(job.metrics)) inputs[port] = { type: 'metrics', value };
  return inputs;
};

/** The context of a whole stage, the same in a worker and in the main thread. */
export const wholeContext = (
  job: NodeJob,
  reader: BlobReader,
  sink: Sink,
  writer: Outputs,
  signal: AbortSignal,
): WholeContext<unknown> => {
  // A million ids in a Set of strings would be a fifth of a build's memory.
  const seen = new Map<string, HashTable>();
  const contents = new Counter();
  const redact = redactor(job.secrets);
  return {
    options: job.options,
    files: job.files,
    inputs: inputsOf(job, reader),
    rows: output => ({
      write: (row, at) => {
        let ids = seen.get(output);
        if (!ids) seen.set(output, (ids = new HashTable()));
        if (ids.getOrSet(row.id, 0) !== -1) throw new Error(`two rows of ${output} have the id "${row.id}"`);
        return writer.write(output, output === 'rejects' ? withoutSecrets(row, redact) : row, at ?? null);
      },
    }),
    folder: output => {
      const folder = folderOf(job, output);
      mkdirSync(folder, { recursive: true });
      return folder;
    },
    take: (output, folder) => {
      const to = folderOf(job, output);
      if (sink.tree) return sink.tree(output, folder);
      mkdirSync(to, { recursive: true });
      for (const name of readdirSync(folder)) renameSync(join(folder, name), join(to, name));
    },
    metrics: (output, value) => sink.metrics(output, value),
    contentId: fields => {
      const hash = shortHash(fields);
      const n = contents.next(hash);
      return n === 1 ? hash : `${hash}~${n}`;
    },
    scratch: job.scratch,
    // Made when it is first asked for: most stages need none.
    get work() {
      mkdirSync(job.work, { recursive: true });
      return job.work;
    },
    get kept() {
      mkdirSync(job.kept, { recursive: true });
      return job.kept;
    },
    refresh: job.refresh,
    origins: job.origins,
    origin: (name, meaning) => sink.origin(name, meaning),
    models: modelsFolder(),
    model: (output, folder) => {
      if (!sink.model) throw new Error('a model is given in the main thread only');
      sink.model(output, folder);
    },
    tracer: job.tracer,
    signal,
    threads: job.threads,
    gpus: job.gpus,
    progress: (done, total, unit, note) => sink.progress(done, total, unit, note),
    measure: values => sink.measure(values),
    log: line => sink.log(line),
    warn: line => sink.warn(line),
  };
};

/** A server may repeat what it was sent. */
const withoutSecrets = (row: Row, redact: Redact): Row => {
  const { reason } = row.fields;
  return typeof reason === 'string' ? { ...row, fields: { ...row.fields, reason: redact(reason) } } : row;
};

const folderOf = (job: NodeJob, output: string): string => {
  const folder = job.outputFolders[output];
  if (!folder) throw new Error(`the stage declares no tree output "${output}"`);
  return folder;
};
