/**
 * Requests to a Hub. What may pass (a busy or broken server, a lost connection) is asked again, after a while that the
 * server names or that doubles; what does not pass is told in plain words.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { StageError } from '../contract.ts';
import { refused, unreachable } from './trouble.ts';

export interface AskingOptions {
  readonly token: string | undefined;
  readonly endpoint: string;
  /** The repository's page. */
  readonly page: string;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

const TRIES = 6;
const FIRST_WAIT = 500;
/** The Hub counts requests over five minutes. */
const LONGEST_WAIT = 330_000;
/** Until an answer begins, and between two pieces of one. */
const SILENCE = 60_000;

const PASSES = new Set([408, 425, 429, 500, 502, 503, 504]);

export class Asking {
  readonly #options: AskingOptions;

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  /** In place of `fetch`: resolves with answers that are good, and rejects with StageError otherwise. */
  readonly fetch: typeof fetch = (input, init) =>
    this.#persist(String(input), async () => {
      const signal = AbortSignal.any([this.#options.signal, AbortSignal.timeout(SILENCE)]);
      const response = await fetch(input, { ...init, signal });
      if (!response.ok) return response;
      // Read here: it belongs to what is tried again.
      const body = await response.arrayBuffer();
      return new Response(body, { status: response.status, headers: response.headers });
    });

  /** The content at a URL, from the byte on that `range` names, or from 0 where the server does not go by it. */
  async content(
    url: string,
    headers: Readonly<Record<string, string>>,
    given: AbortSignal,
  ): Promise<{ from: number; body: AsyncIterable<Uint8Array> }> {
    const silence = new AbortController();
    const signal = AbortSignal.any([given, silence.signal]);
    const timer = setTimeout(() => silence.abort(), SILENCE);
    try {
      const response = await this.#persist(url, () => {
        timer.refresh();
        return fetch(url, { headers, signal });
      });
      const from = response.status === 206 ? firstByte(response) : 0;
      return { from, body: pieces(response, timer) };
    } catch (error) {
      clearTimeout(timer);
      throw error;
    }
  }

  /** Asks until there is an answer that counts. */
  async #persist(url: string, ask: () => Promise<Response>): Promise<Response> {
    const { signal, log } = this.#options;
    let wait = FIRST_WAIT;
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      let response: Response | null = null;
      let failure: unknown = null;
      try {
        response = await ask();
        if (response.ok) return response;
      } catch (error) {
        if (error instanceof StageError) throw error;
        failure = error;
      }
      signal.throwIfAborted();
      const asked = response && waitAsked(response.headers);
      const passes = response ? PASSES.has(response.status) : true;
      if (!passes || tries === (response ? TRIES : triesOf(failure)) || (asked !== null && asked > LONGEST_WAIT))
        throw response
          ? await refused(response, { ...this.#options, wait: asked })
          : unreachable(failure, this.#options);
      const ms = asked ?? wait;
      wait *= 2;
      const why = response ? `answered ${response.status}` : `cannot be reached (${cause(failure)})`;
      log(`${new URL(url).host} ${why}: asked again in ${Math.ceil(ms / 1000)} s`);
      await response?.body?.cancel();
      await pause(ms, undefined, { signal });
    }
  }
}

/** Of what else fails (nobody there, no such host) it will hardly be otherwise in a moment. */
const triesOf = (error: unknown): number => {
  const isSilence = error instanceof Error && /^(?:TimeoutError|AbortError)$/.test(error.name);
  return isSilence || /^(?:ECONNRESET|EPIPE|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|UND_ERR_.*)$/.test(cause(error))
    ? TRIES
    : 2;
};

/** Of `Content-Range: bytes 100-199/200`. */
const firstByte = (response: Response): number =>
  Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN);

const pieces = async function* (response: Response, timer: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of response.body ?? []) {
      timer.refresh();
      yield piece as Uint8Array;
    }
  } finally {
    clearTimeout(timer);
  }
};

/** `Retry-After: 20`, or the Hub's `RateLimit: "api";r=0;t=20`; in milliseconds. */
const waitAsked = (headers: Headers): number | null => {
  const after = headers.get('retry-after');
  const seconds = after === null ? /\bt=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1] : after;
  if (seconds === undefined || seconds.trim() === '') return null;
  if (/^\d+(\.\d+)?$/.test(seconds)) return Number(seconds) * 1000;
  const date = Date.parse(seconds);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
};

export const cause = (error: unknown): string => {
  const { code, message } = ((error as { cause?: unknown }).cause ?? error) as { code?: string; message?: string };
  return code ?? message ?? String(error);
};
