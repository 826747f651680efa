/** Runs a `whole` stage in memory, as the engine would: rows and rejects are collected, files are real. */
import { statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { canonical, digest } from '../../cache/digest.ts';
import type { Fields, Input, InputFile, Lineage, Row, WholeContext, WholeStage } from '../../stages/contract.ts';

export interface Ran {
  readonly rows: Row[];
  readonly lineage: (Lineage | undefined)[];
  readonly rejects: Row[];
  readonly warnings: string[];
  readonly logs: string[];
  readonly origins: Record<string, string>;
  /** Folder of the model that it gave, below that of all models. */
  model: string | null;
}

interface Given {
  readonly files?: Record<string, readonly InputFile[]>;
  readonly inputs?: Record<string, Input>;
  readonly signal?: AbortSignal;
  /** For `work` and `kept`. */
  readonly folder?: string;
  readonly refresh?: boolean;
  readonly origins?: Readonly<Record<string, string>>;
}

/** `path` as an input file, named relative to `root`. */
export const inputFile = (path: string, root?: string): InputFile => ({
  name: root ? relative(root, path) : basename(path),
  path,
  digest: '',
  size: statSync(path).size,
});

export const runWhole = async <O>(stage: WholeStage<O>, options: O, given: Given = {}): Promise<Ran> => {
  const ran: Ran = { rows: [], lineage: [], rejects: [], warnings: [], logs: [], origins: {}, model: null };
  const folder = given.folder ?? '';
  const seen = new Map<string, number>();
  const context: WholeContext<O> = {
    options,
    files: given.files ?? {},
    inputs: given.inputs ?? {},
    rows: output => ({
      write: async (row, at) => {
        if (output === 'rows') ran.lineage.push(at);
        (output === 'rows' ? ran.rows : ran.rejects).push(row);
      },
    }),
    folder: () => '',
    take: () => {},
    metrics: () => {},
    contentId: (fields: Fields) => {
      const id = digest(canonical(fields)).slice(0, 20);
      const n = (seen.get(id) ?? 0) + 1;
      seen.set(id, n);
      return n === 1 ? id : `${id}~${n}`;
    },
    scratch: '',
    work: folder && join(folder, 'work'),
    kept: folder && join(folder, 'kept'),
    refresh: given.refresh ?? false,
    origins: given.origins ?? {},
    origin: (name, meaning) => {
      ran.origins[name] = meaning;
    },
    models: folder && join(folder, 'models'),
    model: (_, path) => {
      ran.model = path;
    },
    signal: given.signal ?? new AbortController().signal,
    threads: 1,
    gpus: null,
    progress: () => {},
    measure: () => {},
    log: line => void ran.logs.push(line),
    warn: line => void ran.warnings.push(line),
  };
  await stage.run(context);
  return ran;
};

/** Rows in memory as a stage's input. */
export const rowsInput = (rows: readonly Row[]): Input => ({
  type: 'rows',
  count: rows.length,
  async *[Symbol.asyncIterator]() {
    yield* rows;
  },
});
