/** Asks a language model over `/chat/completions`: questions and answers in few words of ours, OpenAI's around them. */
import type { Json, Outside } from '../contract.ts';
import { type EndpointOptions, openEndpoint } from './endpoint.ts';
import { type Body, Refused } from './reply.ts';
import { type Schema, strict } from './schema.ts';

/** The options of every stage that asks a language model. */
export interface ChatOptions extends EndpointOptions {
  readonly temperature?: number;
  readonly top_p?: number;
  readonly max_tokens?: number;
  readonly seed?: number;
  readonly stop?: string | readonly string[];
  readonly reasoning_effort?: string;
  /** Further members of the request. */
  readonly body?: { readonly [name: string]: unknown };
}

export interface Message {
  readonly role: string;
  readonly content: string;
}

export interface Question {
  readonly messages: readonly Message[];
  /** What the answer is to be: JSON that fits it. */
  readonly schema?: Schema;
  /** Tells questions apart that are equal but want answers of their own; the seed goes up with it. */
  readonly sample?: number;
}

export interface Answer {
  readonly content: string;
  /** What a reasoning model thought, where the server tells. */
  readonly reasoning: string | null;
  readonly refusal: string | null;
  /** `stop`, `length`, `content_filter` … */
  readonly finish: string;
  /** The model that answered, as the server calls it. */
  readonly model: string | null;
  readonly tokens: { readonly input: number; readonly output: number };
}

export interface Chat {
  /**
   * Rejects with Refused or Unavailable where this question is not answered, with StageError where none is. What has
   * been answered before is not asked again.
   */
  ask(question: Question): Promise<Answer>;
}

/** How the server is told of a schema: the first way that it understands. */
const WAYS = ['json_schema', 'json_object', 'words'] as const;

/** A token is about four bytes of English; and what the answer may be where the recipe does not say. */
const BYTES_A_TOKEN = 4;
const USUAL_ANSWER = 300;

export const openChat = (options: ChatOptions, outside: Outside): Chat => {
  const endpoint = openEndpoint(options, outside);
  const { model, revision, temperature, top_p, max_tokens, seed, stop, reasoning_effort, body } = options;
  /** What the answer depends on besides the messages: neither where the server is, nor how fast it is asked. */
  const settings = JSON.parse(
    JSON.stringify({ model, revision, temperature, top_p, max_tokens, seed, stop, reasoning_effort, body }),
  ) as Json;
  let way = 0;
  /** Newer models of OpenAI know `max_tokens` by another name only. */
  let limit = 'max_tokens';

  const request = ({ messages, schema, sample = 0 }: Question): Body => ({
    ...body,
    model,
    messages: schema && way > 0 ? withSchema(messages, schema) : messages,
    temperature,
    top_p,
    [limit]: max_tokens,
    seed: seed === undefined ? undefined : seed + sample,
    stop,
    reasoning_effort,
    response_format: schema && formatOf(WAYS[way]!, schema),
  });

  const send = async (question: Question): Promise<Answer> => {
    for (;;) {
      const [asWay, asLimit] = [way, limit];
      const wire = request(question);
      const tokens =
        Math.ceil(Buffer.byteLength(JSON.stringify(wire.messages)) / BYTES_A_TOKEN) + (max_tokens ?? USUAL_ANSWER);
      try {
        const answer = read(await endpoint.ask('chat/completions', wire, { tokens, cost: a => sum(usageOf(a)) }));
        outside.count({ asked: 1, input_tokens: answer.tokens.input, output_tokens: answer.tokens.output });
        return answer;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        // Somebody may have found out meanwhile.
        if (
          question.schema &&
          asWay < WAYS.length - 1 &&
          /response_format|json_schema|json_object|guided|grammar/i.test(error.message)
        ) {
          way = Math.max(way, asWay + 1);
          continue;
        }
        if (asLimit === 'max_tokens' && error.message.includes('max_completion_tokens')) {
          limit = 'max_completion_tokens';
          continue;
        }
        throw error;
      }
    }
  };

  return {
    ask: question =>
      outside.answer(
        { chat: 1, settings, ...(JSON.parse(JSON.stringify(question)) as { readonly [name: string]: Json }) },
        async () => ({ ...(await send(question)) }),
      ),
  };
};

const formatOf = (way: (typeof WAYS)[number], schema: Schema): Body | undefined => {
  if (way === 'words') return undefined;
  if (way === 'json_object') return { type: 'json_object' };
  return { type: 'json_schema', json_schema: { name: 'answer', schema, strict: strict(schema) } };
};

const withSchema = (messages: readonly Message[], schema: Schema): Message[] => {
  const words = `Answer with JSON only, which fits this JSON Schema:\n${JSON.stringify(schema)}`;
  const [first, ...rest] = messages;
  return first?.role === 'system'
    ? [{ role: 'system', content: `${first.content}\n\n${words}` }, ...rest]
    : [{ role: 'system', content: words }, ...messages];
};

const usageOf = (answer: Body): Answer['tokens'] => {
  const { prompt_tokens: input, completion_tokens: output } = (answer.usage ?? {}) as Record<string, unknown>;
  const number = (n: unknown): number => (typeof n === 'number' && n >= 0 ? Math.round(n) : 0);
  return { input: number(input), output: number(output) };
};

const sum = ({ input, output }: Answer['tokens']): number => input + output;

/** Throws Refused for an answer that is none. */
const read = (answer: Body): Answer => {
  const choice = (Array.isArray(answer.choices) ? answer.choices[0] : undefined) as
    | { message?: Record<string, unknown>; finish_reason?: unknown }
    | undefined;
  const { message } = choice ?? {};
  if (typeof message !== 'object' || message === null)
    throw new Refused(200, 'the server answers with something that is not a chat completion');
  const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
  return {
    content: contentOf(message.content),
    reasoning: text(message.reasoning_content) ?? text(message.reasoning),
    refusal: text(message.refusal),
    finish: text(choice?.finish_reason) ?? 'stop',
    model: text(answer.model),
    tokens: usageOf(answer),
  };
};

/** A text, or OpenAI's list of parts. */
const contentOf = (content: unknown): string => {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map(part => (typeof (part as Body)?.text === 'string' ? (part as { text: string }).text : ''))
    .join('');
};
