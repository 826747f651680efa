/** Runs one node's stage by the rule of its kind and takes what it gives into the store. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BlobCorrupt, BlobReader } from '../../cache/blob.ts';
import { canonical } from '../../cache/digest.ts';
import { encodeModelList, modelsFolder } from '../../cache/models.ts';
import type { StoredOutput } from '../../cache/records.ts';
import { storeTree } from '../../cache/tree.ts';
import { LOOSE_FROM } from '../../cache/writing.ts';
import type { Fields, ModelInput, Stage, TreeInput, WholeStage } from '../../stages/contract.ts';
import type { GraphNode } from '../load/graph.ts';
import { stageOf } from '../stages.ts';
import { lazyTree, rowsSource, treeFolder } from './artifact.ts';
import type { Executed, Execution } from './execution.ts';
import { openHere } from './here.ts';
import { listNames } from './inputs.ts';
import { answering, answersOf } from './outside.ts';
import type { Pool, Told } from './pool.ts';
import type { NodeJob, RowsSource, ToWorker } from './protocol.ts';
import { removeSoon } from './remover.ts';
import { encodeAlignment } from './rows/alignment.ts';
import { loadBase, located } from './rows/base.ts';
import type { Ran, RowsContext } from './rows/context.ts';
import { addUp } from './rows/map.ts';
import { DatasetWriter, type Piece } from './rows/pieces.ts';
import { primaryPort } from './rows/primary-port.ts';
import { printOf, runRows, streamsOf } from './rows/run-rows.ts';
import { Outputs, type Sink, wholeContext } from './whole.ts';

let jobs = 0;

/** Rejects with StageError, WorkerFailure, or a system error; the store then holds nothing that matters. */
export const execute = async (run: Execution): Promise<Executed> => {
  const { node, store, pool } = run;
  const stage = await stageOf(node);
  const print = printOf(run.document, primaryPort(node), stage);
  const job = makeJob(run, stage, print);
  const datasets = new Map<string, DatasetWriter>();
  const metrics = new Map<string, unknown>();
  const trees = new Map<string, string>();
  const models = new Map<string, string>();
  const origins: Record<string, string> = {};
  const datasetOf = (output: string): DatasetWriter => {
    if (node.outputs[output] !== 'rows') throw new Error(`the stage declares no rows output "${output}"`);
    const writer = datasets.get(output) ?? new DatasetWriter(blob => store.putPacked(blob));
    datasets.set(output, writer);
    return writer;
  };
  const take = (output: string, pieces: readonly Piece[]): void => {
    for (const piece of pieces) datasetOf(output).add(piece);
  };
  /** What was asked for elsewhere. */
  const counts: Record<string, number> = {};
  const told = (message: Told): void => {
    if (message.type === 'pieces') take(message.output, message.pieces);
    else if (message.type === 'metrics') metrics.set(message.output, message.value);
    else if (message.type === 'origin') origins[message.name] = message.meaning;
    else if (message.type === 'progress') run.progress(message.done, message.total, message.unit, message.note);
    else if (message.type === 'measure') run.measure(message.values);
    else if (message.type === 'log') run.log(message.line);
    else if (message.type === 'warn') run.warn(message.line);
    else if (message.type === 'count') addUp(counts, message.more);
  };
  const counted = (): string | null =>
    (stage.kind === 'rows' || stage.kind === 'index') && stage.counted && Object.keys(counts).length > 0
      ? stage.counted(counts, run.options)
      : null;
  const here =
    stage.kind !== 'whole' && node.elsewhere && !node.says ? openHere(elsewhere(run, job, counts, counted)) : null;
  try {
    let ran: Ran;
    if (stage.kind === 'whole') {
      const work = isHere(stage)
        ? await runHere(run, job, stage, { take, metrics, trees, models, origins })
        : await runThere(pool, job, told);
      ran = { ...work, seen: work.computed, alignment: null };
    } else {
      const streams = streamsOf(node, stage, run.options);
      const base = await run.base(print);
      const context: RowsContext = {
        job,
        store,
        pool: here ?? pool,
        memo: run.memo,
        print,
        base: loadBase(store, base, streams),
        fresh: run.fresh,
        streams,
        writers: streams.map(datasetOf),
        told,
        ...(here ? { expect: here.expect, progress: () => {} } : { progress: run.progress }),
      };
      ran = await runRows(context, stage, run, value => void metrics.set(reportOf(node), value));
    }
    const outputs: Record<string, StoredOutput> = {};
    for (const [output, type] of Object.entries(node.outputs)) {
      if (type === 'rows') outputs[output] = { type, ...datasetOf(output).finish() };
      else if (type === 'tree')
        outputs[output] = {
          type,
          digest: trees.get(output) ?? storeTree(store, job.outputFolders[output]!, { move: true }),
        };
      else if (type === 'metrics')
        outputs[output] = { type, digest: store.put(Buffer.from(canonical(metrics.get(output) ?? {}))).digest };
      else outputs[output] = { type, digest: models.get(output) ?? '' };
    }
    const alignment = ran.alignment && store.put(encodeAlignment(ran.alignment)).digest;
    store.flush();
    // Nothing that was put or taken over has to be looked up again to be known to be there.
    for (const [output, writer] of datasets) {
      const stored = outputs[output]!;
      if (stored.type !== 'rows') continue;
      const loose = writer.parts.filter(c => c.bytes >= LOOSE_FROM).map(c => located(store, c.digest));
      store.markWhole(stored.digest, loose);
      if (stored.lineage !== null) store.markWhole(stored.lineage, loose);
    }
    removeSoon(job.work, job.scratch);
    return {
      outputs,
      alignment,
      print,
      computed: ran.computed,
      tallies: { ...ran.tallies, seen: ran.seen },
      origins,
      counted: counted(),
      stage,
    };
  } finally {
    here?.close();
    if (Object.keys(counts).length > 0) run.measure(counts);
    pool.close(job.id);
    for (const folder of Object.values(job.outputFolders)) removeSoon(folder, job.scratch);
  }
};

