/** The one conversation type between reading rows, rendering and tokenising, and the reader that makes it from a row. */
import type { Fields, Json } from '../contract.ts';
import { RowError } from './row-error.ts';
import { isObject, type ResponseFormat, readResponseFormat, readTools, structuredAnswer } from './tools.ts';

export { RowError } from './row-error.ts';

export type Role = 'system' | 'developer' | 'user' | 'assistant' | 'tool';
export type Channel = 'analysis' | 'commentary' | 'final';

export interface ToolCall {
  readonly id?: string;
  readonly name: string;
  /** A JSON object, or its text as an API returned it. */
  readonly arguments: Json;
}

export interface Message {
  readonly role: Role;
  readonly content: string;
  /** User: what the instruction is about, where the format keeps them apart (Alpaca). */
  readonly input?: string;
  /** Reasoning before the content (assistant only). */
  readonly thinking?: string;
  readonly calls?: readonly ToolCall[];
  /** User or assistant: a name in the header; tool: the function that answers. */
  readonly name?: string;
  /** Tool: which call this answers. */
  readonly callId?: string;
  /** Harmony channel of the content, `final` unless given (assistant only). */
  readonly channel?: Channel;
  /** false: carries no loss. */
  readonly train?: boolean;
}

export interface Conversation {
  readonly messages: readonly Message[];
  /** Function definitions in OpenAI's shape, for formats that render them. */
  readonly tools?: readonly Json[];
  /** What the assistant's answers are JSON by. */
  readonly responseFormat?: ResponseFormat;
}

/** Where a row keeps its conversation: `messages`, or else the pair `user` and `assistant`. */
export interface Columns {
  readonly messages: string;
  readonly user: string;
  readonly assistant: string;
  readonly thinking: string;
  /** What the user's text is about, a text of its own for formats that keep it apart, else behind a blank line. */
  readonly input?: { readonly field: string; readonly apart: boolean };
}

/** What rows that bring none of their own have. */
export type Defaults = Pick<Conversation, 'tools' | 'responseFormat'>;

const roles: ReadonlySet<string> = new Set(['system', 'developer', 'user', 'assistant', 'tool']);
const channels: ReadonlySet<string> = new Set(['analysis', 'commentary', 'final']);
/** Datasets with fixed columns write null where a message has no such key. */
const absent = (value: Json | undefined): value is null | undefined => value === undefined || value === null;

const checked = (text: string, where: string): string => {
  // UTF-8 cannot hold half a surrogate pair: token ids would stand for another text than the row's.
  if (!text.isWellFormed()) throw new RowError(`${where}: holds half a surrogate pair, which is not Unicode text`);
  return text;
};

const optionalText = (value: Json | undefined, where: string): string | undefined => {
  if (absent(value)) return undefined;
  if (typeof value !== 'string') throw new RowError(`${where}: expected a string`);
  return checked(value, where);
};

const contentText = (value: Json | undefined, where: string, role: string): string | undefined => {
  // Answers in parts, and results of tools.
  if (isObject(value) && (role === 'assistant' || role === 'tool')) return checked(JSON.stringify(value), where);
  if (!Array.isArray(value)) return optionalText(value, where);
  return value
    .map((part: Json, i: number) => {
      if (isObject(part) && part.type === 'text' && typeof part.text === 'string') return checked(part.text, where);
      throw new RowError(`${where}[${i}]: only parts of type "text" can be trained on`);
    })
    .join('');
};

const readCall = (value: Json, where: string): ToolCall => {
  const call = isObject(value) && isObject(value.function) ? value.function : value;
  if (!isObject(value) || !isObject(call)) throw new RowError(`${where}: expected an object`);
  const name = optionalText(call.name, `${where}.name`);
  if (!name) throw new RowError(`${where}.name: missing`);
  const args = call.arguments ?? {};
  if (typeof args !== 'string' && !isObject(args)) throw new RowError(`${where}.arguments: expected an object or JSON`);
  checked(typeof args === 'string' ? args : JSON.stringify(args), `${where}.arguments`);
  return { name, arguments: args, ...(typeof value.id === 'string' ? { id: value.id } : {}) };
};

/** The names that data sets have for the reasoning of a message. */
const REASONING = ['thinking', 'analysis', 'reasoning_content', 'reasoning', 'thought'];

