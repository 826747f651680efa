/** Every format's text, byte for byte what the library that defines it renders (test/golden/templates/make.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Fields } from '../../../stages/contract.ts';
import { readConversation } from '../../../stages/templates/conversation.ts';
import type { ChatOptions } from '../../../stages/templates/options.ts';
import { loadChat } from '../../../stages/templates/render.ts';
import { harmonySpecials, modelFolder, tokenizerJson } from '../../rig/tokenizer.ts';

type Kind = 'sample' | 'prompt';
interface Case {
  readonly row: { readonly messages: readonly Fields[]; readonly [field: string]: unknown };
  readonly options?: Partial<ChatOptions>;
}

const golden = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../golden/templates/${name}.json`, import.meta.url), 'utf8'));
const cases: Readonly<Record<string, Case>> = golden('conversations');
const rendered: Readonly<Record<string, Readonly<Record<Kind, Readonly<Record<string, string | null>>>>>> =
  golden('rendered');

const v3 = ['<s>', '</s>', '[INST]', '[/INST]'];
const formats: Readonly<
  Record<string, { readonly specials: readonly string[]; readonly options: Partial<ChatOptions> }>
> = {
  harmony: { specials: harmonySpecials, options: { format: 'harmony' } },
  hf: { specials: harmonySpecials, options: { format: 'harmony', dialect: 'hf', date: '2025-08-05' } },
  // Qwen3's template has one rule about reasoning, the default.
  chatml: { specials: ['<|im_start|>', '<|im_end|>'], options: { format: 'chatml', drop_analysis: 'history' } },
  llama3: {
    specials: ['<|begin_of_text|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
    options: { format: 'llama3' },
  },
  gemma: { specials: ['<bos>', '<start_of_turn>', '<end_of_turn>'], options: { format: 'gemma' } },
  'mistral-v3': { specials: v3, options: { format: 'mistral' } },
  'mistral-v7': { specials: [...v3, '[SYSTEM_PROMPT]', '[/SYSTEM_PROMPT]'], options: { format: 'mistral' } },
};

const all = Object.entries(rendered).flatMap(([name, kinds]) =>
  Object.entries(kinds).flatMap(([kind, texts]) =>
    Object.entries(texts).map(([format, text]) => ({ name, kind: kind as Kind, format, text })),
  ),
);

const render = async (format: string, kind: Kind, { row, options = {} }: Case): Promise<string> => {
  const { specials, options: own } = formats[format]!;
  const { folder } = modelFolder({ 'tokenizer.json': tokenizerJson({ specials }) });
  const chat = await loadChat({ folder, options: { ...options, ...own } });
  const last = row.messages.at(-1)!;
  const messages = kind === 'prompt' && last.role === 'assistant' ? row.messages.slice(0, -1) : row.messages;
  const columns = { messages: 'messages', user: '', assistant: '', thinking: '' };
  const conversation = readConversation({ ...row, messages } as Fields, columns);
  const { text, ids } = await chat[kind](conversation);
  expect(await chat.decode(ids)).toBe(text);
  return text;
};

describe.each(Object.keys(formats))('%s', format => {
  const mine = all.filter(a => a.format === format);

  it.each(mine.filter(a => a.text !== null))('$kind: $name', async ({ name, kind, text }) => {
    expect(await render(format, kind, cases[name]!)).toBe(text);
  });

  it('is compared on samples and prompts', () => {
    for (const kind of ['sample', 'prompt'])
      expect(mine.filter(a => a.kind === kind && a.text).length).toBeGreaterThan(5);
  });
});

it('the goldens hold every conversation', () => {
  expect(Object.keys(rendered)).toEqual(Object.keys(cases));
});

describe('what a format has no place for is a reject', () => {
  it.each(['llama3', 'gemma', 'mistral-v3'])(
    '%s: functions, calls, formats of answers, and reasoning that is kept',
    async format => {
      const refuses = (name: string, words: RegExp) =>
        expect(render(format, 'sample', cases[name]!)).rejects.toThrow(words);
      await refuses('functions of every kind', /^tools: .*`format: tokenizer`/);
      await refuses('two calls at once, behind a preamble', /^tools: /);
      await refuses('reasoning', /^messages\[1\]\.thinking: .*`drop_analysis: always`/);
    },
  );
});
