/** Transform `llm-map`: asks a language model about each row, and writes its answer into the row, or makes rows of it. */
import type { LlmMapOptions } from '../../schemas/types.ts';
import type { Fields, Json, Row, RowsStage } from '../contract.ts';
import { askFor, lineageOf, orReject, Unusable } from '../llm/ask.ts';
import { type Chat, type Message, openChat } from '../llm/chat.ts';
import { openPrompt, type Prompt, PromptFailed } from '../llm/prompt.ts';
import { type Shape, shapeOf } from '../llm/schema.ts';
import { asking, spending } from '../llm/spending.ts';

export type Options = LlmMapOptions;

interface State {
  readonly chat: Chat;
  readonly system: Prompt | null;
  readonly prompt: Prompt | null;
  readonly shape: Shape | null;
}

/** The conversation that a field holds: a list of messages with `role` and `content`. Throws PromptFailed. */
const conversation = (fields: Fields, field: string): Message[] => {
  const value = fields[field];
  const isMessage = (m: Json): m is { readonly role: string; readonly content: string } =>
    typeof m === 'object' &&
    m !== null &&
    'role' in m &&
    typeof m.role === 'string' &&
    'content' in m &&
    typeof m.content === 'string';
  if (!Array.isArray(value) || !(value as readonly Json[]).every(isMessage))
    throw new PromptFailed(`field "${field}" is no list of messages with "role" and "content"`);
  return (value as readonly Message[]).map(({ role, content }) => ({ role, content }));
};

const messagesOf = ({ fields }: Row, { system, prompt }: State, { messages }: Options): Message[] => [
  ...(system ? [{ role: 'system', content: system.of(fields) }] : []),
  ...(messages === undefined ? [] : conversation(fields, messages)),
  ...(prompt ? [{ role: 'user', content: prompt.of(fields) }] : []),
];

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What an answer adds to its row. */
const added = (value: unknown, { into, schema }: Options): Fields =>
  schema && into === undefined && isObject(value) ? value : { [into ?? 'answer']: value as Json };

/** The rows that an answer's list makes. Throws Unusable. */
const parts = (value: unknown, { fields }: Row, { each, carry, into }: Options): Fields[] => {
  const list = Array.isArray(value) ? (value as Json[]) : isObject(value) ? value[each!] : undefined;
  if (!Array.isArray(list)) throw new Unusable(`the answer has no list "${each}"`);
  const carried = Object.fromEntries((carry ?? []).flatMap(name => (name in fields ? [[name, fields[name]!]] : [])));
  return (list as Json[]).map(item => ({ ...carried, ...(isObject(item) ? item : { [into ?? 'answer']: item }) }));
};

export default {
  kind: 'rows',
  async setup({ options }, outside): Promise<State> {
    // So that a build which finds all answers can say so.
    outside.count({ asked: 0 });
    return {
      chat: openChat(options, outside),
      system: options.system === undefined ? null : openPrompt(options.system, 'system'),
      prompt: options.prompt === undefined ? null : openPrompt(options.prompt, 'prompt'),
      shape: options.schema ? await shapeOf(options.schema) : null,
    };
  },
  map: (row, emit, state, options) =>
    orReject(row, emit, async spent => {
      const question = { messages: messagesOf(row, state, options) };
      const { value, answer } = await askFor(
        state.chat,
        { question, shape: state.shape, repairs: options.repairs },
        spent,
      );
      const thoughts = options.reasoning_into === undefined ? {} : { [options.reasoning_into]: answer.reasoning };
      const at = lineageOf(spent);
      if (options.each === undefined)
        return emit.keep(row, { ...row.fields, ...added(value, options), ...thoughts }, at);
      const made = parts(value, row, options);
      if (made.length === 0) return emit.drop(row, 'the answer is an empty list', at);
      for (const [i, fields] of made.entries())
        emit.child(row.id, { ...fields, ...thoughts }, i === 0 ? { from: [row.id], ...at } : { from: [row.id] });
    }),
  verdict: (totals, { prices }) => ({ note: spending(totals, prices) }),
  counted: (counts, { prices }) => asking(counts, prices),
} satisfies RowsStage<Options, State>;