const readMessage = (value: Json, where: string): Message => {
  if (!isObject(value)) throw new RowError(`${where}: expected an object with "role" and "content"`);
  const role = value.role;
  if (typeof role !== 'string' || !roles.has(role))
    throw new RowError(`${where}.role: expected one of ${[...roles].join(', ')}`);
  const train = absent(value.train) ? undefined : value.train;
  if (train !== undefined && typeof train !== 'boolean') throw new RowError(`${where}.train: expected true or false`);
  const channel = optionalText(value.channel, `${where}.channel`);
  if (channel !== undefined && !channels.has(channel))
    throw new RowError(`${where}.channel: expected one of ${[...channels].join(', ')}`);
  if (!absent(value.tool_calls) && !Array.isArray(value.tool_calls))
    throw new RowError(`${where}.tool_calls: expected a list`);
  const calls = (value.tool_calls ?? []) as readonly Json[];
  const thinkingKey = REASONING.find(key => !absent(value[key])) ?? 'thinking';
  const thinking = optionalText(value[thinkingKey], `${where}.${thinkingKey}`);
  const given = contentText(value.content, `${where}.content`, role);
  const parts = role === 'assistant' && !given ? structuredAnswer(value) : undefined;
  const content = parts === undefined ? given : checked(parts, where);
  if (content === undefined && !(role === 'assistant' && calls.length > 0))
    throw new RowError(`${where}.content: missing`);
  if (role === 'assistant' && calls.length === 0 && content === '') throw new RowError(`${where}.content: empty`);
  if (role !== 'assistant' && (thinking || calls.length > 0))
    throw new RowError(`${where}: only the assistant has "${thinking ? thinkingKey : 'tool_calls'}"`);
  const name = optionalText(value.name, `${where}.name`);
  const callId = optionalText(value.tool_call_id, `${where}.tool_call_id`);
  return {
    role: role as Role,
    content: content ?? '',
    ...(thinking ? { thinking } : {}),
    ...(calls.length > 0 ? { calls: calls.map((call, i) => readCall(call, `${where}.tool_calls[${i}]`)) } : {}),
    ...(name ? { name } : {}),
    ...(callId ? { callId } : {}),
    ...(channel === undefined || role !== 'assistant' ? {} : { channel: channel as Channel }),
    ...(train === undefined ? {} : { train }),
  };
};

const required = (fields: Fields, name: string): string => {
  const text = optionalText(fields[name], name);
  if (text === undefined) throw new RowError(`${name}: missing`);
  if (text.trim() === '') throw new RowError(`${name}: empty`);
  return text;
};

const readPair = (fields: Fields, columns: Columns): readonly Message[] => {
  if (absent(fields[columns.user]) && absent(fields[columns.assistant]))
    throw new RowError(`neither "${columns.messages}" nor "${columns.user}" and "${columns.assistant}" is there`);
  const thinking = optionalText(fields[columns.thinking], columns.thinking);
  const given = fields[columns.assistant];
  const pair = isObject(given) ? { ...fields, [columns.assistant]: JSON.stringify(given) } : fields;
  const input = columns.input && optionalText(fields[columns.input.field], columns.input.field);
  const asked = required(fields, columns.user);
  const more = input === undefined || input.trim() === '' ? '' : input;
  const apart = more !== '' && columns.input!.apart;
  return [
    {
      role: 'user',
      content: more === '' || apart ? asked : `${asked}\n\n${more}`,
      ...(apart ? { input: more } : {}),
    },
    { role: 'assistant', content: required(pair, columns.assistant), ...(thinking ? { thinking } : {}) },
  ];
};

/** Answers must be what they are declared to be: a model learns the one from the other. */
const checkAnswers = (messages: readonly Message[], list: string): void => {
  for (const [i, { role, calls, channel = 'final', content }] of messages.entries()) {
    if (role !== 'assistant' || calls || channel !== 'final') continue;
    try {
      JSON.parse(content);
    } catch {
      throw new RowError(`${list}[${i}].content: response_format asks for JSON, and this is none`);
    }
  }
};

/** The conversation of a row. Throws `RowError` naming the field that is malformed. */
export const readConversation = (fields: Fields, columns: Columns, defaults: Defaults = {}): Conversation => {
  const list = fields[columns.messages];
  const tools = readTools(fields.tools, 'tools') ?? defaults.tools;
  const responseFormat = readResponseFormat(fields.response_format, 'response_format') ?? defaults.responseFormat;
  if (!absent(list) && (!Array.isArray(list) || list.length === 0))
    throw new RowError(`${columns.messages}: expected a list of messages`);
  const messages = absent(list)
    ? readPair(fields, columns)
    : (list as readonly Json[]).map((m, i) => readMessage(m, `${columns.messages}[${i}]`));
  if (responseFormat) checkAnswers(messages, columns.messages);
  return { messages, ...(tools ? { tools } : {}), ...(responseFormat ? { responseFormat } : {}) };
};

/** Which assistant messages may carry loss: not those with `train: false`; with `lastOnly` only the last turn's. */
export const trainable = (messages: readonly Message[], lastOnly: boolean): readonly boolean[] => {
  const lastUser = messages.findLastIndex(m => m.role === 'user');
  return messages.map((m, i) => m.role === 'assistant' && m.train !== false && (!lastOnly || i > lastUser));
};
