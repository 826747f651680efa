/** Runs one node's stage by the rule of its kind and takes what it gives into the store. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BlobCorrupt, BlobReader } from '../../cache/blob.ts';
import { canonical } from '../../cache/digest.ts';
import type { StoredOutput } from '../../cache/records.ts';
import { storeTree } from '../../cache/tree.ts';
import { LOOSE_FROM } from '../../cache/writing.ts';
import type { Fields, ModelInput, Stage, TreeInput, WholeStage } from '../../stages/contract.ts';
import { stageOf } from '../stages.ts';
import { rowsSource, treeFolder } from './artifact.ts';
import type { Executed, Execution } from './execution.ts';
import { listNames } from './inputs.ts';
import type { Pool, Told } from './pool.ts';
import type { NodeJob, RowsSource, ToWorker } from './protocol.ts';
import { removeSoon } from './remover.ts';
import { encodeAlignment } from './rows/alignment.ts';
import { loadBase, located } from './rows/base.ts';
import type { Ran, RowsContext } from './rows/context.ts';
import { DatasetWriter, type Piece } from './rows/pieces.ts';
import { primaryPort, printOf, runRows, streamsOf } from './rows/run-rows.ts';
import { Outputs, type Sink, wholeContext } from './whole.ts';

let jobs = 0;

/** Rejects with StageError, WorkerFailure, or a system error; the store then holds nothing that matters. */
export const execute = async (run: Execution): Promise<Executed> => {
  const { node, store, pool } = run;
  const stage = await stageOf(node);
  const scratch = join(store.folder, 'scratch', `${run.key.slice(0, 16)}-${process.pid}`);
  const print = printOf(run.document, primaryPort(node), stage);
  const job = makeJob(run, scratch, stage, print);
  const datasets = new Map<string, DatasetWriter>();
  const metrics = new Map<string, unknown>();
  const datasetOf = (output: string): DatasetWriter => {
    if (node.outputs[output] !== 'rows') throw new Error(`the stage declares no rows output "${output}"`);
    const writer = datasets.get(output) ?? new DatasetWriter(blob => store.putPacked(blob));
    datasets.set(output, writer);
    return writer;
  };
  const take = (output: string, pieces: readonly Piece[]): void => {
    for (const piece of pieces) datasetOf(output).add(piece);
  };
  const told = (message: Told, reply: (message: ToWorker) => void): void => {
    if (message.type === 'pieces') take(message.output, message.pieces);
    else if (message.type === 'metrics') metrics.set(message.output, message.value);
    else if (message.type === 'progress') run.progress(message.done, message.total, message.unit, message.note);
    else if (message.type === 'measure') run.measure(message.values);
    else if (message.type === 'log') run.log(message.line);
    else if (message.type === 'warn') run.warn(message.line);
    else if (message.type === 'find') reply({ type: 'found', id: job.id, given: run.memo.find(message.keys) });
    else void run.memo.keep(message.key, message.given).then(() => reply({ type: 'kept', id: job.id }));
  };
  try {
    let ran: Ran;
    if (stage.kind === 'whole') {
      const work =
        stage.runs === 'main' ? await runHere(run, job, stage, take, metrics) : await runThere(pool, job, told);
      ran = { ...work, seen: work.computed, alignment: null };
    } else {
      const streams = streamsOf(node, stage, run.options);
      const base = await run.base(print);
      const context: RowsContext = {
        job,
        store,
        pool,
        print,
        base: loadBase(store, base, streams),
        fresh: run.fresh,
        streams,
        writers: streams.map(datasetOf),
        told,
        progress: run.progress,
      };
      ran = await runRows(context, stage, run, value => void metrics.set('metrics', value));
    }
    const outputs: Record<string, StoredOutput> = {};
    for (const [output, type] of Object.entries(node.outputs)) {
      if (type === 'rows') outputs[output] = { type, ...datasetOf(output).finish() };
      else if (type === 'tree')
        outputs[output] = { type, digest: storeTree(store, job.outputFolders[output]!, { move: true }) };
      else if (type === 'metrics')
        outputs[output] = { type, digest: store.put(Buffer.from(canonical(metrics.get(output) ?? {}))).digest };
      else outputs[output] = { type, digest: '' };
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
    removeSoon(job.work, join(store.folder, 'scratch'));
    return {
      outputs,
      alignment,
      print,
      computed: ran.computed,
      tallies: { ...ran.tallies, seen: ran.seen },
      stage,
    };
  } finally {
    pool.close(job.id);
    removeSoon(scratch, join(store.folder, 'scratch'));
  }
};

type Totals = Pick<Ran, 'computed' | 'tallies'>;

const runThere = async (
  pool: Pool,
  job: NodeJob,
  told: (message: Told, reply: (message: ToWorker) => void) => void,
): Promise<Totals> => (await pool.run(job, { type: 'stream', id: job.id }, told)) as Totals;

const runHere = async (
  run: Execution,
  job: NodeJob,
  stage: WholeStage,
  take: (output: string, pieces: readonly Piece[]) => void,
  metrics: Map<string, unknown>,
): Promise<Totals> => {
  const sink = mainSink(run, take, metrics);
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

const makeJob = (run: Execution, scratch: string, stage: Stage, print: string): NodeJob => {
  const { node, store } = run;
  const folders: Record<string, ModelInput | TreeInput> = {};
  const metrics: Record<string, Fields> = {};
  const rows: Record<string, RowsSource[]> = {};
  for (const [port, artifacts] of Object.entries(run.inputs)) {
    for (const [i, a] of artifacts.entries()) {
      if (a.type === 'model') folders[port] = { type: 'model', folder: a.folder, files: a.files };
      else if (a.type === 'tree') folders[port] = { type: 'tree', folder: treeFolder(store, a.digest) };
      else if (a.type === 'metrics') metrics[port] = JSON.parse(store.read(a.digest)!.toString());
      else if (a.type === 'rows' && stage.kind === 'whole') {
        const prefix = node.inputs[port]!.port.list ? listNames(node.inputs[port]!.from)[i]! : '';
        const source = rowsSource(store, a.digest, prefix);
        if (!source) throw new BlobCorrupt(a.digest, 'is not whole in the store');
        rows[port] = [...(rows[port] ?? []), source];
      }
    }
  }
  const outputFolders: Record<string, string> = {};
  for (const [output, type] of Object.entries(node.outputs)) {
    if (type !== 'tree') continue;
    outputFolders[output] = join(scratch, output);
    mkdirSync(join(scratch, output), { recursive: true });
  }
  const work = join(store.folder, 'work', run.key);
  return {
    id: ++jobs,
    module: node.module,
    options: run.options,
    secrets: run.secrets,
    files: run.files,
    folders,
    metrics,
    rows,
    outputFolders,
    work,
    tracer: run.tracer,
    threads: run.threads,
    gpus: run.gpus,
    dear: stage.kind === 'rows' && stage.dear ? print : null,
  };
};

const mainSink = (
  run: Execution,
  take: (output: string, pieces: readonly Piece[]) => void,
  metrics: Map<string, unknown>,
): Sink => ({
  pieces: async (output, pieces) => take(output, pieces),
  metrics: (output, value: Fields) => void metrics.set(output, value),
  progress: run.progress,
  measure: run.measure,
  log: run.log,
  warn: run.warn,
});
