/** A Jinja chat template: renders conversations, and says which characters the assistant wrote. */
import { Template } from '@huggingface/jinja';
import { StageError } from '../contract.ts';
import { type Conversation, type Message, RowError } from './conversation.ts';
import { stripAsPython, stripFunctions } from './python-strip.ts';
import { strftime } from './strftime.ts';

export { Template };

/** Half-open range of UTF-16 units; `reaches`: the token that ends the turn may stand behind it. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly reaches?: boolean;
}

export interface Rendered {
  readonly text: string;
  readonly spans: readonly Span[];
}

/** What a template sees besides the conversation. */
export interface JinjaContext {
  readonly bos_token: string;
  readonly eos_token: string;
  readonly reasoning_effort: string;
  readonly model_identity: string;
}

// Private-use characters: no text has them by chance, no template treats them.
const sentinel = '\uE0F0\uE0F1content\uE0F1\uE0F0';
const opens = '\uE0F2\uE0F3';
const closes = '\uE0F3\uE0F2';
/** Hugging Face's block around what the assistant writes; the library drops it, so it becomes an output of its own. */
const generationTag = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;

/** A message in the shape that templates expect; both names of reasoning that published templates read. */
const shape = (message: Message): Record<string, unknown> => ({
  role: message.role,
  content: message.content,
  ...(message.thinking ? { thinking: message.thinking, reasoning_content: message.thinking } : {}),
  ...(message.name ? { name: message.name } : {}),
  ...(message.callId ? { tool_call_id: message.callId } : {}),
  ...(message.calls
    ? {
        tool_calls: message.calls.map(({ id, name, arguments: args }) => ({
          type: 'function',
          ...(id ? { id } : {}),
          function: { name, arguments: args },
        })),
      }
    : {}),
});

const parse = (source: string): Template => {
  try {
    const template = new Template(source);
    stripAsPython(template.parsed);
    return template;
  } catch (error) {
    throw new StageError('broken-template', `the chat template cannot be parsed: ${(error as Error).message}`);
  }
};

export interface JinjaTemplate {
  /** `open`: with the generation prompt. Throws `RowError` where the template refuses the conversation. */
  render(conversation: Conversation, open: boolean, context: JinjaContext): string;
  /** The sample and the spans of the messages that `wanted` names. */
  mark(conversation: Conversation, wanted: readonly boolean[], context: JinjaContext): Rendered;
}

export const jinjaTemplate = (text: string, date: string | undefined): JinjaTemplate => {
  // The library has a strftime_now of its own that reads the clock, and lets nobody replace it.
  const source = text.replace(/\bstrftime_now\b/g, '__strftime');
  if (date === undefined && source.includes('__strftime'))
    throw new StageError('date-missing', 'the chat template writes the current date: pin it', {
      advice: 'add `date: YYYY-MM-DD`',
    });
  const template = parse(source);
  const hasGeneration = source.search(generationTag) >= 0;
  const marked = hasGeneration
    ? parse(
        // An `if` keeps the white-space rules of a block on both sides.
        source.replace(
          generationTag,
          (_, left, end, right) => `{%${left} if true -%}{{- ${end ? '__closes' : '__opens'} -}}{%- endif ${right}%}`,
        ),
      )
    : null;

  const reads = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(source);
  const [readsTools, readsFormat] = [reads('tools'), reads('response_format')];

  const run = (which: Template, conversation: Conversation, open: boolean, context: JinjaContext): string => {
    const { messages, tools, responseFormat } = conversation;
    if (tools && !readsTools) throw new RowError('tools: the chat template has no place for functions');
    if (responseFormat && !readsFormat) throw new RowError('response_format: the chat template has no place for it');
    try {
      return which.render({
        ...stripFunctions,
        ...context,
        messages: messages.map(shape),
        tools: tools ?? null,
        ...(responseFormat ? { response_format: responseFormat } : {}),
        add_generation_prompt: open,
        __strftime: (format: string) => strftime(date ?? '1970-01-01', format),
        __opens: opens,
        __closes: closes,
      });
    } catch (error) {
      throw new RowError(`the chat template refuses it: ${(error as Error).message}`);
    }
  };
  const render: JinjaTemplate['render'] = (conversation, open, context) => run(template, conversation, open, context);

  /** Spans that the template marks itself, one a message. */
  const byGeneration = (conversation: Conversation, text: string, context: JinjaContext): Span[] => {
    const pieces = run(marked!, conversation, false, context).split(/(\uE0F2\uE0F3|\uE0F3\uE0F2)/);
    const spans: Span[] = [];
    let at = 0;
    let start = 0;
    for (const piece of pieces) {
      if (piece === opens) start = at;
      else if (piece === closes) spans.push({ start, end: at });
      else at += piece.length;
    }
    if (pieces.filter(p => p !== opens && p !== closes).join('') !== text)
      throw new RowError('mask-not-derivable: the template renders differently with its generation blocks marked');
    return spans;
  };

  /** Span of message `i`: what its presence adds to the text, or else where its content stands. */
  const byDifference = (conversation: Conversation, i: number, text: string, context: JinjaContext): Span => {
    const { messages } = conversation;
    const part = (to: number, change?: Message): Conversation => ({
      ...conversation,
      messages: change ? messages.with(i, change) : messages.slice(0, to),
    });
    const prefix = (to: number, open: boolean): string | null => {
      if (to === 0) return null;
      try {
        const head = render(part(to), open, context);
        return text.startsWith(head) ? head : null;
      } catch (error) {
        // A template may refuse a part of a conversation that it takes as a whole.
        if (error instanceof RowError) return null;
        throw error;
      }
    };
    const before = prefix(i, true);
    const after = i === messages.length - 1 ? text : prefix(i + 1, false);
    if (before !== null && after !== null && after.length >= before.length)
      return { start: before.length, end: after.length };
    const message = messages[i]!;
    if (message.content !== '') {
      const halves = render(part(0, { ...message, content: sentinel }), false, context).split(sentinel);
      const [head, tail] = halves;
      const isSame = halves.length === 2 && text.startsWith(head!) && text.endsWith(tail!);
      const end = isSame ? text.length - tail!.length : 0;
      if (isSame && end > head!.length)
        return { start: before === null ? head!.length : before.length, end, reaches: true };
    }
    throw new RowError(
      `mask-not-derivable: the template does not render messages[${i}] in one place; ` +
        'put {% generation %} around what the assistant writes, or keep the last turn only (loss.last_only)',
    );
  };

  const mark: JinjaTemplate['mark'] = (conversation, wanted, context) => {
    const text = render(conversation, false, context);
    const all = wanted.flatMap((is, i) => (is ? [i] : []));
    if (!hasGeneration) return { text, spans: all.map(i => byDifference(conversation, i, text, context)) };
    const spans = byGeneration(conversation, text, context);
    const assistants = conversation.messages.flatMap((m, i) => (m.role === 'assistant' ? [i] : []));
    if (all.length === assistants.length) return { text, spans };
    if (spans.length !== assistants.length)
      throw new RowError('mask-not-derivable: the template has not one generation block for each assistant message');
    return { text, spans: spans.filter((_, n) => wanted[assistants[n]!]) };
  };
  return { render, mark };
};
