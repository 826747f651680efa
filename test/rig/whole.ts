/** Runs a whole-input stage on rows held in memory, as the engine would: for unit tests of stages. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fields, Input, InputFile, Row, RowsInput, WholeStage } from '../../stages/contract.ts';

export const rowsInput = (rows: readonly Row[]): RowsInput => ({
  type: 'rows',
  count: rows.length,
  async *[Symbol.asyncIterator]() {
    yield* rows;
  },
});

/** A folder that is gone after the test: `using folder = temporaryFolder()`. */
export const temporaryFolder = () => {
  const path = mkdtempSync(join(tmpdir(), 'finetune-test-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
};

/** Options as the engine hands them over: with the schema's defaults. */
export const withDefaults = (schema: string, options: object): Record<string, unknown> => {
  const path = join(import.meta.dirname, '../../schemas/stages', `${schema}.json`);
  const { properties } = JSON.parse(readFileSync(path, 'utf8')) as {
    properties: Record<string, { default?: unknown }>;
  };
  const defaults = Object.entries(properties).filter(([, p]) => p.default !== undefined);
  return { ...Object.fromEntries(defaults.map(([name, p]) => [name, p.default])), ...options };
};

interface Run {
  readonly options: Record<string, unknown>;
  readonly inputs: Readonly<Record<string, Input>>;
  readonly files?: Readonly<Record<string, readonly InputFile[]>>;
  /** Folder for `work` and outputs. */
  readonly folder: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

export const runWhole = async (
  stage: WholeStage<never>,
  { options, inputs, files = {}, folder, signal, onProgress }: Run,
) => {
  const rows: Record<string, Row[]> = {};
  const metrics: Record<string, Fields> = {};
  const measures: Readonly<Record<string, number>>[] = [];
  const logs: string[] = [];
  const warnings: string[] = [];
  const work = join(folder, 'work');
  mkdirSync(work, { recursive: true });
  let unnamed = 0;
  await (stage as WholeStage<unknown>).run({
    options,
    files,
    inputs,
    rows: output => ({
      write: async row => {
        rows[output] = [...(rows[output] ?? []), row];
      },
    }),
    folder: output => {
      const path = join(folder, 'outputs', output);
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path, { recursive: true });
      return path;
    },
    take: (output, from) => renameSync(from, join(folder, 'outputs', output)),
    metrics: (output, value) => {
      metrics[output] = value;
    },
    contentId: () => `row-${unnamed++}`,
    scratch: join(folder, 'scratch'),
    kept: join(folder, 'kept'),
    refresh: false,
    origins: {},
    origin: () => {},
    models: '',
    model: () => {},
    work,
    signal: signal ?? new AbortController().signal,
    threads: 2,
    gpus: null,
    progress: done => onProgress?.(done),
    measure: values => measures.push(values),
    log: line => logs.push(line),
    warn: line => warnings.push(line),
  });
  return { rows, metrics, measures, logs, warnings, output: (name: string) => join(folder, 'outputs', name) };
};