/** The output that holds what a stage over rows measures. */
const reportOf = ({ outputs }: GraphNode): string =>
  Object.keys(outputs).find(output => outputs[output] === 'metrics') ?? 'metrics';

/** What comes of a node while it runs. */
interface Taken {
  take(output: string, pieces: readonly Piece[]): void;
  readonly metrics: Map<string, unknown>;
  /** Digests by output. */
  readonly trees: Map<string, string>;
  /** Digests of lists by output. */
  readonly models: Map<string, string>;
  readonly origins: Record<string, string>;
}

const elsewhere = (
  run: Execution,
  job: NodeJob,
  counts: Record<string, number>,
  counted: () => string | null,
): Parameters<typeof openHere>[0] => ({
  job,
  pool: run.pool,
  outside: {
    answer: answering(answersOf(run.memo)),
    count: more => addUp(counts, more),
    warn: run.warn,
    signal: run.signal,
  },
  progress: (done, total) => {
    const note = counted();
    run.progress(done, total, 'rows', ...(note === null ? [] : [note]));
  },
});

/** Whether it runs in this thread: it only waits for a program. */
const isHere = (stage: Stage): boolean => stage.kind === 'whole' && stage.runs === 'main';

type Totals = Pick<Ran, 'computed' | 'tallies'>;

const runThere = async (
  pool: Pool,
  job: NodeJob,
  told: (message: Told, reply: (message: ToWorker) => void) => void,
): Promise<Totals> => (await pool.run(job, { type: 'stream', id: job.id }, told)) as Totals;

const runHere = async (run: Execution, job: NodeJob, stage: WholeStage, taken: Taken): Promise<Totals> => {
  const sink = mainSink(run, taken);
  const outputs = new Outputs(sink);
  const reader = new BlobReader();
  try {
    await stage.run(wholeContext(job, reader, sink, outputs, run.signal));
    await outputs.close();
  } finally {
    reader.close();
  }
  return { computed: outputs.written, tallies: outputs.tallies };
};

const makeJob = (run: Execution, stage: Stage, print: string): NodeJob => {
  const { node, store } = run;
  const folders: Record<string, ModelInput | TreeInput> = {};
  const metrics: Record<string, Fields> = {};
  const rows: Record<string, RowsSource[]> = {};
  const primary = primaryPort(node);
  for (const [port, artifacts] of Object.entries(run.inputs)) {
    for (const [i, a] of artifacts.entries()) {
      if (a.type === 'model') folders[port] = { type: 'model', folder: a.folder, files: a.files };
      else if (a.type === 'tree')
        folders[port] = isHere(stage)
          ? lazyTree(store, a.digest)
          : { type: 'tree', folder: treeFolder(store, a.digest) };
      else if (a.type === 'metrics') metrics[port] = JSON.parse(store.read(a.digest)!.toString());
      else if (a.type === 'rows' && (stage.kind === 'whole' || port !== primary)) {
        const prefix = node.inputs[port]!.port.list ? listNames(node.inputs[port]!.from)[i]! : '';
        const source = rowsSource(store, a.digest, prefix);
        if (!source) throw new BlobCorrupt(a.digest, 'is not whole in the store');
        rows[port] = [...(rows[port] ?? []), source];
      }
    }
  }
  const id = ++jobs;
  const scratch = store.scratch();
  const outputFolders: Record<string, string> = {};
  for (const [output, type] of Object.entries(node.outputs))
    if (type === 'tree') outputFolders[output] = join(scratch, `${id}-${output}`);
  const work = join(store.folder, 'work', run.key);
  return {
    id,
    module: node.module,
    options: run.options,
    secrets: run.secrets,
    files: run.files,
    folders,
    metrics,
    rows,
    outputFolders,
    scratch,
    work,
    kept: run.kept,
    refresh: run.refresh,
    origins: run.origins,
    tracer: run.tracer,
    threads: run.threads,
    gpus: run.gpus,
    dear: stage.kind === 'rows' && stage.dear ? print : null,
  };
};

const mainSink = (run: Execution, { take, metrics, trees, models, origins }: Taken): Sink => ({
  pieces: async (output, pieces) => take(output, pieces),
  metrics: (output, value: Fields) => void metrics.set(output, value),
  tree: (output, folder) => void trees.set(output, storeTree(run.store, folder, { move: true })),
  origin: (name, meaning) => {
    origins[name] = meaning;
  },
  model: (output, folder) => void models.set(output, storeModel(run, folder)),
  progress: run.progress,
  measure: run.measure,
  log: run.log,
  warn: run.warn,
});

/** Keeps the list of a model's files. */
const storeModel = ({ store, look }: Execution, folder: string): string => {
  const path = join(modelsFolder(), folder);
  const files = readdirSync(path, { withFileTypes: true })
    .filter(e => e.isFile())
    .map(({ name }) => {
      const { digest, size } = look(join(path, name));
      return [name, [digest, size]] as const;
    });
  return store.put(encodeModelList({ folder, files: Object.fromEntries(files) })).digest;
};
