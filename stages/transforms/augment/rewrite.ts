/** Copies of a text that a language model writes: paraphrases, translations there and back, answers of a stronger model. */

import type { Row } from '../../contract.ts';
import { askFor, type Spent } from '../../llm/ask.ts';
import type { Chat, Message } from '../../llm/chat.ts';
import type { Prompt } from '../../llm/prompt.ts';

export const ASKED = ['paraphrase', 'back-translation', 'pseudo-label'] as const;
export type AskedWay = (typeof ASKED)[number];

export interface Rewriting {
  readonly chat: Chat;
  readonly system: Prompt | null;
  /** In place of our own words. */
  readonly prompt: Prompt | null;
  /** What the texts are in, and the languages that they are translated to and back from. */
  readonly language: string;
  readonly via: readonly string[];
}

/** Stands around a text, so that a text which is a question is not answered. */
const framed = (text: string): string => `<text>\n${text}\n</text>`;

const RULES =
  'Keep its meaning, its tone and its layout, and all names, numbers, code and quotations. Neither answer it nor comment on it: give the text only.';

const PARAPHRASE = (text: string, language: string): string =>
  `Say the following text in other words, in ${language}. ${RULES}\n\n${framed(text)}`;

const TRANSLATE = (text: string, from: string, to: string): string =>
  `Translate the following text from ${from} to ${to}. ${RULES}\n\n${framed(text)}`;

/** What the model makes of `text`, its `copy`-th time; throws what `askFor` does. */
export const rewrite = async (
  { chat, system, prompt, language, via }: Rewriting,
  { row, text, way, copy }: { readonly row: Row; readonly text: string; readonly way: AskedWay; readonly copy: number },
  spent: Spent,
): Promise<string> => {
  const ask = async (content: string, sample: number): Promise<string> => {
    const messages: Message[] = [
      ...(system ? [{ role: 'system', content: system.of(row.fields) }] : []),
      { role: 'user', content },
    ];
    const { value } = await askFor(chat, { question: { messages, ...(sample > 0 ? { sample } : {}) } }, spent);
    return unframed(value as string);
  };
  const own = prompt?.of(row.fields, { text, language });
  switch (way) {
    case 'paraphrase':
      return ask(own ?? PARAPHRASE(text, language), copy);
    case 'pseudo-label':
      return ask(own ?? text, copy);
    case 'back-translation': {
      // The same language comes round again only when all have been used.
      const other = via[copy % via.length]!;
      const round = Math.floor(copy / via.length);
      const there = await ask(TRANSLATE(text, language, other), round);
      return ask(TRANSLATE(there, other, language), round);
    }
  }
};

/** Some models give the frame back. */
const unframed = (answer: string): string => /^<text>\s*([\s\S]*?)\s*<\/text>$/.exec(answer)?.[1] ?? answer;
