/**
 * A server that speaks OpenAI's protocol: asks it within its limits and again after trouble that may pass, and tells trouble
 * with one request (the row is rejected) from trouble with all of them (the node fails).
 */
import { type Outside, StageError } from '../contract.ts';
import { type Clock, clock, type Gate, gateOf, type Limits, Unavailable } from './gate.ts';
import { PostFailed, post, type Reply } from './post.ts';

/** The options of every stage that asks a server. */
export interface EndpointOptions extends Limits {
  readonly endpoint?: string;
  readonly api_key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly model?: string;
  readonly revision?: string | number;
  readonly timeout: number;
  readonly retries: number;
}

/** The server will not answer this request, now or later: its own words. */
export class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type Body = Readonly<Record<string, unknown>>;

export interface Endpoint {
  readonly model: string;
  /** Host, for messages. */
  readonly host: string;
  /**
   * The JSON that `path` ("chat/completions") answers with; `tokens` is about what it will cost, `cost` reads what it did.
   * Rejects with Refused, Unavailable, StageError (from then on for everybody), or the signal's reason.
   */
  ask(path: string, body: Body, more: { tokens: number; cost(answer: Body): number }): Promise<Body>;
}

/** How long to wait after the n-th failure, in ms: twice as long each time, and not all at the same moment. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
/** How often a server may say that it is busy. */
const MOST_RESTS = 20;
/** A server that asks for more than this is not waited for. */
const LONGEST_REST = 5 * 60_000;

/** Statuses of trouble that passes. 409 and 425 are those of servers that are just loading a model. */
const PASSES = new Set([408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529]);

type Verdict =
  | { readonly is: 'answer'; readonly answer: Body }
  | { readonly is: 'passing'; readonly why: string; readonly rest: number | null; readonly busy: boolean }
  | { readonly is: 'final'; readonly error: Error };

/** Seams for tests. */
interface Seams {
  readonly time?: Clock;
  readonly gate?: Gate;
}

export const openEndpoint = (options: EndpointOptions, outside: Outside, seams: Seams = {}): Endpoint => {
  const base = baseOf(options);
  const model = options.model!;
  const { time = clock, gate = gateOf(base, model) } = seams;
  const headers: Record<string, string> = {
    ...(options.api_key === undefined ? {} : { authorization: `Bearer ${options.api_key}` }),
    ...options.headers,
  };
  const who: Who = { host: base.host, model, hasKey: options.api_key !== undefined || options.headers !== undefined };
  /** Trouble with all requests: nobody asks any more, but what has been asked may still be answered. */
  const broken = new AbortController();
  const signal = AbortSignal.any([outside.signal, broken.signal]);

  const attempt = async (url: URL, body: Body): Promise<Verdict> => {
    try {
      return judge(await post({ url, headers, body, timeout: options.timeout, signal: outside.signal }), who);
    } catch (error) {
      if (!(error instanceof PostFailed)) throw error;
      return { is: 'passing', why: error.message, rest: null, busy: false };
    }
  };

  return {
    model,
    host: base.host,
    ask: async (path, body, { tokens, cost }) => {
      const url = new URL(base.href);
      url.pathname = `${base.pathname}/${path}`;
      for (let failures = 0, rests = 0; ; ) {
        const pass = await gate.enter(options, tokens, signal);
        let rest: number;
        let why: string;
        try {
          const verdict = await attempt(url, body);
          if (verdict.is !== 'passing') gate.succeeded();
          if (verdict.is === 'answer') {
            pass.used(cost(verdict.answer));
            return verdict.answer;
          }
          if (verdict.is === 'final') {
            if (verdict.error instanceof StageError) broken.abort(verdict.error);
            throw verdict.error;
          }
          if (verdict.busy) rests++;
          else failures++;
          why = verdict.why;
          rest = verdict.rest ?? pauseAfter(failures + rests, time);
          // A server that is busy is well, but everybody had better wait.
          if (verdict.busy) gate.pause(rest);
          else gate.failed(why);
        } finally {
          // Only now: the next one finds the gate as this answer has left it.
          pass.leave();
        }
        if (failures > options.retries || rests > MOST_RESTS || rest > LONGEST_REST)
          throw new Unavailable(failures + rests === 1 ? why : `${why} (asked ${failures + rests} times)`);
        await sleep(rest, signal, time);
      }
    },
  };
};

interface Who {
  readonly host: string;
  readonly model: string;
  readonly hasKey: boolean;
}

