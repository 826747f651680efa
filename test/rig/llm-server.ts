/** A server that speaks OpenAI's protocol on loopback, counts what it is asked, and answers what the test says. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Message {
  readonly role: string;
  readonly content: string;
}

/** A request as it came. */
export interface Asked {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: {
    readonly model: string;
    readonly messages: readonly Message[];
    readonly input?: readonly string[];
  } & Readonly<Record<string, unknown>>;
  /** Content of the last message. */
  readonly prompt: string;
  /** Counts from 1, over all requests. */
  readonly number: number;
}

/** What to answer: a text, a choice's parts, or anything else whole. */
export type Reply =
  | string
  | {
      readonly content?: string | null;
      readonly finish?: string;
      readonly refusal?: string;
      readonly reasoning?: string;
    }
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  /** Cuts the connection. */
  | null;

export interface LlmServer {
  /** Ends in /v1. */
  readonly url: string;
  readonly asked: Asked[];
  /** The most requests that were under way at a time. */
  readonly most: number;
  answer: (asked: Asked) => Reply | Promise<Reply>;
  /** An embedding of a text. */
  embed: (text: string) => readonly number[];
  /** Whether texts are not embedded: with status 400, or another. */
  refuse: (texts: readonly string[]) => boolean | number;
}

/** Words, for a token count that can be told. */
const tokens = (text: string): number => text.split(/\s+/).filter(Boolean).length;

export const llmServer = async (
  answer: LlmServer['answer'] = ({ prompt }) => prompt.toUpperCase(),
): Promise<LlmServer> => {
  const asked: Asked[] = [];
  let under = 0;
  let most = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    most = Math.max(most, ++under);
    try {
      let text = '';
      for await (const part of request) text += part;
      const body = JSON.parse(text) as Asked['body'];
      const one: Asked = {
        path: request.url!,
        headers: request.headers,
        body,
        prompt: body.messages?.at(-1)?.content ?? '',
        number: asked.length + 1,
      };
      asked.push(one);
      const send = (status: number, value: unknown, headers: Record<string, string> = {}): void => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(typeof value === 'string' ? value : JSON.stringify(value));
      };
      if (one.path.endsWith('/embeddings')) {
        const refused = server.refuse(body.input!);
        if (refused !== false) return send(refused === true ? 400 : refused, { error: { message: 'too long' } });
        const data = body.input!.map((t, index) => ({ object: 'embedding', index, embedding: server.embed(t) }));
        const used = body.input!.reduce((n, t) => n + tokens(t), 0);
        return send(200, {
          object: 'list',
          model: body.model,
          data,
          usage: { prompt_tokens: used, total_tokens: used },
        });
      }
      const reply = await server.answer(one);
      if (reply === null) return void request.socket.destroy();
      if (typeof reply !== 'string' && 'status' in reply) return send(reply.status, reply.body ?? {}, reply.headers);
      const choice = typeof reply === 'string' ? { content: reply } : reply;
      const { content = '', finish = 'stop', refusal, reasoning } = choice;
      const input = body.messages.reduce((n, m) => n + tokens(m.content), 0);
      send(200, {
        id: `chatcmpl-${one.number}`,
        object: 'chat.completion',
        model: `${body.model}-2026`,
        choices: [
          {
            index: 0,
            finish_reason: finish,
            message: {
              role: 'assistant',
              content,
              ...(refusal === undefined ? {} : { refusal }),
              ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
            },
          },
        ],
        usage: { prompt_tokens: input, completion_tokens: tokens(content ?? ''), total_tokens: 0 },
      });
    } finally {
      under--;
    }
  };
  const http = createServer((request, response) => void handle(request, response));
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  const server: LlmServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`,
    asked,
    get most() {
      return most;
    },
    answer,
    embed: text => [text.length, 1],
    refuse: () => false,
  };
  return server;
};
