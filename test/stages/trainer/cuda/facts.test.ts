/** The facts about the CUDA trainer that are told in Python (test_*.py), on the CPU: each file by its runner, `run.py`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, expect, it, type TestContext } from 'vitest';
import { type Python, pythonEnvironment } from '../../../rig/python.ts';

interface Fact {
  readonly fact: string;
  readonly error: string | null;
}

let python: Python;
beforeAll(async () => {
  python = await pythonEnvironment();
}, 900_000);

/** The facts of a file that do not hold. */
const broken = async (interpreter: string, file: string): Promise<readonly string[]> => {
  const child = spawn(interpreter, ['-B', join(import.meta.dirname, 'run.py'), file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CUDA_VISIBLE_DEVICES: '', HF_HUB_OFFLINE: '1' },
  });
  const out: Fact[] = [];
  let words = '';
  child.stderr.on('data', chunk => {
    words = (words + chunk).slice(-3000);
  });
  for await (const line of createInterface({ input: child.stdout }))
    if (line.startsWith('{')) out.push(JSON.parse(line));
  if (out.length === 0) throw new Error(words);
  return out.filter(f => f.error !== null).map(f => `${f.fact}: ${f.error}`);
};

const need = (context: TestContext): string => {
  if ('missing' in python) return context.skip(python.missing);
  return python.python;
};

it('its loss, gradients and steps are those of transformers + PEFT', { timeout: 600_000 }, async context => {
  expect(await broken(need(context), 'test_parity')).toEqual([]);
});

it('a step is cut into runs that fit', { timeout: 120_000 }, async context => {
  expect(await broken(need(context), 'test_step')).toEqual([]);
});

it('its program keeps to the contract: results, stops, kills, bad input', { timeout: 600_000 }, async context => {
  expect(await broken(need(context), 'test_program')).toEqual([]);
});
