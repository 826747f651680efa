/** The training loop: read the step's rows, run the graph, clip, update, report, save. Reads top to bottom. */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { StageError } from '../../contract.ts';
import type { Measured, TrainJob, TrainSummary } from '../job.ts';
import { adamStep, createAdam, learningRate, norm } from './adamw.ts';
import { readAdapter, writeAdapter } from './adapter.ts';
import { createBatch, type Document, microBatches, trainedCount } from './batches.ts';
import { loadCheckpoint, type Progress, saveCheckpoint } from './checkpoint.ts';
import { evaluate } from './evaluate.ts';
import { type Factor, factors, initialFactors, type LoraShape, type Target } from './lora.ts';
import { Interrupted, type Process } from './process.ts';
import { createDecoder, type Decoder } from './session.ts';
import { openTokens, type TokenRows } from './tokens.ts';
import { type Model, openModel } from './weights.ts';

/** Runs or continues a training. Throws `Interrupted` after it has saved, StageError for expected trouble. */
export const train = async (job: TrainJob, process_: Process) => {
  const { emit } = process_;
  const { options } = job;
  const model = openModel(job.model);
  const { config } = model;
  const { r, alpha, rslora } = options;
  // `factors` refuses what is no matrix of the model.
  const lora: LoraShape = { r, alpha, rslora, targets: options.targets as readonly Target[] };
  const list = factors(config, lora);
  const weights = startingWeights(job, model, lora, list);
  const adam = createAdam(weights.length);
  const gradient = new Float32Array(weights.length);
  emit({ type: 'start', task: 'train', parameters: model.parameters, trainable: weights.length });

  const rows = openTokens(job.train, config);
  const held = job.eval ? openTokens(job.eval, config) : null;
  const metrics = join(job.checkpoint, 'metrics.jsonl');
  const fingerprint = jobFingerprint(job, model);
  let at: Progress = loadCheckpoint(job.checkpoint, fingerprint, { weights, adam }) ?? START;
  if (at.step > 0 && (!existsSync(metrics) || statSync(metrics).size < at.metricsLength)) {
    weights.set(startingWeights(job, model, lora, list));
    adam.mean.fill(0);
    adam.square.fill(0);
    at = START;
  }
  writeFileSync(metrics, '', { flag: 'a' });
  truncateSync(metrics, at.metricsLength);
  if (at.step > 0) emit({ type: 'resume', step: at.step });
  const record = (line: object) => {
    const text = `${JSON.stringify(line)}\n`;
    appendFileSync(metrics, text);
    at = { ...at, metricsLength: at.metricsLength + Buffer.byteLength(text) };
  };
  const save = () => {
    // First what the checkpoint refers to, then the checkpoint.
    const fd = openSync(metrics, 'r');
    fsyncSync(fd);
    closeSync(fd);
    saveCheckpoint(job.checkpoint, fingerprint, { weights, adam }, at);
    emit({ type: 'checkpoint', step: at.step });
  };

  const common = { model, lora, threads: job.threads, weights };
  const decoder = await createDecoder({ ...common, maxLength: rows.longest, gradient });
  const judge = held ? await createDecoder({ ...common, maxLength: held.longest }) : null;
  const measure = async (): Promise<Measured> => {
    const [result] = await evaluate(held!, config, [{ decoder: judge!, use: () => {} }], process_);
    emit({ type: 'eval', step: at.step, ...result! });
    at = { ...at, evalStep: at.step };
    record({ step: at.step, eval_loss: result!.loss });
    return result!;
  };

  try {
    if (held && at.evalBefore === null) {
      const evalBefore = await measure();
      at = { ...at, evalBefore };
    }
    const steps = job.steps.length;
    while (at.step < steps) {
      process_.checkInterrupt();
      // At the start of a step, so that a training stopped in a measurement makes it again.
      if (held && at.step > at.evalStep && options.eval_steps > 0 && at.step % options.eval_steps === 0)
        await measure();
      const documents: Document[] = [];
      for (const row of job.steps[at.step]!) documents.push(await rows.read(row));
      const { loss, trained } = await runStep(documents, { decoder, model, gradient, rows, job, step: at.step + 1 });
      const gradNorm = norm(gradient);
      if (!Number.isFinite(gradNorm)) throw await diverged('gradient', at.step + 1, documents, rows);
      const lr = learningRate(options, at.step, steps);
      const factor = options.max_grad_norm > 0 ? Math.min(1, options.max_grad_norm / (gradNorm + 1e-6)) : 1;
      adamStep(adam, { weights, gradient, factor, lr, step: at.step + 1 }, options);
      const tokens = documents.reduce((sum, d) => sum + d.ids.length, 0);
      at = {
        ...at,
        step: at.step + 1,
        rows: at.rows + documents.length,
        tokens: at.tokens + tokens,
        trainedTokens: at.trainedTokens + trained,
        lossSum: at.lossSum + loss * trained,
        lastLoss: loss,
      };
      if (at.step % options.log_steps === 0 || at.step === steps) {
        const line = { step: at.step, loss, lr, tokens, trained_tokens: trained, grad_norm: gradNorm };
        record(line);
        const { rss } = process.memoryUsage();
        emit({ type: 'step', steps, ...line, memory: rss, seconds: performance.now() / 1000 });
      }
      if (options.save_steps > 0 && at.step % options.save_steps === 0) save();
    }
  } catch (error) {
    if (error instanceof Interrupted) save();
    throw error;
  }

  assertEffect(list, weights);
  save();
  const after = held ? await measure() : null;
  mkdirSync(job.output, { recursive: true });
  writeAdapter(join(job.output, 'adapter'), config, { lora, weights }, config.name);
  const summary: TrainSummary = {
    steps: at.step,
    rows: at.rows,
    tokens: at.tokens,
    trained_tokens: at.trainedTokens,
    train_loss: at.lossSum / at.trainedTokens,
    final_loss: at.lastLoss,
    eval: after ? { before: at.evalBefore!, after } : null,
    seconds: performance.now() / 1000,
  };
  return { summary, metrics };
};

