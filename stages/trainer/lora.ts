/** Trains a LoRA adapter on tokenised rows: writes the job, lets a backend's program do it, takes the result in. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoraOptions } from '../../schemas/types.ts';
import {
  type Fields,
  type ModelInput,
  type RowsInput,
  StageError,
  type TreeInput,
  type WholeStage,
} from '../contract.ts';
import type { TrainerEvent, TrainJob, TrainSummary } from './job.ts';
import { stepRows } from './order.ts';
import { embeddedProgram, readSummary, runProgram } from './program.ts';
import { writeShards } from './shards.ts';

/** Steps if 1 or more, else a share of all steps. */
const warmupSteps = (warmup: number, steps: number): number =>
  warmup >= 1 ? Math.round(warmup) : Math.ceil(warmup * steps);

/** Options that only a backend of PyTorch can keep to. */
const CUDA_ONLY = ['precision', 'checkpointing', 'fp8', 'deterministic', 'on_oom'] as const;

const checkOptions = ({ backend, dropout, ...rest }: LoraOptions) => {
  if (backend !== 'embedded') return;
  const given = CUDA_ONLY.filter(name => rest[name] !== undefined);
  const wrong = [...(dropout > 0 ? ['dropout'] : []), ...given];
  if (wrong.length > 0)
    throw new StageError('bad-option', `the embedded backend does not know ${wrong.join(', ')}`, {
      advice: `Leave ${wrong.length > 1 ? 'them' : 'it'} out, or choose backend: cuda.`,
    });
};

const rounded = (value: number): number => Number(value.toPrecision(6));

export default {
  kind: 'whole',
  runs: 'main',
  async run(context) {
    const { options, inputs, work, signal, threads } = context;
    checkOptions(options);
    const model = inputs.model as ModelInput;
    const adapter = inputs.adapter as TreeInput | undefined;
    const held = inputs.eval as RowsInput | undefined;
    const ids: string[] = [];
    const train = await writeShards(join(work, 'train'), inputs.train as RowsInput, {
      signal,
      onRow: id => ids.push(id),
    });
    if (train.rows === 0)
      throw new StageError('no-rows', 'there are no rows to train on', {
        advice: 'See what the nodes before rejected or dropped.',
      });
    const evaluation = held && held.count > 0 ? await writeShards(join(work, 'eval'), held, { signal }) : null;
    if (held && !evaluation) context.warn('the eval input has no rows: nothing is measured on it');
    const { backend, dropout, steps: count, epochs, batch, warmup, ...rest } = options;
    const steps = stepRows(ids, { seed: options.seed, batch, steps: count ?? null, epochs: epochs ?? 1 });
    const job: TrainJob = {
      version: 1,
      task: 'train',
      model: model.folder,
      adapter: adapter?.folder ?? null,
      threads,
      output: join(work, 'output'),
      checkpoint: join(work, 'checkpoint'),
      train: { shards: train.shards, ids: train.ids },
      eval: evaluation && { shards: evaluation.shards, ids: evaluation.ids },
      steps,
      options: { ...rest, ...(backend === 'cuda' ? { dropout } : {}), warmup: warmupSteps(warmup, steps.length) },
    };
    context.log(
      `${train.rows} rows, ${train.tokens} tokens, ${train.trainedTokens} of them trained; ${steps.length} steps`,
    );
    const program =
      backend === 'cuda' ? await (await import('./cuda/environment.ts')).cudaProgram(context) : embeddedProgram();
    await runProgram(program, job, context, event => report(event, context));

    const tree = context.folder('adapter');
    await cp(join(job.output, 'adapter'), tree, { recursive: true });
    await writeFile(join(tree, 'metrics.jsonl'), await readFile(join(job.output, 'metrics.jsonl')));
    context.metrics('metrics', metricsOf(await readSummary<TrainSummary>(job.output)));
  },
} satisfies WholeStage<LoraOptions>;

const report = (
  event: TrainerEvent,
  context: Pick<Parameters<WholeStage['run']>[0], 'progress' | 'measure' | 'log'>,
) => {
  if (event.type === 'step') {
    const { type: _, steps, step, ...values } = event;
    context.progress(step, steps, 'steps', `loss ${event.loss.toFixed(3)}`);
    context.measure({ step, ...values });
  } else if (event.type === 'eval') {
    context.measure({ step: event.step, eval_loss: event.loss });
    context.log(`step ${event.step}: held-out loss ${event.loss.toFixed(4)} over ${event.tokens} tokens`);
  } else if (event.type === 'resume') context.log(`continued after step ${event.step}`);
};

/** Without times: metrics must be the same when made again. */
const metricsOf = (summary: TrainSummary): Fields => ({
  train_loss: rounded(summary.train_loss),
  final_loss: rounded(summary.final_loss),
  ...(summary.eval
    ? { eval_loss_before: rounded(summary.eval.before.loss), eval_loss_after: rounded(summary.eval.after.loss) }
    : {}),
  steps: summary.steps,
  rows: summary.rows,
  tokens: summary.tokens,
  trained_tokens: summary.trained_tokens,
});
