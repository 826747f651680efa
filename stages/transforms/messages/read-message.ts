/** Reads one message of a list, whoever's shape it has, into turns: a message of Anthropic's may hold several results of tools. */
import type { Json } from '../../contract.ts';
import type { ToolCall } from '../../templates/conversation.ts';
import { readCall, readCalls, takeTagged, untagResults } from './calls.ts';
import { type Speaker, speakerOf } from './roles.ts';
import { fail, firstOf, given, isMap, type JsonMap, type Turn, textOf } from './turn.ts';

export interface Reading {
  /** Names of the recipe's for those who speak. */
  readonly roles: Readonly<Record<string, Speaker>>;
  /** Take reasoning and calls that stand between tags out of the text. */
  readonly tags: boolean;
}

/** What a content of several parts comes to. */
interface Parts {
  text: string;
  thinking: string;
  readonly calls: ToolCall[];
  readonly results: { readonly content: string; readonly callId?: string; readonly name?: string }[];
}

const resultText = (value: Json | undefined, at: string): string => {
  if (Array.isArray(value))
    return (value as readonly Json[])
      .map((part, i) => (isMap(part) && given(part.text) ? textOf(part.text, `${at}[${i}]`) : JSON.stringify(part)))
      .join('\n');
  return isMap(value) ? JSON.stringify(value) : textOf(value, at);
};

const readPart = (part: Json, into: Parts, at: string): void => {
  if (typeof part === 'string') into.text += part;
  else if (isMap(part)) readMap(part, into, at);
  else fail(at, 'a part should be a text or a map');
};

const readMap = (part: JsonMap, into: Parts, at: string): void => {
  const { type } = part;
  if (type === 'thinking' || type === 'reasoning' || type === 'redacted_thinking')
    into.thinking += textOf(firstOf(part, ['thinking', 'text', 'reasoning'])?.value, at);
  else if (type === 'tool_use' || given(part.functionCall)) into.calls.push(readCall(part, at));
  else if (type === 'tool_result') {
    const id = part.tool_use_id;
    into.results.push({ content: resultText(part.content, at), ...(typeof id === 'string' ? { callId: id } : {}) });
  } else if (isMap(part.functionResponse)) {
    const { name, response } = part.functionResponse;
    into.results.push({ content: resultText(response, at), ...(typeof name === 'string' ? { name } : {}) });
  } else if (typeof part.text === 'string' && (!given(type) || /^(?:text|input_text|output_text)$/.test(String(type))))
    into.text += part.text;
  else fail(at, `${JSON.stringify(type ?? Object.keys(part)[0] ?? '')} cannot be trained on, only text`);
};

const readContent = (value: Json | undefined, speaker: Speaker, at: string): Parts => {
  const parts: Parts = { text: '', thinking: '', calls: [], results: [] };
  if (Array.isArray(value))
    for (const [i, part] of (value as readonly Json[]).entries()) readPart(part, parts, `${at}[${i}]`);
  // Answers in parts, and results of tools.
  else if (isMap(value) && speaker !== 'user' && speaker !== 'system') parts.text = JSON.stringify(value);
  else parts.text = textOf(value, at);
  return parts;
};

const THOUGHT =
  /^\s*(?:<(think|thinking|thought|reasoning)>([\s\S]*?)<\/\1>|<\|begin_of_thought\|>([\s\S]*?)<\|end_of_thought\|>)\s*/;
const SOLUTION = /^<\|begin_of_solution\|>\s*([\s\S]*?)\s*<\|end_of_solution\|>\s*$/;

/** Reasoning that stands between tags before the answer. */
const takeThought = (text: string, at: string): { readonly text: string; readonly thinking: string } => {
  const match = THOUGHT.exec(text);
  if (match) {
    const answer = text.slice(match[0].length);
    return { thinking: (match[2] ?? match[3])!.trim(), text: SOLUTION.exec(answer)?.[1] ?? answer };
  }
  if (/^\s*<(?:think|thinking)>/.test(text)) fail(at, 'the reasoning is opened with <think> and never closed');
  // The opening tag is often part of the prompt that the model was given.
  const end = text.indexOf('</think>');
  if (end === -1) return { text, thinking: '' };
  return { thinking: text.slice(0, end).trim(), text: text.slice(end + '</think>'.length).trimStart() };
};

const REASONING = ['thinking', 'analysis', 'reasoning_content', 'reasoning', 'thought'];
const CONTENT = ['content', 'value', 'text', 'message', 'parts', 'utterance'];
const ROLE = ['role', 'from', 'speaker', 'author', 'sender'];

