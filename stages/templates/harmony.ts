/**
 * Renders a conversation in the Harmony format (https://github.com/openai/harmony, docs/format.md) as segments that are
 * tokenised one by one, so that user text never turns into a special token.
 *
 *     <|start|>{author}[ to={recipient}][<|channel|>{channel}[ {type}]]<|message|>{content}<|end|>
 */
import { type Channel, type Conversation, type Message, RowError, trainable } from './conversation.ts';
import { responseFormatSection, toolsSection } from './harmony-tools.ts';
import { jsonText } from './json-text.ts';
import type { ChatOptions } from './options.ts';
import { type Segment, segmentWriter } from './segments.ts';
import { functionTools } from './tools.ts';

/** One Harmony message: an assistant message of a conversation becomes one for its reasoning and one for its content. */
interface Part {
  /** Index of the message it comes from. */
  readonly from: number;
  readonly author: string;
  readonly recipient?: string;
  readonly channel?: Channel;
  readonly content: string;
}

const callJson = (args: unknown, dialect: ChatOptions['dialect']): string => {
  if (dialect === 'harmony') return typeof args === 'string' ? args : JSON.stringify(args);
  // The published template wants an object; APIs hand the same arguments over as text.
  if (typeof args !== 'string') return jsonText(args);
  try {
    return jsonText(JSON.parse(args));
  } catch {
    return jsonText(args);
  }
};

/** A name with a dot is a tool of a namespace of its own (`browser.open`); the published template knows functions only. */
const recipientOf = (name: string, dialect: ChatOptions['dialect']): string =>
  dialect === 'harmony' && name.includes('.') ? name : `functions.${name}`;

const toolName = (
  message: Message,
  at: number,
  before: readonly Message[],
  dialect: ChatOptions['dialect'],
): string => {
  const calls = before.flatMap(m => m.calls ?? []);
  const named = message.name ?? (message.callId ? calls.find(c => c.id === message.callId) : undefined)?.name;
  // The published template goes by the last call since the last answer, whatever the message says.
  const pending = before.findLast(m => m.role === 'assistant')?.calls;
  const name = dialect === 'hf' ? pending?.at(-1)?.name : (named ?? calls.at(-1)?.name);
  if (name === undefined) throw new RowError(`messages[${at}]: a tool answers, but no call stands before it`);
  return recipientOf(name, dialect);
};

const HEADERS = /<\|channel\|>(analysis|final)<\|message\|>/;

const assistantParts = (message: Message, from: number, dialect: ChatOptions['dialect']): Part[] => {
  const author = 'assistant';
  if (dialect === 'hf' && message.channel && message.channel !== 'final')
    throw new RowError(
      `messages[${from}].channel: the dialect "hf" takes reasoning from "thinking" and knows no channels`,
    );
  if (dialect === 'hf' && HEADERS.test(`${message.content}\0${message.thinking ?? ''}`))
    throw new RowError(`messages[${from}]: the dialect "hf" refuses text with Harmony's own headers in it`);
  const parts: Part[] = [];
  if (message.thinking) parts.push({ from, author, channel: 'analysis', content: message.thinking });
  if (!message.calls)
    return [...parts, { from, author, channel: message.channel ?? 'final', content: message.content }];
  if (dialect === 'hf' && message.calls.length > 1)
    throw new RowError(`messages[${from}].tool_calls: the dialect "hf" renders one call a message`);
  if (dialect === 'hf' && message.thinking && message.content)
    throw new RowError(`messages[${from}]: the dialect "hf" takes thinking or content beside a call, not both`);
  // Text beside a call is a preamble for the user; the published template takes it for reasoning.
  const beside = message.channel ?? (dialect === 'hf' ? 'analysis' : 'commentary');
  if (message.content) parts.push({ from, author, channel: beside, content: message.content });
  for (const call of message.calls) {
    const content = callJson(call.arguments, dialect);
    parts.push({ from, author, recipient: recipientOf(call.name, dialect), channel: 'commentary', content });
  }
  return parts;
};

const partsOf = (messages: readonly Message[], dialect: ChatOptions['dialect']): Part[] =>
  messages.flatMap((message, from): Part[] => {
    if (message.role === 'assistant') return assistantParts(message, from, dialect);
    if (message.role === 'user') {
      const author = message.name && dialect === 'harmony' ? `user:${message.name}` : 'user';
      return [{ from, author, content: message.content }];
    }
    if (message.role !== 'tool') {
      if (from === 0) return [];
      throw new RowError(`messages[${from}].role: "${message.role}" can only be the first message`);
    }
    const author = toolName(message, from, messages.slice(0, from), dialect);
    // The published template encodes tool output as JSON, whatever it is: JSON text is encoded twice.
    const content = dialect === 'hf' ? jsonText(message.content) : message.content;
    return [{ from, author, recipient: 'assistant', channel: 'commentary', content }];
  });

