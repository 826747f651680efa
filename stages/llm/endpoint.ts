/**
 * A server that speaks OpenAI's protocol: asks it within its limits and again after trouble that may pass, and tells trouble
 * with one request (the row is rejected) from trouble with all of them (the node fails).
 */
import { type Outside, StageError } from '../contract.ts';
import { type Clock, clock, type Gate, gateOf, type Limits, Unavailable } from './gate.ts';
import { PostFailed, post } from './post.ts';
import { type Body, judge, type Verdict, type Who } from './reply.ts';

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
