/** Answers prompts with the base and the tuned model side by side: both are rows of one batch, told apart by a gate. */
import type { Tensor } from 'onnxruntime-node';
import { StageError } from '../../contract.ts';
import { runtime } from '../../onnx/runtime.ts';
import type { Answer, GenerateJob } from '../job.ts';
import { readAdapter } from './adapter.ts';
import { buildGenerator } from './generation-graph.ts';
import { factors } from './lora.ts';
import type { Process } from './process.ts';
import { createRandom } from './random.ts';
import { sample } from './sampling.ts';
import { createSession } from './session.ts';
import { type Model, openModel } from './weights.ts';

/** Rows generated at a time, and bytes their caches may take. */
const ROWS = 32;
const BUDGET = 512 << 20;

/** Below this many parameters one token is so little work that a second thread costs more than it brings. */
const SMALL = 20_000_000;

/** One answer being written. */
interface Stream {
  readonly prompt: number;
  readonly model: 'base' | 'tuned';
  readonly ids: readonly number[];
  readonly seen: Set<number>;
  readonly random: () => number;
  readonly written: number[];
  stopped: number | null;
  done: boolean;
}

export const generateAnswers = async (job: GenerateJob, process_: Process): Promise<readonly Answer[]> => {
  const model = openModel(job.model);
  const { config } = model;
  const adapter = job.adapter === null ? null : readAdapter(job.adapter, config);
  process_.emit({
    type: 'start',
    task: 'generate',
    parameters: model.parameters,
    trainable: adapter?.weights.length ?? 0,
  });
  checkPrompts(job, model);
  const { max_tokens: maxTokens, seed } = job.options;
  const longest = Math.max(0, ...job.prompts.map(p => p.length));
  const capacity = Math.min(config.maxPositions, longest + maxTokens);
  const graph = buildGenerator(model, adapter?.lora ?? null, capacity);
  const threads = model.parameters < SMALL ? 1 : job.threads;
  const session = await createSession(graph.bytes, model, threads);
  const { Tensor } = await runtime();
  const fixed: Record<string, Tensor> = {};
  for (const f of adapter ? factors(config, adapter.lora) : [])
    fixed[f.name] = new Tensor('float32', adapter!.weights.subarray(f.offset, f.offset + f.size), [...f.shape]);

  const stops = new Set([...config.eosIds, ...job.stop]);
  const variants = adapter ? (['base', 'tuned'] as const) : (['base'] as const);
  const streams = job.prompts.flatMap((ids, prompt) =>
    variants.map(
      (name): Stream => ({
        prompt,
        model: name,
        ids,
        seen: new Set(ids),
        // Base and tuned draw the same numbers: what differs is the model.
        random: createRandom(seed + prompt),
        written: [],
        stopped: null,
        done: false,
      }),
    ),
  );

  const write = async (batch: readonly Stream[]) => {
    const rows = batch.length;
    const cacheShape = [rows, config.kvHeads, capacity, config.headDim];
    const cacheSize = cacheShape.reduce((a, b) => a * b, 1);
    const caches: Record<string, Tensor> = {};
    const results: Record<string, Tensor> = {};
    graph.cache.forEach((names, layer) => {
      for (const part of ['keys', 'values'] as const) {
        // Input and output are one piece of memory: the operator then appends in place.
        const tensor = new Tensor('float32', new Float32Array(cacheSize), cacheShape);
        caches[`${part}.${layer}`] = tensor;
        results[names[part]] = tensor;
      }
    });
    const logits = new Float32Array(rows * config.vocab);
    results.logits = new Tensor('float32', logits, [rows, config.vocab]);

    let length = Math.max(...batch.map(s => s.ids.length));
    let next = Int32Array.from(
      { length: rows * length },
      (_, i) => batch[Math.floor(i / length)]!.ids[i % length] ?? 0,
    );
    const seen = Int32Array.from(batch, s => s.ids.length - 1);
    let last = Int32Array.from(batch, (s, row) => row * length + s.ids.length - 1);
    for (let first = true; ; first = false) {
      process_.checkInterrupt();
      const gate = new Float32Array(rows * length);
      batch.forEach((s, row) => {
        gate.fill(s.model === 'tuned' ? 1 : 0, row * length, (row + 1) * length);
      });
      await session.run(
        {
          ...fixed,
          ...caches,
          ids: new Tensor('int32', next, [rows, length]),
          last: new Tensor('int32', last, [rows]),
          seen: new Tensor('int32', seen, [rows, 1]),
          // The first run reads whole prompts: all that is seen is new, shorter ones end in padding.
          total: new Tensor('int32', Int32Array.of(first ? length : Math.max(...seen) + 1), [1]),
          positions: new Tensor('int64', places(first ? length : null, seen), [rows * length, 1]),
          gate: new Tensor('float32', gate, [rows * length, 1]),
        },
        results,
      );
      if (first) {
        length = 1;
        next = new Int32Array(rows);
        last = Int32Array.from({ length: rows }, (_, row) => row);
      }
      batch.forEach((stream, row) => {
        if (stream.done) return;
        const id = sample(
          logits.subarray(row * config.vocab, (row + 1) * config.vocab),
          stream.seen,
          job.options,
          stream.random,
        );
        stream.stopped = stops.has(id) ? id : null;
        if (stream.stopped === null) {
          stream.written.push(id);
          stream.seen.add(id);
          next[row] = id;
        }
        const full = stream.written.length >= maxTokens || seen[row]! + 2 > capacity;
        stream.done = stream.stopped !== null || full;
        if (!stream.done) seen[row] = seen[row]! + 1;
      });
      if (batch.every(s => s.done)) return;
    }
  };

  const perRow = 8 * config.layers * config.kvHeads * config.headDim * capacity;
  const size = Math.max(1, Math.min(ROWS, Math.floor(BUDGET / perRow)));
  // Prompts of like length share a batch: padding is read too.
  const sorted = streams.toSorted((a, b) => a.ids.length - b.ids.length || a.prompt - b.prompt);
  for (let at = 0; at < sorted.length; at += size) {
    await write(sorted.slice(at, at + size));
    process_.emit({
      type: 'progress',
      done: Math.min(at + size, sorted.length),
      total: sorted.length,
      unit: 'answers',
    });
  }
  return streams.map(({ prompt, model: name, written, stopped }) => ({ prompt, model: name, ids: written, stopped }));
};

/** Position of each token in its row: of whole prompts of one length, or of the one token that each row adds. */
const places = (length: number | null, seen: Int32Array): BigInt64Array =>
  length === null
    ? BigInt64Array.from(seen, BigInt)
    : BigInt64Array.from({ length: seen.length * length }, (_, i) => BigInt(i % length));

const checkPrompts = (job: GenerateJob, { config }: Model) => {
  job.prompts.forEach((ids, i) => {
    const alien = ids.find(id => !(id >= 0 && id < config.vocab));
    if (alien !== undefined)
      throw new StageError('bad-tokens', `prompt ${i + 1}: token id ${alien} is outside the model's vocabulary`);
    if (ids.length === 0) throw new StageError('bad-tokens', `prompt ${i + 1} is empty`);
    if (ids.length >= config.maxPositions)
      throw new StageError(
        'bad-tokens',
        `prompt ${i + 1}: ${ids.length} tokens leave no room in ${config.maxPositions} positions`,
      );
  });
};
