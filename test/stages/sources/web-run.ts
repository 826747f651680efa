/** Runs the source `web` in memory against a real server, as the engine would. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { InputFile, Row, WholeContext } from '../../../stages/contract.ts';
import web, { type Options } from '../../../stages/sources/web.ts';
import { optionsOf } from '../options.ts';

export interface Ran {
  readonly rows: readonly Row[];
  readonly rejects: readonly Row[];
  readonly dropped: readonly Row[];
  readonly warnings: readonly string[];
}

/** A node's folder of kept answers, gone after the test. */
export const keptFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'finetune-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

/** Nothing is tried twice unless the options say so: tests do not wait. */
export const runWeb = async (
  options: object,
  given: {
    readonly kept?: string;
    readonly refresh?: boolean;
    readonly files?: Record<string, readonly InputFile[]>;
  } = {},
): Promise<Ran> => {
  const out: Record<string, Row[]> = { rows: [], rejects: [], dropped: [] };
  const warnings: string[] = [];
  const context: WholeContext<Options> = {
    options: optionsOf<Options>('sources/web', { retries: 0, ...options }),
    files: given.files ?? {},
    inputs: {},
    rows: output => ({
      write: async row => {
        if (out[output]!.some(r => r.id === row.id)) throw new Error(`${output} has ${row.id} twice`);
        out[output]!.push(row);
      },
    }),
    folder: () => '',
    take: () => {},
    metrics: () => {},
    contentId: () => '',
    scratch: '',
    work: '',
    kept: given.kept ?? keptFolder(),
    refresh: given.refresh ?? false,
    origins: {},
    origin: () => {},
    models: '',
    model: () => {},
    signal: new AbortController().signal,
    threads: 1,
    gpus: null,
    progress: () => {},
    measure: () => {},
    log: () => {},
    warn: line => void warnings.push(line),
  };
  await web.run(context);
  return { rows: out.rows!, rejects: out.rejects!, dropped: out.dropped!, warnings };
};

export const ids = (rows: readonly Row[]): string[] => rows.map(r => r.id);

/** Path to reason. */
export const reasons = (rows: readonly Row[], base = ''): Record<string, unknown> =>
  Object.fromEntries(rows.map(r => [r.id.replace(base, ''), r.fields.reason]));
