/**
 * Bright Data's API: every call of it, in turn, with the token. Its 429 means "slower": 25 of them within five minutes and
 * it blocks this address until somebody writes to its support, so we stop long before, and remember it from build to build.
 */
import { StageError } from '../../../contract.ts';
import type { Answers } from '../answers.ts';
import type { Hosts } from '../hosts.ts';
import { type Head, type Http, type Question, retryAfter } from '../http.ts';
import { Trouble } from '../trouble.ts';

export interface ApiTools {
  readonly http: Http;
  readonly hosts: Hosts;
  readonly answers: Answers;
  readonly endpoint: string;
  readonly token: string;
}

export type Call = Pick<Question, 'method' | 'timeout' | 'most'> & {
  /** Below the endpoint: `/request`. */
  readonly path: string;
  readonly body?: unknown;
};

/** 429s within five minutes after which nothing more is asked. */
const MOST_429 = 10;
const WINDOW_MS = 5 * 60_000;
/** Seconds after the first 429 that does not say how long; twice as many after each further one. */
const BACK_OFF = 2;
const LONGEST_BACK_OFF = 32;
/** Characters of an error that are repeated. */
const QUOTED = 200;

export class BrightData {
  readonly #tools: ApiTools;
  /** 429s since the last answer that was none. */
  #inARow = 0;

  constructor(tools: ApiTools) {
    this.#tools = tools;
  }

  /** Where its turns are taken. */
  get origin(): string {
    return new URL(this.#tools.endpoint).origin;
  }

  /** Whether asking again may help. */
  get isOpen(): boolean {
    return this.#tools.hosts.isOpen(this.origin);
  }

  /**
   * Takes an answer in while it comes. Rejects with Trouble, and with StageError where no call can succeed: a wrong token, an
   * account without money.
   */
  async call<T>(call: Call, take: (head: Head, body: AsyncIterable<Buffer>) => Promise<T>): Promise<T> {
    for (;;) {
      this.#throwIfSlowedDown();
      try {
        const taken = await this.#tools.hosts.turn(this.origin, () => this.#once(call, take));
        this.#inARow = 0;
        return taken;
      } catch (error) {
        if (!(error instanceof Trouble) || error.status !== 429) throw error;
        if (!this.isOpen) throw error;
      }
    }
  }

  async #once<T>(
    { path, body, ...call }: Call,
    take: (head: Head, body: AsyncIterable<Buffer>) => Promise<T>,
  ): Promise<T> {
    const { http, endpoint, token } = this.#tools;
    return http.stream(
      {
        ...call,
        url: `${endpoint.replace(/\/$/, '')}${path}`,
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      async (head, stream) => {
        if (head.status < 400) return take(head, stream);
        throw await this.#refused(head, stream);
      },
    );
  }

  async #refused(head: Head, stream: AsyncIterable<Buffer>): Promise<Error> {
    const { status } = head;
    if (status === 429) {
      const after = retryAfter(head) ?? Math.min(LONGEST_BACK_OFF, BACK_OFF * 2 ** this.#inARow);
      this.#inARow++;
      this.#tools.answers.takeNote('429', JSON.stringify([...this.#slowDowns(), Date.now()]));
      return new Trouble('transient', 'Bright Data asks us to be slower (status 429)', { status, after });
    }
    let text = '';
    for await (const chunk of stream) if ((text += chunk.toString()).length > 4 * QUOTED) break;
    const message = `Bright Data: ${this.quote(text) || 'no reason given'} (status ${status})`;
    if (status === 401 || status === 407)
      return new StageError('credentials', message, {
        advice: 'check the token: an API key of the account, which may use this zone or dataset',
      });
    if (status === 402 || status === 403)
      return new StageError('brightdata', message, {
        advice: 'look at the account in its control panel: balance, activation, and what the API key may do',
      });
    return new Trouble(status >= 500 || status === 408 ? 'transient' : 'dead', message, { status });
  }

  /** The beginning of what the service says, on one line, and without the token whatever it repeats. */
  quote(said: unknown): string {
    const { token } = this.#tools;
    const text = String(said).replaceAll(token, '***').replace(/\s+/g, ' ').trim();
    return text.length > QUOTED ? `${text.slice(0, QUOTED)}…` : text;
  }

  #throwIfSlowedDown(): void {
    const count = this.#slowDowns().length;
    if (count < MOST_429) return;
    const why = `Bright Data asked us to be slower ${count} times within five minutes: stopped before it blocks this address`;
    this.#tools.hosts.close(this.origin, why);
    throw new Trouble('transient', why, { status: 429 });
  }

  /** Times of the 429s that still count, Unix ms. */
  #slowDowns(): number[] {
    const times = JSON.parse(this.#tools.answers.note('429') ?? '[]') as number[];
    return times.filter(time => Date.now() - time < WINDOW_MS);
  }
}

/** All of an answer. Throws Trouble when that is more than `most`. */
export const bytesOf = async (body: AsyncIterable<Buffer>, most: number): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    if ((bytes += chunk.length) > most) throw new Trouble('dead', `larger than ${Math.round(most / 2 ** 20)} MB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

/** The same as JSON. Throws Trouble where it is none. */
export const json = async (body: AsyncIterable<Buffer>, most: number): Promise<unknown> => {
  const bytes = await bytesOf(body, most);
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw new Trouble('transient', 'Bright Data answered what is no JSON');
  }
};
