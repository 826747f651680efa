/**
 * Stanford Alpaca's format (https://github.com/tatsu-lab/stanford_alpaca): plain text under headings, for any vocabulary; one
 * question, one answer.
 */
import { StageError } from '../contract.ts';
import { type Conversation, RowError, trainable } from './conversation.ts';
import { refuse, withInstructions } from './formats/turn-format.ts';
import type { Span } from './jinja.ts';
import type { ChatOptions } from './options.ts';
import type { Chat } from './render.ts';
import { tokenRanges } from './spans.ts';
import type { Tokenizer } from './tokenizer.ts';

const title = 'Alpaca';
const PREAMBLE = 'Below is an instruction that describes a task';
const TASK = 'Write a response that appropriately completes the request.';

/** The text up to where the assistant answers. A system message takes the place of the sentences before the headings. */
const promptText = (conversation: Conversation, options: ChatOptions, open: boolean): string => {
  refuse(conversation, options, { title, without: ['tools', 'thinking', 'responseFormat'] });
  const messages = withInstructions(conversation, options);
  const system = messages[0]?.role === 'system' ? messages[0].content : undefined;
  const turns = messages.slice(system === undefined ? 0 : 1);
  const roles = turns.map(m => m.role).join();
  if (roles !== (open ? 'user' : 'user,assistant'))
    throw new RowError(`messages: ${title} has one question and one answer, not ${turns.length} turns`);
  const { content, input } = turns[0]!;
  const about = input === undefined ? '' : `### Input:\n${input}\n\n`;
  const preamble = `${PREAMBLE}${about === '' ? '' : ', paired with an input that provides further context'}. ${TASK}`;
  return `${system ?? preamble}\n\n### Instruction:\n${content}\n\n${about}### Response:\n`;
};

export const alpacaChat = (
  tokenizer: Tokenizer,
  options: ChatOptions,
  { eos, stopIds }: { readonly eos: string; readonly stopIds: readonly number[] },
): Pick<Chat, 'prompt' | 'sample' | 'answer' | 'stopIds'> => {
  const end = tokenizer.special(eos);
  if (end === undefined)
    throw new StageError('no-end-token', 'the model names no token that ends an answer (eos_token)', {
      advice: 'name it in tokenizer_config.json, or use `format: tokenizer`',
    });
  /** The text is encoded as a whole, but without special tokens: names of such in a row stay text. */
  const encode = async (text: string, spans: readonly Span[]) => {
    const { before } = tokenizer;
    const encoded = await tokenizer.spelled(text);
    const ranges = tokenRanges({ text, encoded, spans, isSpecial: () => false });
    const start = before.ids.length;
    return {
      text: before.text + text,
      ids: [...before.ids, ...encoded.ids],
      ranges: ranges.map(([a, b]): [number, number] => [a + start, b + start]),
    };
  };
  return {
    stopIds,
    sample: async conversation => {
      const asked = promptText(conversation, options, false);
      const { content } = conversation.messages.at(-1)!;
      const train =
        trainable(conversation.messages, options.loss.last_only).at(-1)! && options.loss.channels.includes('final');
      const spans = train ? [{ start: asked.length, end: asked.length + content.length }] : [];
      const { text, ids, ranges } = await encode(asked + content, spans);
      const trained = ranges.map((r): [number, number] => (r[1] === ids.length ? [r[0], r[1] + 1] : r));
      return { text: text + eos, ids: [...ids, end], trained };
    },
    prompt: async conversation => {
      const { text, ids } = await encode(promptText(conversation, options, true), []);
      return { text, ids };
    },
    answer: async ids => {
      const at = ids.findIndex(id => stopIds.includes(id));
      const final = await tokenizer.decode(at < 0 ? ids : ids.slice(0, at), true);
      return { final: final.trim(), analysis: '', commentary: '', complete: at >= 0 };
    },
  };
};
