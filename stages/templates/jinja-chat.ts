/** A model's own Jinja template, or the user's, on the model's vocabulary. */
import { StageError } from '../contract.ts';
import { type Conversation, RowError, trainable } from './conversation.ts';
import { type JinjaContext, jinjaTemplate } from './jinja.ts';
import type { NamedTokens } from './named-tokens.ts';
import type { ChatOptions } from './options.ts';
import type { Chat } from './render.ts';
import { tokenRanges } from './spans.ts';
import { readFile, readJson, type Tokenizer } from './tokenizer.ts';

type Config = Record<string, unknown> | null;

/** chat_template.jinja, or `chat_template` of tokenizer_config.json: a text, or a list of named ones. */
const ownTemplate = (folder: string, config: Config): string => {
  const own = readFile(folder, 'chat_template.jinja') ?? config?.chat_template;
  const named = Array.isArray(own)
    ? (own as { name?: string; template?: string }[]).find(entry => entry.name === 'default')?.template
    : own;
  if (typeof named === 'string') return named;
  throw new StageError('no-chat-template', 'the model brings no chat template', {
    advice: 'use `format: harmony`, or `format: jinja` with `template: <file>.jinja`',
  });
};

export const jinjaChat = (
  tokenizer: Tokenizer,
  from: { folder: string; options: ChatOptions; template?: string; tokens: NamedTokens },
): Pick<Chat, 'prompt' | 'sample' | 'answer' | 'stopIds'> => {
  const { folder, options } = from;
  const { bos, eos, stopIds } = from.tokens;
  if (options.format === 'jinja' && from.template === undefined)
    throw new StageError('no-chat-template', '`format: jinja` needs a template', {
      advice: 'add `template: <file>.jinja`',
    });
  const source =
    options.format === 'jinja' ? from.template! : ownTemplate(folder, readJson(folder, 'tokenizer_config.json'));
  const template = jinjaTemplate(source, options.date);
  const context = (reasoning: string): JinjaContext => ({
    bos_token: bos,
    eos_token: eos,
    reasoning_effort: reasoning,
    model_identity: options.model_identity,
  });
  const isSpecial = (id: number) => tokenizer.specialIds.has(id);
  const withInstructions = (conversation: Conversation): Conversation => {
    const first = conversation.messages[0]?.role;
    if (!options.developer || first === 'system' || first === 'developer') return conversation;
    return { ...conversation, messages: [{ role: 'system', content: options.developer }, ...conversation.messages] };
  };

  return {
    stopIds,
    sample: async given => {
      const conversation = withInstructions(given);
      const wanted = trainable(conversation.messages, options.loss.last_only);
      const { text, spans } = template.mark(conversation, wanted, context(options.reasoning));
      if (!text.isWellFormed()) throw new RowError('the chat template cuts a surrogate pair in two');
      const encoded = await tokenizer.whole(text);
      return { text, ids: encoded.ids, trained: tokenRanges({ text, encoded, spans, isSpecial }) };
    },
    prompt: async (given, more) => {
      const text = template.render(withInstructions(given), true, context(more?.reasoning ?? options.reasoning));
      return { text, ids: (await tokenizer.whole(text)).ids };
    },
    answer: async ids => {
      const end = ids.findIndex(id => stopIds.includes(id));
      const final = await tokenizer.decode(end < 0 ? ids : ids.slice(0, end), true);
      return { final: final.trim(), analysis: '', commentary: '', complete: end >= 0 };
    },
  };
};
