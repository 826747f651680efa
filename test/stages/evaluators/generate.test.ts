/** The evaluator `generate`: prompts read, rendered, answered by base and tuned model side by side. */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelInput, TreeInput } from '../../../stages/contract.ts';
import generate from '../../../stages/evaluators/generate.ts';
import { readPrompts } from '../../../stages/evaluators/prompts.ts';
import { writeAdapter } from '../../../stages/trainer/embedded/adapter.ts';
import { generateAnswers } from '../../../stages/trainer/embedded/generate.ts';
import { openModel } from '../../../stages/trainer/embedded/weights.ts';
import type { GenerateJob } from '../../../stages/trainer/job.ts';
import { randomLlama, TINY } from '../../rig/random-model.ts';
import { modelFolder, tokenizerJson } from '../../rig/tokenizer.ts';
import { LORA, randomFactors } from '../../rig/trainer.ts';
import { runWhole, temporaryFolder, withDefaults } from '../../rig/whole.ts';

const VOCAB = 263; // 256 bytes and Harmony's seven special tokens
let temporary: ReturnType<typeof temporaryFolder>;
let model: ModelInput;
let adapter: TreeInput;
beforeAll(() => {
  temporary = temporaryFolder();
  const folder = randomLlama(join(temporary.path, 'model'), { ...TINY, vocab: VOCAB });
  const tokenizer = modelFolder({ 'tokenizer.json': tokenizerJson() });
  copyFileSync(join(tokenizer.folder, 'tokenizer.json'), join(folder, 'tokenizer.json'));
  model = { type: 'model', folder, files: {} };
  adapter = { type: 'tree', folder: join(temporary.path, 'adapter') };
  const opened = openModel(folder);
  writeAdapter(adapter.folder, opened.config, { lora: LORA, weights: randomFactors(opened) }, null);
});
afterAll(() => temporary[Symbol.dispose]());

const promptFile = (text: string) => {
  const path = join(temporary.path, 'prompts.yaml');
  writeFileSync(path, text);
  return { name: 'prompts.yaml', path, digest: '', size: text.length };
};
const run = (prompts: string, options: Record<string, unknown> = {}) =>
  runWhole(generate, {
    folder: join(temporary.path, 'run'),
    options: withDefaults('evaluators/generate', { prompts: 'prompts.yaml', max_tokens: 8, ...options }),
    files: { prompts: [promptFile(prompts)] },
    inputs: { model, adapter },
  });
const answers = (job: Partial<GenerateJob> = {}, options: Partial<GenerateJob['options']> = {}) =>
  generateAnswers(
    {
      version: 1,
      task: 'generate',
      model: model.folder,
      adapter: adapter.folder,
      threads: 1,
      output: temporary.path,
      prompts: [[1, 2, 3], [9], [5, 6, 7, 8]],
      stop: [],
      ...job,
      options: { max_tokens: 12, temperature: 0, top_p: 1, repetition_penalty: 1, seed: 1, ...options },
    },
    { emit: () => {}, interrupted: false, checkInterrupt: () => {} },
  );

