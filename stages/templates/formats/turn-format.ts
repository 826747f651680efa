/** A chat format of turns with special tokens around each: what the families' formats have in common. */
import type { Conversation, Message } from '../conversation.ts';
import type { ChatOptions } from '../options.ts';
import { RowError } from '../row-error.ts';
import type { Segment } from '../segments.ts';
import type { Tokenizer } from '../tokenizer.ts';

export interface TurnFormat {
  /** As in the recipe, and as people call it. */
  readonly name: string;
  readonly title: string;
  /** Tokens that the vocabulary must have. */
  readonly specials: readonly string[];
  /** Tokens that end a generation, where the vocabulary has them. */
  readonly ends: readonly string[];
  /** `open`: a prompt, ending where the assistant begins to write. Throws `RowError` for what the format cannot express. */
  render(conversation: Conversation, options: ChatOptions, open: boolean, tokenizer: Tokenizer): readonly Segment[];
  /** Takes what the assistant wrote apart; without it all of it is the answer. */
  read?(text: string): { readonly final: string; readonly analysis: string; readonly commentary: string };
}

/** White space as Python's `str.strip` takes it off, and so Jinja's `trim`. */
export const strip = (text: string): string => {
  const blank = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
  let start = 0;
  let end = text.length;
  while (start < end && blank.test(text[start]!)) start++;
  while (end > start && blank.test(text[end - 1]!)) end--;
  return text.slice(start, end);
};

/** The messages with the option's instructions before them, where they bring none; developers are systems here. */
export const withInstructions = ({ messages }: Conversation, { developer }: ChatOptions): readonly Message[] => {
  const first = messages[0]?.role;
  const own = first === 'system' || first === 'developer' || !developer;
  const all = own ? messages : [{ role: 'system' as const, content: developer }, ...messages];
  return all.map(m => (m.role === 'developer' ? { ...m, role: 'system' as const } : m));
};

/** Where the list that `withInstructions` gives stands in the row's: for the places in messages. */
export const places = (conversation: Conversation, messages: readonly Message[]): ((i: number) => string) => {
  const shift = messages.length - conversation.messages.length;
  return i => `messages[${i - shift}]`;
};

/**
 * Throws `RowError` for what a format has no place for: functions, formats of answers, and reasoning, unless the recipe
 * leaves it out.
 */
export const refuse = (
  conversation: Conversation,
  options: ChatOptions,
  {
    title,
    without,
  }: { readonly title: string; readonly without: readonly ('tools' | 'thinking' | 'responseFormat')[] },
): void => {
  const other = 'use `format: tokenizer`, the template that the model brings';
  if (without.includes('responseFormat') && conversation.responseFormat)
    throw new RowError(`response_format: ${title} has no place for it; ${other}`);
  if (without.includes('tools') && conversation.tools)
    throw new RowError(`tools: ${title} has no one way to write functions; ${other}`);
  for (const [i, message] of conversation.messages.entries()) {
    if (without.includes('tools') && (message.calls || message.role === 'tool'))
      throw new RowError(`messages[${i}]: ${title} has no one way to write calls of functions; ${other}`);
    if (without.includes('thinking') && message.thinking && options.drop_analysis !== 'always')
      throw new RowError(
        `messages[${i}].thinking: ${title} has no place for reasoning; \`drop_analysis: always\` leaves it out`,
      );
  }
};

/** Throws `RowError` unless user and assistant take turns, the user first, behind at most one system message. */
export const alternating = (
  messages: readonly Message[],
  { title, place }: { readonly title: string; readonly place: (i: number) => string },
): {
  readonly system: string | undefined;
  readonly turns: readonly { readonly at: number; readonly message: Message }[];
} => {
  const system = messages[0]?.role === 'system' ? messages[0].content : undefined;
  const turns = messages.map((message, at) => ({ at, message })).slice(system === undefined ? 0 : 1);
  for (const [n, { at, message }] of turns.entries()) {
    const expected = n % 2 === 0 ? 'user' : 'assistant';
    if (message.role !== expected)
      throw new RowError(`${place(at)}.role: in ${title} user and assistant take turns; expected ${expected} here`);
  }
  return { system, turns };
};