const START: Progress = {
  step: 0,
  rows: 0,
  tokens: 0,
  trainedTokens: 0,
  lossSum: 0,
  lastLoss: 0,
  evalBefore: null,
  evalStep: 0,
  metricsLength: 0,
};

interface StepContext {
  readonly decoder: Decoder;
  readonly model: Model;
  readonly gradient: Float32Array;
  readonly rows: TokenRows;
  readonly job: TrainJob;
  /** From 1. */
  readonly step: number;
}

/** Loss of the step (sum over trained tokens / their count) and its gradient, whatever the number of runs it takes. */
const runStep = async (documents: readonly Document[], context: StepContext) => {
  const { decoder, model, gradient, rows, job, step } = context;
  const trained = documents.reduce((sum, d) => sum + trainedCount(d.mask), 0);
  const parts = microBatches(documents, model.config, job.options.micro_batch);
  const total = parts.length > 1 ? new Float32Array(gradient.length) : null;
  let sum = 0;
  for (const part of parts) {
    const batch = createBatch(part, model.config, 1 / trained);
    const losses = await decoder.run(batch);
    for (let i = 0; i < losses.length; i++) sum += losses[i]!;
    if (!Number.isFinite(sum)) {
      const culprits = new Set([...batch.rows].filter((_, i) => !Number.isFinite(losses[i])));
      throw await diverged(
        'loss',
        step,
        documents.filter(d => culprits.has(d.row)),
        rows,
      );
    }
    if (total) for (let i = 0; i < total.length; i++) total[i] = total[i]! + gradient[i]!;
  }
  if (total) gradient.set(total);
  return { loss: sum / trained, trained };
};

const diverged = async (what: string, step: number, documents: readonly Document[], rows: TokenRows) => {
  const ids = await rows.ids(documents.slice(0, 5).map(d => d.row));
  return new StageError('training-diverged', `step ${step}: the ${what} is not finite (rows ${ids.join(', ')})`, {
    advice: 'Lower lr, raise warmup, or look at these rows.',
  });
};

/** A fresh start, or the adapter to continue, which must be of the shape asked for. */
const startingWeights = (job: TrainJob, model: Model, lora: LoraShape, list: readonly Factor[]) => {
  if (job.adapter === null) return initialFactors(list, job.options.seed);
  const { lora: found, weights } = readAdapter(job.adapter, model.config);
  const same = found.r === lora.r && found.alpha === lora.alpha && found.rslora === lora.rslora;
  if (!same || found.targets.join() !== [...lora.targets].sort(byTarget(found.targets)).join())
    throw new StageError(
      'bad-adapter',
      `the adapter to continue has r ${found.r}, alpha ${found.alpha}, rslora ${found.rslora}, targets ${found.targets.join(', ')}`,
      { advice: 'Give the trainer the same r, alpha, rslora and targets.' },
    );
  return weights;
};

const byTarget = (order: readonly string[]) => (a: string, b: string) => order.indexOf(a) - order.indexOf(b);

/** An adapter without effect is a failure that no loss curve shows (mlx-lm #1172). */
const assertEffect = (list: readonly Factor[], weights: Float32Array) => {
  for (const { name, offset, size } of list) {
    if (!name.endsWith('lora_B') || weights.subarray(offset, offset + size).some(v => v !== 0)) continue;
    throw new StageError('no-effect', `after training, ${name} is still zero: this matrix has not been trained`);
  }
};

/** Which job a checkpoint belongs to: everything that decides the result, but for paths and threads. */
const jobFingerprint = (job: TrainJob, model: Model): string => {
  const { steps, options, train, eval: held } = job;
  const sizes = [...train.shards, ...(held?.shards ?? [])].map(path => statSync(path).size);
  const text = JSON.stringify({ steps, options, sizes, config: model.config, continues: job.adapter !== null });
  return createHash('sha256').update(text).digest('hex');
};