/** Whether the message carries loss, by the names that trainers have for it; undefined where none is there. */
const trainOf = (message: JsonMap, at: string): boolean | undefined => {
  const found = firstOf(message, ['train', 'loss', 'weight', 'trainable']);
  if (!found) return undefined;
  if (typeof found.value === 'boolean') return found.value;
  if (found.value === 0 || found.value === 1) return found.value === 1;
  return fail(`${at}.${found.key}`, 'expected true, false, 0 or 1');
};

/** Thought, steps and answer apart, as templates for structured answers have them. */
const readSteps = (message: JsonMap, turn: Turn, at: string): void => {
  if (turn.content !== '' || !given(message.answer)) return;
  turn.content = textOf(message.answer, `${at}.answer`);
  if (!Array.isArray(message.steps)) return;
  const steps = (message.steps as readonly Json[]).map((step, i) => `${i + 1}. ${textOf(step, `${at}.steps[${i}]`)}`);
  turn.thinking = [turn.thinking, steps.join('\n')].filter(Boolean).join('\n\n');
};

/** The turns of one message. Throws `RowError` with the place and what is wrong there. */
export const readMessage = (message: Json, at: string, { roles, tags }: Reading): Turn[] => {
  if (!isMap(message)) return fail(at, 'expected a map with a role and a content');
  const role = firstOf(message, ROLE);
  if (!role) return fail(at, `nothing says who speaks: ${ROLE.join(', ')}`);
  const named = isMap(role.value) ? role.value.role : role.value;
  const name = textOf(named, `${at}.${role.key}`);
  const speaker = speakerOf(name, roles);
  if (!speaker)
    return fail(
      `${at}.${role.key}`,
      `${JSON.stringify(name)} is no role that is known; say which with roles: { ${JSON.stringify(name)}: user }`,
    );
  const found = firstOf(message, CONTENT);
  const inner = found && isMap(found.value) && Array.isArray(found.value.parts) ? found.value.parts : found?.value;
  const parts = readContent(inner, speaker, `${at}.${found?.key ?? 'content'}`);
  const train = trainOf(message, at);
  const more = { at, ...(train === undefined ? {} : { train }) };
  if (speaker === 'thinking') return [{ role: 'assistant', content: '', thinking: parts.text, ...more }];
  if (speaker === 'call') return [{ role: 'assistant', content: '', calls: readCalls(parts.text, at), ...more }];
  const own = typeof message.name === 'string' && message.name !== '' ? { name: message.name } : {};
  if (speaker === 'tool') return toolTurns(message, parts, { ...more, ...own });
  const results = parts.results.map((result): Turn => ({ role: 'tool', ...result, at }));
  const turn: Turn = { role: speaker, content: parts.text, ...more, ...own };
  if (speaker === 'assistant') readAssistant(message, turn, parts, tags);
  if (turn.content === '' && results.length > 0 && !turn.calls && !turn.thinking) return results;
  return [...results, turn];
};

const toolTurns = (message: JsonMap, parts: Parts, more: Pick<Turn, 'at' | 'train' | 'name'>): Turn[] => {
  const id = firstOf(message, ['tool_call_id', 'call_id', 'tool_use_id'])?.value;
  const callId = typeof id === 'string' && id !== '' ? { callId: id } : {};
  if (parts.results.length > 0) return parts.results.map(result => ({ role: 'tool', ...more, ...result }));
  return untagResults(parts.text).map(content => ({ role: 'tool', content, ...more, ...callId }));
};

const readAssistant = (message: JsonMap, turn: Turn, parts: Parts, tags: boolean): void => {
  const { at } = turn;
  const reasoning = firstOf(message, REASONING);
  let thinking = reasoning ? textOf(reasoning.value, `${at}.${reasoning.key}`) : parts.thinking;
  const calls = [...parts.calls];
  if (Array.isArray(message.tool_calls) && (message.tool_calls as readonly Json[]).length > 0)
    calls.push(...readCalls(message.tool_calls, `${at}.tool_calls`));
  else if (given(message.function_call)) calls.push(...readCalls(message.function_call, `${at}.function_call`));
  if (tags) {
    const thought = takeThought(turn.content, at);
    if (thought.thinking !== '') thinking = [thinking, thought.thinking].filter(Boolean).join('\n\n');
    const tagged = takeTagged(thought.text, at);
    turn.content = tagged.text;
    calls.push(...tagged.calls);
  }
  if (thinking !== '') turn.thinking = thinking;
  if (calls.length > 0) turn.calls = calls;
  if (typeof message.channel === 'string' && message.channel !== '') turn.channel = message.channel;
  readSteps(message, turn, at);
};
