/** What a worker does for a node: one task on some of its rows, or a whole stage. */
import { BlobReader } from '../../cache/blob.ts';
import { decodeRows } from '../../cache/dataset.ts';
import type { Outside, Stage } from '../../stages/contract.ts';
import { type Redact, redactor } from '../redact.ts';
import { loadStage } from '../stages.ts';
import { forgetful } from './outside.ts';
import type { NodeJob } from './protocol.ts';
import { cutFile, namedParts } from './rows/cut-file.ts';
import { type Memo, map } from './rows/map.ts';
import { readPart, scan } from './rows/read-file.ts';
import { isSketched, sketch } from './rows/sketches.ts';
import type { CutAnswer, CutTask, FoldAnswer, Task } from './rows/tasks.ts';
import { writeChecked } from './rows/write-checked.ts';
import { writeDealt } from './rows/write-dealt.ts';
import { inputsOf, Outputs, type Sink, wholeContext } from './whole.ts';

export interface Work {
  readonly computed: number;
  readonly tallies: Readonly<Record<string, number>>;
}

interface Opened {
  readonly stage: Stage;
  readonly state: unknown;
}

interface Hooks {
  readonly waits?: boolean;
  /** Called for each row that has been worked on. */
  readonly finished?: (() => void) | undefined;
}

/** One node open in a worker. */
export class NodeWork {
  readonly #job: NodeJob;
  readonly #redact: Redact;
  readonly #outside: Outside;
  readonly #reader = new BlobReader();
  #opened: Promise<Opened> | null = null;

  constructor(job: NodeJob, outside: Outside = forgetful) {
    this.#job = job;
    this.#outside = outside;
    this.#redact = redactor(job.secrets);
  }

  /** Once, though several tasks begin at the same time. */
  #open(): Promise<Opened> {
    return (this.#opened ??= this.#setUp());
  }

  async #setUp(): Promise<Opened> {
    const stage = await loadStage(this.#job.module);
    const { options, files } = this.#job;
    const inputs = inputsOf(this.#job, this.#reader);
    const state = 'setup' in stage ? await stage.setup?.({ options, files, inputs }, this.#outside) : undefined;
    return { stage, state };
  }

  /** Resolves with the task's answer. `waits`: the stage is known to wait for each row. */
  async task(task: Task, sink: Sink, memo: Memo | null, { waits = false, finished }: Hooks = {}): Promise<unknown> {
    const { stage, state } = await this.#open();
    const { options } = this.#job;
    const reader = this.#reader;
    const send = sink.pieces;
    const wrong = (): never => {
      throw new Error(`a stage of kind ${stage.kind} was asked to ${task.do}`);
    };
    switch (task.do) {
      case 'map':
        if (stage.kind !== 'rows' && stage.kind !== 'group') return wrong();
        return map(task, { stage, state, options, reader, redact: this.#redact, memo, send, waits, finished });
      case 'sketch':
        if (!isSketched(stage)) return wrong();
        return sketch(task, stage, { state, options, reader, finished });
      case 'deal':
        return writeDealt(task, reader, send);
      case 'fold': {
        if (stage.kind !== 'fold') return wrong();
        const rows = task.chunks.map(at => decodeRows(reader.read(at)));
        const parts: unknown[] = [];
        for (const r of rows) parts.push(await stage.part(r, options, state));
        return { computed: rows.reduce((n, r) => n + r.length, 0), parts } satisfies FoldAnswer;
      }
      case 'judge':
        return stage.kind === 'check'
          ? writeChecked(task, stage, { state, options, reader, redact: this.#redact, send })
          : wrong();
      case 'cut':
        return { stretches: await cut(task, stage, options) } satisfies CutAnswer;
      case 'scan':
        return stage.kind === 'read' ? scan(task, stage, options) : wrong();
      case 'read':
        return stage.kind === 'read' ? readPart(task, stage, { options, reader, redact: this.#redact, send }) : wrong();
    }
  }

  /** A whole stage, its results streamed. */
  async stream(sink: Sink): Promise<Work> {
    const { stage } = await this.#open();
    if (stage.kind !== 'whole') throw new Error(`a stage of kind ${stage.kind} was asked to do everything at once`);
    const writer = new Outputs(sink);
    await stage.run(wholeContext(this.#job, this.#reader, sink, writer, AbortSignal.any([])));
    await writer.close();
    return { computed: writer.written, tallies: writer.tallies };
  }

  close(): void {
    this.#reader.close();
  }
}

const cut = async (
  { file, byLine, known }: CutTask,
  stage: Stage,
  options: unknown,
): Promise<CutAnswer['stretches']> => {
  if (byLine) return cutFile(file.path, known);
  const parts = stage.kind === 'read' ? await stage.parts?.(file, options) : null;
  return parts ? namedParts(file, parts) : [];
};