describe('generate', () => {
  it('gives one row for each prompt and effort, its id from these alone', async () => {
    const { rows, metrics } = await run(
      '- Hello\n- {system: Be brief., user: "Who?"}\n- {messages: [{role: user, content: Hm}]}',
      {
        reasoning: ['low', 'high'],
      },
    );
    expect(rows.answers!.map(r => [r.fields.prompt, r.fields.reasoning])).toEqual(
      ['Hello', 'Who?', 'Hm'].flatMap(p => [
        [p, 'low'],
        [p, 'high'],
      ]),
    );
    for (const { fields } of rows.answers!) {
      expect(Object.keys(fields)).toEqual(
        expect.arrayContaining(['base', 'tuned', 'base_analysis', 'tuned_analysis', 'base_complete', 'tuned_complete']),
      );
    }
    expect(metrics.metrics).toMatchObject({ asked: 6 });
  });

  it('answers each prompt as it would alone, whatever stands beside it', async () => {
    const together = await answers();
    for (const [i, ids] of [[1, 2, 3], [9], [5, 6, 7, 8]].entries()) {
      const alone = await answers({ prompts: [ids] });
      expect(together.filter(a => a.prompt === i).map(a => a.ids)).toEqual(alone.map(a => a.ids));
    }
  });

  it('lets an adapter without effect answer as the base does', async () => {
    const opened = openModel(model.folder);
    const folder = join(temporary.path, 'no-effect');
    const weights = randomFactors(opened);
    writeAdapter(folder, opened.config, { lora: LORA, weights: weights.fill(0) }, null);
    const [base, tuned] = await answers({ adapter: folder, prompts: [[1, 2, 3]] });
    expect(tuned!.ids).toEqual(base!.ids);
    const [other] = await answers({ adapter: null, prompts: [[1, 2, 3]] });
    expect(other!.ids).toEqual(base!.ids);
  });

  it('stops at a stop id, and says which', async () => {
    const [free] = await answers({ prompts: [[1, 2, 3]] });
    const stop = free!.ids[3]!;
    const [base] = await answers({ prompts: [[1, 2, 3]], stop: [stop] });
    expect(base).toMatchObject({ ids: free!.ids.slice(0, free!.ids.indexOf(stop)), stopped: stop });
  });

  it('draws the same with the same seed, something else with another', async () => {
    const drawn = async (seed: number) => (await answers({}, { temperature: 1.5, seed })).map(a => a.ids);
    expect(await drawn(1)).toEqual(await drawn(1));
    expect(await drawn(1)).not.toEqual(await drawn(2));
  });

  it('stays within the positions of the model', async () => {
    const [base] = await answers({ prompts: [Array(508).fill(1)] }, { max_tokens: 100 });
    expect(base!.ids.length).toBeLessThanOrEqual(5);
    await expect(answers({ prompts: [Array(512).fill(1)] })).rejects.toMatchObject({ reason: 'bad-tokens' });
  });

  it('cuts answers at a stop text', async () => {
    const free = (await run('[Hello]', { max_tokens: 20 })).rows.answers![0]!.fields.base as string;
    const stop = free.slice(2, 4);
    const cut = (await run('[Hello]', { max_tokens: 20, stop: [stop] })).rows.answers![0]!.fields;
    expect(cut.base).toBe(free.slice(0, free.indexOf(stop)));
    expect(cut.base_complete).toBe(true);
  });
});

describe('a file of prompts', () => {
  it.each([
    ['JSON', '["a", {"user": "b"}]', ['a', 'b']],
    ['YAML', '- a\n- user: b\n', ['a', 'b']],
  ])('may be %s', async (_, text, expected) => {
    expect((await readPrompts(promptFile(text))).map(p => p.text)).toEqual(expected);
  });

  it('may offer functions, and say how the answer must look', async () => {
    const asked =
      '[{user: a, tools: [{name: f}], response_format: {name: x, schema: {type: object}}}, {messages: [{role: user, content: b}], tools: []}]';
    const [a, b] = await readPrompts(promptFile(asked));
    expect(a!.conversation).toMatchObject({
      tools: [{ name: 'f' }],
      responseFormat: { name: 'x', schema: { type: 'object' } },
    });
    expect(Object.keys(b!.conversation)).toEqual(['messages']);
  });

  it.each([
    ['broken YAML, with its line', '- a\n- "b\n- c', { line: 3 }],
    ['a map', 'a: b', {}],
    ['an empty list', '[]', {}],
    ['nothing', '', {}],
    ['a number', '[1]', {}],
    ['an unknown key', '[{usr: a}]', {}],
    ['no user', '[{system: a}]', {}],
    ['a message without a role', '[{messages: [{content: a}]}]', {}],
  ])('is told to be wrong: %s', async (_, text, place) => {
    await expect(readPrompts(promptFile(text))).rejects.toMatchObject({
      reason: 'bad-prompts',
      place: expect.objectContaining({ path: 'prompts.yaml', ...place }),
    });
  });
});
