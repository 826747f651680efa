/** The stage `lora` with `backend: cuda`, on the CPU: beside the embedded backend, and where its Python comes from. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext, vi } from 'vitest';
import type { ModelInput } from '../../../../stages/contract.ts';
import { environment } from '../../../../stages/trainer/cuda/environment.ts';
import lora from '../../../../stages/trainer/lora.ts';
import { type Python, pythonEnvironment } from '../../../rig/python.ts';
import { tokenRows } from '../../../rig/trainer.ts';
import { rowsInput, runWhole, temporaryFolder, withDefaults } from '../../../rig/whole.ts';

const model: ModelInput = {
  type: 'model',
  folder: join(import.meta.dirname, '../../../../pipelines/models/tiny-chat'),
  files: {},
};

let python: Python;
let temporary: ReturnType<typeof temporaryFolder>;
beforeAll(async () => {
  python = await pythonEnvironment();
}, 900_000);
beforeEach(() => {
  temporary = temporaryFolder();
  // Without a GPU, as in CI.
  vi.stubEnv('CUDA_VISIBLE_DEVICES', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  temporary[Symbol.dispose]();
});

const need = (context: TestContext) => {
  if ('missing' in python) return context.skip(python.missing);
  vi.stubEnv('FINETUNE_PYTHON', python.python);
};

const train = (name: string, options: Record<string, unknown>) =>
  runWhole(lora, {
    folder: join(temporary.path, name),
    options: withDefaults('trainer/lora', {
      steps: 8,
      batch: 4,
      lr: 0.002,
      warmup: 2,
      scheduler: 'cosine',
      ...options,
    }),
    inputs: { model, train: rowsInput(tokenRows(20, 4096)), eval: rowsInput(tokenRows(5, 4096, 'held')) },
  });

const reasonOf = (run: Promise<unknown>): Promise<{ reason: string; message: string; advice?: string }> =>
  run.then(
    () => {
      throw new Error('it did not fail');
    },
    error => error,
  );

describe('backend: cuda', () => {
  it('and embedded agree on tiny-chat: losses, norms, held-out loss, the adapter as a file', {
    timeout: 120_000,
  }, async context => {
    need(context);
    const targets = ['q_proj', 'v_proj', 'gate_proj', 'down_proj'];
    const [ours, theirs] = [
      await train('cuda', { backend: 'cuda', targets }),
      await train('embedded', { backend: 'embedded', targets }),
    ];
    const steps = (run: typeof ours) => run.measures.filter(m => 'grad_norm' in m);
    expect(steps(ours)).toHaveLength(8);
    steps(ours).forEach((step, i) => {
      const other = steps(theirs)[i]!;
      expect(Math.abs(step.loss! - other.loss!), `loss of step ${i + 1}`).toBeLessThan(1e-4);
      expect(Math.abs(step.grad_norm! / other.grad_norm! - 1), `norm of step ${i + 1}`).toBeLessThan(1e-3);
      expect(step.tokens).toBe(other.tokens);
      expect(step.trained_tokens).toBe(other.trained_tokens);
      expect(step.lr).toBeCloseTo(other.lr!, 12);
    });
    const [a, b] = [ours.metrics.metrics!, theirs.metrics.metrics!];
    expect(Object.keys(a)).toEqual(Object.keys(b));
    for (const [name, value] of Object.entries(a))
      expect(Math.abs((value as number) - (b[name] as number)), name).toBeLessThan(1e-4);
    const config = (run: typeof ours) =>
      JSON.parse(readFileSync(join(run.output('adapter'), 'adapter_config.json'), 'utf8'));
    expect(config(ours)).toEqual(config(theirs));
    const header = (run: typeof ours) => {
      const bytes = readFileSync(join(run.output('adapter'), 'adapter_model.safetensors'));
      const { __metadata__: _, ...tensors } = JSON.parse(
        bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString(),
      );
      return Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, (t as { shape: number[] }).shape]));
    };
    expect(header(ours)).toEqual(header(theirs));
  });

  it('takes options that the embedded backend refuses', { timeout: 120_000 }, async context => {
    need(context);
    const options = { dropout: 0.1, checkpointing: 'full', deterministic: true, precision: 'float32', on_oom: 'retry' };
    const { metrics } = await train('cuda', { backend: 'cuda', steps: 2, ...options });
    expect(metrics.metrics).toMatchObject({ steps: 2 });
    expect(await reasonOf(train('embedded', { ...options }))).toMatchObject({
      reason: 'bad-option',
      message: 'the embedded backend does not know dropout, precision, checkpointing, deterministic, on_oom',
      advice: 'Leave them out, or choose backend: cuda.',
    });
  });

  it('says what a target would have to be', { timeout: 120_000 }, async context => {
    need(context);
    const error = await reasonOf(train('cuda', { backend: 'cuda', targets: ['gate_up_proj'] }));
    expect(error).toMatchObject({ reason: 'unmatched-target' });
    expect(error.advice).toContain('gate_proj');
  });
});

/** A stand-in for a program on the PATH: writes down how it was called, makes the interpreter, or fails. */
const fakePath = (scripts: Readonly<Record<string, string>>) => {
  const bin = join(temporary.path, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(bin, name), `#!/bin/sh\necho "$0 $*" >> '${temporary.path}/calls'\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  vi.stubEnv('PATH', bin + delimiter + process.env.PATH);
  vi.stubEnv('XDG_CACHE_HOME', join(temporary.path, 'cache'));
};

describe("the trainer's Python", () => {
  const requirements = () => {
    const path = join(temporary.path, 'requirements.txt');
    writeFileSync(path, 'torch==0\n');
    return path;
  };
  const context = () => ({ log: () => {}, signal: new AbortController().signal });
  const calls = () => readFileSync(join(temporary.path, 'calls'), 'utf8').trim().split('\n');

  it('is made once, by uv where it is there', async () => {
    fakePath({ uv: 'exit 0', python3: 'exit 1' });
    const first = await environment(requirements(), context());
    expect(calls().map(c => c.replace(/^\S*\/(\w+ \S+( install)?).*/, '$1'))).toEqual([
      'uv --version',
      'uv venv',
      'uv pip install',
    ]);
    expect(await environment(requirements(), context())).toBe(first);
    expect(calls()).toHaveLength(3);
  });

  it('is made again where the making failed, and the failure says what was said last', async () => {
    fakePath({ uv: 'if [ "$1" = pip ]; then echo no such torch >&2; exit 1; fi', python3: 'exit 1' });
    const error = await reasonOf(environment(requirements(), context()));
    expect(error).toMatchObject({ reason: 'no-python' });
    expect(error.message).toContain('no such torch');
    fakePath({ uv: 'exit 0', python3: 'exit 1' });
    expect(await environment(requirements(), context())).toMatch(/bin.python$/);
  });
});