/** openai/harmony's rule: once the assistant's last word is final, reasoning before the FIRST final is dropped. */
const dropBeforeFirstFinal = (parts: readonly Part[]): readonly Part[] => {
  if (parts.findLast(p => p.author === 'assistant')?.channel !== 'final') return parts;
  const first = parts.findIndex(p => p.channel === 'final');
  return parts.filter((p, i) => i >= first || p.channel !== 'analysis');
};

/** The published template's rule: a sample's last answer keeps its reasoning, a call keeps it until an answer follows. */
const dropAsPublished = (parts: readonly Part[], messages: readonly Message[], open: boolean): readonly Part[] => {
  const isAnswer = (m: Message) => m.role === 'assistant' && !m.calls;
  return parts.filter(p => {
    const message = messages[p.from]!;
    if (p.channel !== 'analysis') return true;
    if (message.calls) return !messages.slice(p.from + 1).some(isAnswer);
    return !open && p.from === messages.length - 1;
  });
};

const kept = (
  parts: readonly Part[],
  messages: readonly Message[],
  options: ChatOptions,
  open: boolean,
): readonly Part[] => {
  if (options.dialect === 'hf') return dropAsPublished(parts, messages, open);
  if (options.drop_analysis === 'never') return parts;
  if (open || options.drop_analysis === 'always') return dropBeforeFirstFinal(parts);
  // A sample's last answer was given to the history as the model saw it then, and keeps its own reasoning.
  const last = messages.findLastIndex(m => m.role === 'assistant');
  return [...dropBeforeFirstFinal(parts.filter(p => p.from < last)), ...parts.filter(p => p.from >= last)];
};

const systemText = (options: ChatOptions, calls: boolean): string => {
  const date = options.date === undefined ? '' : `\nCurrent date: ${options.date}`;
  return (
    `${options.model_identity}\nKnowledge cutoff: ${options.knowledge_cutoff}${date}\n\nReasoning: ${options.reasoning}` +
    '\n\n# Valid channels: analysis, commentary, final. Channel must be included for every message.' +
    (calls ? "\nCalls to these tools must go to the commentary channel: 'functions'." : '')
  );
};

/** Instructions, functions, and the format of the answer; empty where there is none of them. */
const developerText = ({ messages, tools, responseFormat }: Conversation, options: ChatOptions): string => {
  const { dialect } = options;
  const first = messages[0];
  const own = first?.role === 'system' || first?.role === 'developer' ? first.content : (options.developer ?? '');
  const format = responseFormat ? responseFormatSection(responseFormat) : '';
  const functions = tools ? toolsSection(functionTools(tools), dialect) : '';
  const together = (parts: readonly string[]) => parts.filter(p => p !== '').join('\n\n');
  const heading = (text: string) => (text === '' ? '' : `# Instructions\n\n${text}`);
  if (dialect === 'harmony') return together([heading(own), functions, format]);
  // The published template knows no formats of answers: who wants one writes it into the instructions.
  const text = heading(together([own, format]));
  return (text === '' ? '' : `${text}\n\n`) + functions;
};

/** `open`: a prompt, ending where the assistant begins to write; else a training sample, whose last answer returns. */
export const renderHarmony = (conversation: Conversation, options: ChatOptions, open: boolean): readonly Segment[] => {
  const { messages, tools } = conversation;
  const { dialect, loss } = options;
  const out = segmentWriter();
  const block = (role: string, content: string) => {
    out.special('<|start|>');
    out.fixed(role);
    out.special('<|message|>');
    out.fixed(content);
    out.special('<|end|>');
  };
  block('system', systemText(options, tools !== undefined));
  const developer = developerText(conversation, options);
  if (developer !== '') block('developer', developer);

  const parts = kept(partsOf(messages, dialect), messages, options, open);
  const mayTrain = trainable(messages, loss.last_only);
  parts.forEach((part, i) => {
    const isAssistant = part.author === 'assistant';
    const isCall = isAssistant && part.recipient !== undefined;
    const train = !open && isAssistant && mayTrain[part.from]! && loss.channels.includes(part.channel!);
    // The prompt ends with `<|start|>assistant`; after that the model writes headers itself. Which function to call
    // stands in the header only, so a call that is trained trains its header.
    const header = train && (loss.headers || isCall);
    const again = train && loss.headers && parts[i - 1]?.author === 'assistant';
    out.special('<|start|>', again);
    out.fixed(part.author, again);
    if (part.recipient !== undefined) out.fixed(` to=${part.recipient}`, header);
    if (part.channel !== undefined) {
      out.special('<|channel|>', header);
      out.fixed(part.channel + (isCall ? (dialect === 'hf' ? ' json' : ' ') : ''), header);
      if (isCall && dialect === 'harmony') {
        out.special('<|constrain|>', header);
        out.fixed('json', header);
      }
    }
    out.special('<|message|>', header);
    out.text(part.content, train);
    const returns = !open && part.channel === 'final' && i === parts.length - 1;
    out.special(isCall ? '<|call|>' : returns ? '<|return|>' : '<|end|>', train);
  });
  if (open) {
    out.special('<|start|>');
    out.fixed('assistant');
  }
  return out.segments;
};
