/** Calls of functions and definitions of functions, in the forms that APIs and data sets have for them. */
import type { Json } from '../../contract.ts';
import type { ToolCall } from '../../templates/conversation.ts';
import { fail, firstOf, given, isMap, parsed, textOf } from './turn.ts';

const readArguments = (value: Json | undefined, at: string): Json => {
  if (!given(value) || value === '') return {};
  if (isMap(value)) return value;
  if (typeof value !== 'string') return fail(at, 'arguments should be a map, or JSON');
  const map = parsed(value);
  if (map === undefined || !isMap(map)) return fail(at, `arguments are no JSON object: ${value.slice(0, 60)}`);
  return map;
};

/**
 * One call: OpenAI's `{id, function: {name, arguments}}` and `function_call`, Anthropic's `tool_use`, Gemini's `functionCall`,
 * Hermes' and ShareGPT's `{name, arguments}`.
 */
export const readCall = (value: Json, at: string): ToolCall => {
  if (!isMap(value)) return fail(at, 'a call should be a map with a name and arguments');
  const inner = isMap(value.function) ? value.function : isMap(value.functionCall) ? value.functionCall : value;
  const name = textOf(firstOf(inner, ['name', 'function', 'tool_name', 'tool', 'api', 'action'])?.value, `${at}.name`);
  if (name === '') return fail(at, 'the call names no function');
  const args = firstOf(inner, ['arguments', 'parameters', 'input', 'args', 'kwargs', 'action_input'])?.value;
  const id = firstOf(value, ['id', 'call_id', 'tool_call_id'])?.value;
  return { name, arguments: readArguments(args, at), ...(typeof id === 'string' && id !== '' ? { id } : {}) };
};

/** A list of calls, one call, or either as JSON in a text. */
export const readCalls = (value: Json, at: string): ToolCall[] => {
  const found = typeof value === 'string' ? parsed(value) : value;
  if (found === undefined) return fail(at, `is no JSON: ${String(value).slice(0, 60)}`);
  const list = Array.isArray(found) ? (found as readonly Json[]) : [found];
  return list.map((call, i) => readCall(call, list.length === 1 ? at : `${at}[${i}]`));
};

const TAGGED = /<(tool_call|function_call|functioncall)>\s*([\s\S]*?)\s*<\/\1>/g;

/** Calls that stand in a text between tags (Hermes, Qwen), and the text without them. */
export const takeTagged = (
  text: string,
  at: string,
): { readonly text: string; readonly calls: readonly ToolCall[] } => {
  if (!/<(?:tool_call|function_?call)>/.test(text)) return { text, calls: [] };
  const calls: ToolCall[] = [];
  const rest = text.replace(TAGGED, (_, tag: string, inside: string) => {
    calls.push(...readCalls(inside, `${at}, <${tag}>`));
    return '';
  });
  return { text: rest.trim(), calls };
};

const RESULT = /^\s*<tool_response>\s*([\s\S]*?)\s*<\/tool_response>\s*/;

/** Results that stand between tags in one message; the text itself where there are no tags. */
export const untagResults = (text: string): readonly string[] => {
  const results: string[] = [];
  let rest = text;
  for (let match = RESULT.exec(rest); match; match = RESULT.exec(rest)) {
    results.push(match[1]!);
    rest = rest.slice(match[0].length);
  }
  return results.length > 0 && rest.trim() === '' ? results : [text];
};

/** Definitions of functions in OpenAI's shape: from a list, a map of lists, or either as JSON; Anthropic's and bare ones, too. */
export const readDefinitions = (value: Json | undefined, at: string): readonly Json[] => {
  if (!given(value) || value === '') return [];
  const found = typeof value === 'string' ? parsed(value) : value;
  if (found === undefined) return value === '' ? [] : fail(at, 'is no JSON list of functions');
  const list = Array.isArray(found) ? (found as readonly Json[]) : [found];
  return list.map((tool, i): Json => {
    if (!isMap(tool)) return fail(`${at}[${i}]`, 'a function should be a map with a name');
    const inner = isMap(tool.function) ? tool.function : tool;
    if (typeof inner.name !== 'string' || inner.name === '') return fail(`${at}[${i}]`, 'the function has no name');
    const { input_schema, parameters, type: _, function: __, ...rest } = inner;
    const schema = parameters ?? input_schema;
    return { type: 'function', function: { ...rest, ...(given(schema) ? { parameters: schema } : {}) } };
  });
};
