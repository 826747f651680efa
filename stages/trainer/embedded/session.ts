/** ONNX Runtime sessions as this trainer sets them up: CPU, fixed threads, weights read from the model's own files. */
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { runtime } from '../../onnx/runtime.ts';
import type { Batch } from './batches.ts';
import { buildDecoder, GRADIENT } from './decoder.ts';
import type { Factor, LoraShape } from './lora.ts';
import type { Model } from './weights.ts';

/** Above this many parameters ONNX Runtime's repacked copies of the weights cost more memory than they save time. */
const PREPACK_LIMIT = 100_000_000;

export const createSession = async (bytes: Uint8Array, model: Model, threads: number): Promise<InferenceSession> => {
  const { InferenceSession } = await runtime();
  const session: Record<string, string> = {
    model_external_initializers_file_folder_path: model.root,
    // Threads that wait between operators spin this long, then sleep. The default spins on and on: a little faster on
    // an idle machine (2 %), three times slower on one whose cores are shared.
    'intra_op.spin_duration_us': '50',
  };
  if (model.parameters > PREPACK_LIMIT) session.disable_prepacking = '1';
  return InferenceSession.create(bytes, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    extra: { session },
  });
};

/** A decoder ready to run. The factors are read from the flat vector given at creation: change it between runs. */
export interface Decoder {
  readonly factors: readonly Factor[];
  /** Losses of the batch's picked tokens (nats); with a backward pass, `gradient` is overwritten. */
  run(batch: Batch): Promise<Float32Array>;
  release(): Promise<void>;
}

interface DecoderSetup {
  readonly model: Model;
  readonly lora: LoraShape;
  readonly maxLength: number;
  readonly threads: number;
  /** The adapter's factors, flat: see `factors`. */
  readonly weights: Float32Array;
  /** Where gradients go; without it only the forward pass is built. */
  readonly gradient?: Float32Array;
}

export const createDecoder = async (setup: DecoderSetup): Promise<Decoder> => {
  const { model, lora, maxLength, threads, weights, gradient } = setup;
  const { Tensor } = await runtime();
  const built = buildDecoder(model, { lora, backward: gradient !== undefined, maxLength });
  const session = await createSession(built.bytes, model, threads);
  const views = (flat: Float32Array, prefix: string): Record<string, Tensor> =>
    Object.fromEntries(
      built.factors.map(f => [
        prefix + f.name,
        new Tensor('float32', flat.subarray(f.offset, f.offset + f.size), [...f.shape]),
      ]),
    );
  const feeds = views(weights, '');
  const gradients = gradient ? views(gradient, GRADIENT) : {};
  return {
    factors: built.factors,
    run: async batch => {
      const all: Record<string, Tensor> = { ...feeds };
      for (const [name, [data, shape]] of Object.entries(batch.inputs)) all[name] = tensor(Tensor, data, shape);
      const picked = batch.rows.length;
      const losses = new Float32Array(picked);
      // Results go straight into our arrays: no copy, and none of the runtime's memory is held.
      await session.run(all, { losses: new Tensor('float32', losses, [picked, 1]), ...gradients });
      return losses;
    },
    release: () => session.release(),
  };
};

const tensor = (
  Constructor: typeof Tensor,
  data: Int32Array | BigInt64Array | Float32Array,
  shape: readonly number[],
): Tensor => {
  if (data instanceof Float32Array) return new Constructor('float32', data, [...shape]);
  if (data instanceof Int32Array) return new Constructor('int32', data, [...shape]);
  return new Constructor('int64', data, [...shape]);
};
