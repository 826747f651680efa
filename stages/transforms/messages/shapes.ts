/** Where a row keeps its conversation: in a list of messages, in columns, or in a text that was rendered. */
import type { Fields, Json } from '../../contract.ts';
import { type Reading, readMessage } from './read-message.ts';
import { unrendered } from './rendered.ts';
import { fail, firstOf, given, isMap, parsed, type Turn, textOf } from './turn.ts';

export type Shape = 'auto' | 'messages' | 'pairs' | 'text';

export interface ColumnNames {
  readonly user?: string;
  readonly input?: string;
  readonly assistant?: string;
  readonly thinking?: string;
  readonly system?: string;
  readonly developer?: string;
  readonly history?: string;
}

export interface ShapeOptions extends Reading {
  readonly shape: Shape;
  readonly field?: string;
  readonly columns?: ColumnNames;
  /** Take "user: " and "assistant: " off the beginning of columns. */
  readonly rolePrefixes: boolean;
}

export interface Found {
  readonly turns: readonly Turn[];
  /** Fields that the conversation was made of. */
  readonly used: readonly string[];
}

const LISTS = ['messages', 'conversations', 'conversation', 'dialog', 'dialogue', 'chat', 'turns', 'contents'];
const USER = ['instruction', 'question', 'prompt', 'query', 'user', 'problem', 'input', 'human'];
const ASSISTANT = ['response', 'output', 'answer', 'final', 'completion', 'solution', 'chosen', 'assistant', 'target'];
const INPUT = ['input', 'context'];
const THINKING = ['thinking', 'analysis', 'reasoning_content', 'reasoning', 'thought', 'cot', 'rationale'];
const SYSTEM = ['system', 'system_prompt'];
const TEXT = ['text', 'content'];

/** Two texts by turns: {human, assistant}, {input, output}. */
const isPair = (item: Json): boolean =>
  isMap(item) &&
  !given(item.role) &&
  !given(item.from) &&
  firstOf(item, USER) !== null &&
  firstOf(item, ASSISTANT) !== null;

/** A list of messages, of texts by turns, of pairs, or the same as JSON in a text. */
const fromList = (value: Json, name: string, reading: Reading): Turn[] => {
  const found = typeof value === 'string' ? parsed(value) : value;
  if (!Array.isArray(found)) return fail(name, 'expected a list of messages');
  const list = found as readonly Json[];
  if (list.length === 0) return fail(name, 'is empty');
  return list.flatMap((item, i): Turn[] => {
    const at = `${name}[${i}]`;
    if (typeof item === 'string')
      return readMessage({ role: i % 2 === 0 ? 'user' : 'assistant', content: item }, at, reading);
    if (!isPair(item)) return readMessage(item, at, reading);
    const [asked, answer] = [firstOf(item as Fields, USER)!, firstOf(item as Fields, ASSISTANT)!];
    return [
      ...readMessage({ role: 'user', content: asked.value }, `${at}.${asked.key}`, reading),
      ...readMessage({ role: 'assistant', content: answer.value }, `${at}.${answer.key}`, reading),
    ];
  });
};

const withoutPrefix = (text: string, who: 'user' | 'assistant'): string =>
  text.replace(who === 'user' ? /^\s*(?:user|human)\s*[:：]\s*/i : /^\s*(?:assistant|gpt|bot)\s*[:：]\s*/i, '');

