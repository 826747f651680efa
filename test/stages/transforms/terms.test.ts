import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { InputFile } from '../../../stages/contract.ts';
import { readGlossary } from '../../../stages/transforms/terms/glossary.ts';
import terms, { type Options } from '../../../stages/transforms/terms.ts';
import { row, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const options = (given: object) => optionsOf<Options>('transforms/terms', given);
const run = (fields: Parameters<typeof row>[1], given: object) => runStage(terms, [row('a', fields)], options(given));
const text = async (t: string, given: object) => (await run({ text: t }, given)).rows[0]!.fields.text;

const GLOSSARY = {
  terms: {
    'fine-tuning': ['finetuning', 'fine tuning'],
    GPU: ['graphics card', 'video card'],
    'large language model': 'big language model',
    LoRA: null,
    微调: ['精调', '细调'],
    'C++': ['CPP'],
    İstanbul: ['Constantinople'],
  },
};

describe('variants become terms', () => {
  test.each([
    ['We use finetuning and fine\n tuning.', 'We use fine-tuning and fine-tuning.'],
    ['Finetuning works. FINETUNING', 'Fine-tuning works. fine-tuning'],
    ['A graphics  card, a Video card', 'A GPU, a GPU'],
    ['lora or LORA, gpu', 'LoRA or LoRA, GPU'],
    ['模型精调和细调。', '模型微调和微调。'],
    ['cpp code', 'C++ code'],
    ['Written in constantinople', 'Written in İstanbul'],
    ['The big language models', 'The big language models'],
    ['finetunings, refinetuning, lora_r', 'finetunings, refinetuning, lora_r'],
    ['a 𝒳finetuning𝒳 b', 'a 𝒳finetuning𝒳 b'],
    ['(finetuning)', '(fine-tuning)'],
    ['', ''],
  ])('%j: %j', async (t, expected) => expect(await text(t, GLOSSARY)).toBe(expected));
});

test('letters count where they are told to, and parts of words are found where they may be', async () => {
  expect(await text('gpu and lora', { terms: { GPU: null }, ignore_case: false })).toBe('gpu and lora');
  expect(await text('refinetuning', { ...GLOSSARY, whole_words: false })).toBe('refine-tuning');
});

test('the longest variant wins, and what was put in place is not looked at again', async () => {
  const given = { terms: { ab: ['a b'], abc: ['a b c'], c: ['ab'] } };
  await expect(async () => text('a b c', given)).rejects.toMatchObject({ reason: 'ambiguous-term' });
  expect(await text('a b c, a b', { terms: { x: ['a b'], y: ['a b c'], z: ['x'] } }).catch(e => e.message)).toBe(
    '"x" stands for "x" and for "z"',
  );
  expect(await text('a b c, a b', { terms: { x: ['a b'], y: ['a b c'] } })).toBe('y, x');
});

test('every text of a row is changed, and how often stands beside it', async () => {
  const messages = [
    { role: 'user', content: 'finetuning a gpu' },
    { role: 'assistant', content: 'Fine tuning' },
  ];
  const { rows } = await run({ messages, note: 'gpu' }, { ...GLOSSARY, field: 'messages.content', as: 'terms' });
  expect(rows[0]!.fields).toEqual({
    messages: [
      { role: 'user', content: 'fine-tuning a GPU' },
      { role: 'assistant', content: 'Fine-tuning' },
    ],
    note: 'gpu',
    terms: { 'fine-tuning': 2, GPU: 1 },
  });
  const { rejects } = await run({ note: 1 }, { ...GLOSSARY, field: 'note' });
  expect(rejects).toMatchObject([{ reason: 'field "note": there is no text' }]);
});

describe('a glossary in a file', () => {
  const fileOf = (name: string, content: string): InputFile => {
    const folder = mkdtempSync(join(tmpdir(), 'finetune-terms-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, name);
    writeFileSync(path, content);
    return { name, path, digest: '', size: Buffer.byteLength(content) };
  };

  test.each([
    ['g.yaml', 'fine-tuning: [finetuning, fine tuning]\nGPU: graphics card\nLoRA:\n'],
    [
      'g.yml',
      '- { term: fine-tuning, variants: [finetuning, fine tuning] }\n- { term: GPU, variants: graphics card }\n- { term: LoRA }\n',
    ],
    ['g.json', '{"fine-tuning": ["finetuning", "fine tuning"], "GPU": "graphics card", "LoRA": []}'],
    ['g.csv', 'term,variants\nfine-tuning,finetuning|fine tuning\nGPU,graphics card\nLoRA,\n'],
  ])('%s', async (name, content) => {
    expect(await readGlossary(fileOf(name, content))).toEqual([
      { term: 'fine-tuning', variants: ['finetuning', 'fine tuning'] },
      { term: 'GPU', variants: ['graphics card'] },
      { term: 'LoRA', variants: [] },
    ]);
  });

  test.each([
    ['g.yaml', 'a: [1]', 'a variant of "a" is no text', undefined],
    ['g.yaml', 'a: [\nb', /./, 2],
    ['g.yaml', 'just a text', 'the file should hold a map of terms', undefined],
    ['g.yaml', '- a', 'entry 1 should be {term, variants}', undefined],
    ['g.csv', 'term,v\na,b\n,c\n', 'a term is empty', 3],
    ['g.csv', 'term,v\na\n', '1 cells where the header has 2', 2],
  ])('%s with %j is refused, at its line', async (name, content, message, line) => {
    const error = await readGlossary(fileOf(name, content)).catch(e => e);
    expect(error).toMatchObject({ reason: 'bad-glossary', place: { path: name } });
    expect(error.message).toMatch(message instanceof RegExp ? message : message.slice(0, 20));
    expect(error.place.line).toBe(line);
  });
});

test('a recipe that names neither terms nor a file is refused', () => {
  expect(() => options({})).toThrow();
  expect(() => options({ terms: {} })).toThrow();
});
