/** One model's chat format: conversations to token ids with an exact loss mask, prompts to ids, and ids back to text. */
import { alpacaChat } from './alpaca-chat.ts';
import type { Conversation } from './conversation.ts';
import { harmonyChat } from './harmony-chat.ts';
import { jinjaChat } from './jinja-chat.ts';
import { namedTokens } from './named-tokens.ts';
import { type ChatOptions, chatDefaults, type Reasoning } from './options.ts';
import { loadTokenizer, readJson } from './tokenizer.ts';
import { isTurnFormat, turnsChat } from './turns-chat.ts';

/** A conversation with an open assistant turn: what the model is given before it answers. */
export interface Prompt {
  readonly text: string;
  readonly ids: readonly number[];
}

/** A whole conversation; `trained` are sorted, disjoint, half-open ranges of `ids` that carry loss. */
export interface Sample extends Prompt {
  readonly trained: readonly (readonly [number, number])[];
}

/** What a model wrote after a prompt, taken apart. `complete`: it ended by a stop token. */
export interface Answer {
  readonly final: string;
  readonly analysis: string;
  readonly commentary: string;
  readonly complete: boolean;
}

export interface Chat {
  /** Throws `RowError` for a conversation that cannot be rendered, here and in `sample`. */
  prompt(conversation: Conversation, more?: { readonly reasoning?: Reasoning }): Promise<Prompt>;
  sample(conversation: Conversation): Promise<Sample>;
  /** Text of ids, special tokens written out. */
  decode(ids: readonly number[]): Promise<string>;
  /** Takes generated ids (without the prompt's) apart. */
  answer(ids: readonly number[]): Promise<Answer>;
  /** Generation ends at any of these. */
  readonly stopIds: readonly number[];
  /** Positions of the model's config, null if it names none. */
  readonly maxTokens: number | null;
}

/**
 * Loads the chat format of a model folder (tokenizer.json; for format `tokenizer` also its own template). `options` that
 * are not given take the defaults of the template `chat`; `template` is the Jinja text for format `jinja`.
 * Throws `StageError` for a folder or options that cannot work, whatever the conversation.
 */
export const loadChat = async (from: {
  readonly folder: string;
  readonly options?: Partial<ChatOptions>;
  readonly template?: string;
}): Promise<Chat> => {
  const options = { ...chatDefaults, ...from.options };
  const tokenizer = loadTokenizer(from.folder);
  const config = readJson(from.folder, 'config.json') ?? {};
  const inner = (config.text_config ?? config) as Record<string, unknown>;
  const positions = inner.max_position_embeddings ?? inner.n_positions;
  const maxTokens = typeof positions === 'number' && positions > 0 ? positions : null;
  const named = options.format;
  const format =
    named === 'harmony'
      ? await harmonyChat(tokenizer, options)
      : isTurnFormat(named)
        ? await turnsChat(tokenizer, { ...options, format: named })
        : named === 'alpaca'
          ? alpacaChat(tokenizer, options, namedTokens(from.folder, tokenizer, config))
          : jinjaChat(tokenizer, { ...from, options, tokens: namedTokens(from.folder, tokenizer, config) });
  return { ...format, decode: ids => tokenizer.decode(ids), maxTokens };
};