const fromColumns = (fields: Fields, options: ShapeOptions): Found | null => {
  const { columns = {}, rolePrefixes } = options;
  const pick = (own: string | undefined, usual: readonly string[], taken: readonly string[]) =>
    firstOf(fields, own === undefined ? usual.filter(name => !taken.includes(name)) : [own]);
  const asked = pick(columns.user, USER, []);
  const answer = asked && pick(columns.assistant, ASSISTANT, [asked.key]);
  if (!asked || !answer) return null;
  const taken = [asked.key, answer.key];
  const more = pick(columns.input, INPUT, taken);
  const thinking = pick(columns.thinking, THINKING, taken);
  const system = pick(columns.system, SYSTEM, taken);
  const developer = pick(columns.developer, ['developer'], taken);
  const history = pick(columns.history, ['history'], taken);
  const turns: Turn[] = [];
  for (const [role, one] of [
    ['system', system],
    ['developer', developer],
  ] as const)
    if (one && textOf(one.value, one.key) !== '')
      turns.push({ role, content: textOf(one.value, one.key), at: one.key });
  // The same instructions stand in both where a data set was made for several formats.
  if (turns.length === 2) turns.shift();
  if (history) turns.push(...fromHistory(history.value, history.key, options));
  // A prompt may be a conversation itself, and so may its completion.
  if (Array.isArray(asked.value)) turns.push(...fromList(asked.value, asked.key, options));
  else {
    const text = textOf(asked.value, asked.key);
    const about = more ? textOf(more.value, more.key) : '';
    const content = rolePrefixes ? withoutPrefix(text, 'user') : text;
    turns.push({ role: 'user', content: about.trim() === '' ? content : `${content}\n\n${about}`, at: asked.key });
  }
  if (Array.isArray(answer.value)) turns.push(...fromList(answer.value, answer.key, options));
  else {
    const content = isMap(answer.value) ? JSON.stringify(answer.value) : textOf(answer.value, answer.key);
    const reasoning = thinking && textOf(thinking.value, thinking.key) !== '' ? { thinking: thinking.value } : {};
    const message = {
      role: 'assistant',
      content: rolePrefixes ? withoutPrefix(content, 'assistant') : content,
      ...reasoning,
    };
    turns.push(...readMessage(message, answer.key, options));
  }
  const used = [asked, answer, more, thinking, system, developer, history].flatMap(found => found?.key ?? []);
  return { turns, used };
};

/** Alpaca's history: pairs of question and answer. */
const fromHistory = (value: Json, name: string, reading: Reading): Turn[] => {
  if (!Array.isArray(value)) return fail(name, 'expected a list of pairs');
  return (value as readonly Json[]).flatMap((pair, i) => {
    const at = `${name}[${i}]`;
    return Array.isArray(pair) ? fromList(pair, at, reading) : fromList([pair], at, reading);
  });
};

const fromText = (fields: Fields, name: string, reading: Reading): Found | null => {
  const text = fields[name];
  if (typeof text !== 'string') return null;
  const messages = unrendered(text, name);
  if (!messages) return null;
  if (messages.length === 0) return fail(name, 'the marks of a chat template stand in it, but no message');
  return { turns: messages.flatMap((m, i) => readMessage(m, `${name}, message ${i + 1}`, reading)), used: [name] };
};

const listIn = (fields: Fields, { shape, field }: ShapeOptions): string | undefined => {
  if (field !== undefined) return field;
  return LISTS.find(name => {
    const value = fields[name];
    if (typeof value === 'string') return shape === 'messages' && parsed(value) !== undefined;
    return Array.isArray(value) && (value as readonly Json[]).length > 0;
  });
};

/** The conversation of a row. Throws `RowError`. */
export const conversationOf = (fields: Fields, options: ShapeOptions): Found => {
  const { shape, field } = options;
  if (shape === 'auto' || shape === 'messages') {
    const name = listIn(fields, options);
    const isText = name !== undefined && typeof fields[name] === 'string' && shape === 'auto';
    if (name !== undefined && given(fields[name]) && !(isText && parsed(fields[name] as string) === undefined))
      return { turns: fromList(fields[name], name, options), used: [name] };
    if (shape === 'messages') return fail(field ?? 'messages', 'there is no list of messages');
  }
  if (shape === 'auto' || shape === 'text') {
    const found = (field === undefined ? TEXT : [field]).map(name => fromText(fields, name, options)).find(f => f);
    if (found) return found;
    if (shape === 'text') return fail(field ?? 'text', 'is no text that a chat template has rendered');
  }
  const found = fromColumns(fields, options);
  if (found) return found;
  const names = Object.keys(fields).slice(0, 8).join(', ');
  return fail(
    'no conversation',
    `neither a list of messages nor columns such as instruction and response; there are ${names || 'no fields'}`,
  );
};