const baseOf = ({ endpoint }: EndpointOptions): URL => {
  const wrong = (why: string): never => {
    throw new StageError('bad-endpoint', `endpoint is ${JSON.stringify(endpoint)}: ${why}`, {
      advice: 'name the address that /chat/completions stands below: https://api.openai.com/v1',
    });
  };
  let url: URL;
  try {
    url = new URL(endpoint!);
  } catch {
    return wrong('not an address');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return wrong('neither http: nor https:');
  if (url.username !== '' || url.password !== '') return wrong('a key in an address gets into logs; use api_key');
  url.pathname = url.pathname.replace(/\/+$/, '').replace(/\/(chat\/completions|embeddings)$/, '');
  url.hash = '';
  return url;
};

const pauseAfter = (troubles: number, time: Clock): number =>
  Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (troubles - 1)) * (0.5 + time.random() / 2);

const sleep = (ms: number, signal: AbortSignal, time: Clock): Promise<void> =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = (): void => {
      callOff();
      reject(signal.reason as Error);
    };
    const callOff = time.after(ms, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });

const judge = (reply: Reply, who: Who): Verdict => {
  const answer = asObject(reply.text);
  const status = statusOf(reply, answer);
  if (status >= 200 && status < 300) {
    if (answer) return { is: 'answer', answer };
    return { is: 'passing', why: `an answer that is no JSON object (${excerpt(reply.text)})`, rest: null, busy: false };
  }
  const { message, code } = errorOf(answer, reply.text);
  const said = message === '' ? `status ${status}` : `${message} (status ${status})`;
  const final = (reason: string, words: string, advice: string): Verdict => ({
    is: 'final',
    error: new StageError(reason, words, { advice }),
  });
  if (status === 401 || status === 403)
    return final(
      'llm-denied',
      `${who.host} refuses ${who.hasKey ? 'the key' : 'to answer without a key'}: ${said}`,
      who.hasKey ? 'look at the key and at what it may do' : 'name it: api_key: "${env:OPENAI_API_KEY}"',
    );
  if (status === 402 || code === 'insufficient_quota')
    return final('llm-no-money', `${who.host} wants to be paid: ${said}`, 'what was answered so far is kept');
  if (status === 404)
    return final(
      'llm-not-found',
      `${who.host} has no model "${who.model}", or nothing at that address: ${said}`,
      'look at `model`, and whether `endpoint` ends as the server wants it (mostly in /v1)',
    );
  if (status >= 300 && status < 400)
    return final('bad-endpoint', `${who.host} sends us elsewhere (status ${status})`, 'name the address it sends to');
  if (PASSES.has(status)) {
    const busy = status === 429 || status === 503 || status === 529;
    return { is: 'passing', why: said, rest: restOf(reply), busy: status === 429 || (busy && restOf(reply) !== null) };
  }
  return { is: 'final', error: new Refused(status, `the server refuses the request: ${said}`) };
};

/** Some gateways say 200 and put the error of the server behind them into the answer. */
const statusOf = ({ status }: Reply, answer: Body | null): number => {
  const { error } = answer ?? {};
  if (status !== 200 || typeof error !== 'object' || error === null) return status;
  const code = Number((error as Record<string, unknown>).code);
  return code >= 400 && code < 600 ? code : 502;
};

/** `Retry-After` (seconds, or a date) and OpenAI's `retry-after-ms`, in ms; null where the server says nothing. */
const restOf = ({ headers }: Reply): number | null => {
  const ms = Number(headers['retry-after-ms']);
  if (headers['retry-after-ms'] !== undefined && Number.isFinite(ms) && ms >= 0) return ms;
  const after = headers['retry-after'];
  if (after === undefined) return null;
  const seconds = Number(after);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(after);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
};

const asObject = (text: string): Body | null => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : null;
  } catch {
    return null;
  }
};

/** `{ error: { message, code } }` as OpenAI writes it, and what other servers write. */
const errorOf = (answer: Body | null, text: string): { message: string; code: string } => {
  const { error } = (answer ?? {}) as { error?: unknown };
  const inner = (typeof error === 'object' && error !== null ? error : (answer ?? {})) as Record<string, unknown>;
  const found = [typeof error === 'string' ? error : undefined, inner.message, inner.detail, inner.msg].find(
    m => m !== undefined && m !== null && m !== '',
  );
  const message =
    found === undefined ? (answer ? '' : text) : typeof found === 'string' ? found : JSON.stringify(found);
  return { message: excerpt(message), code: String(inner.code ?? inner.type ?? '') };
};

const excerpt = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 297)}...` : line;
};
