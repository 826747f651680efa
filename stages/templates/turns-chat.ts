/** ChatML, Llama 3, Gemma and Mistral on a model's vocabulary. */

import { chatml } from './formats/chatml.ts';
import { gemma } from './formats/gemma.ts';
import { llama3 } from './formats/llama3.ts';
import { mistral } from './formats/mistral.ts';
import type { TurnFormat } from './formats/turn-format.ts';
import type { ChatOptions } from './options.ts';
import type { Chat } from './render.ts';
import { checkVocabulary, encodeSegments } from './segments.ts';
import type { Tokenizer } from './tokenizer.ts';

const formats = { chatml, llama3, gemma, mistral } as const satisfies Readonly<Record<string, TurnFormat>>;

export type TurnFormatName = keyof typeof formats;

export const isTurnFormat = (name: string): name is TurnFormatName => Object.hasOwn(formats, name);

export const turnsChat = async (
  tokenizer: Tokenizer,
  options: ChatOptions & { readonly format: TurnFormatName },
): Promise<Pick<Chat, 'prompt' | 'sample' | 'answer' | 'stopIds'>> => {
  const format: TurnFormat = formats[options.format];
  await checkVocabulary(tokenizer, { format: format.name, title: format.title, specials: format.specials });
  const known = new Map<string, readonly number[]>();
  const stopIds = format.ends.flatMap(name => tokenizer.special(name) ?? []);
  return {
    stopIds,
    sample: async conversation =>
      encodeSegments(format.render(conversation, options, false, tokenizer), tokenizer, known),
    prompt: async conversation => {
      const segments = format.render(conversation, options, true, tokenizer);
      const { text, ids } = await encodeSegments(segments, tokenizer, known);
      return { text, ids };
    },
    answer: async ids => {
      const end = ids.findIndex(id => stopIds.includes(id));
      const text = await tokenizer.decode(end < 0 ? ids : ids.slice(0, end), true);
      const read = format.read?.(text) ?? { final: text.trim(), analysis: '', commentary: '' };
      return { ...read, complete: end >= 0 };
    },
  };
};
