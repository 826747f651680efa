/** One POST of JSON to a server, with an end to its patience: what came back, whatever the status. */
import { type IncomingHttpHeaders, request as plain, type RequestOptions } from 'node:http';
import { request as secure } from 'node:https';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Post {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** Seconds until the answer must be here, all of it. */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/** An answer of a language model is a few hundred kilobytes at most; a server gone wrong must not fill our memory. */
const MOST_BYTES = 64 << 20;

/** The server could not be asked, or did not answer in time. */
export class PostFailed extends Error {}

/**
 * Resolves with any answer; rejects with PostFailed, or with the signal's reason. Node's `fetch` is not used: it gives up on
 * every answer that takes more than five minutes to begin, as a long chain of thought does.
 */
export const post = ({ url, headers, body, timeout, signal }: Post): Promise<Reply> =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const bytes = Buffer.from(JSON.stringify(body));
    const options: RequestOptions = {
      method: 'POST',
      headers: {
        accept: 'application/json',
        ...headers,
        'content-type': 'application/json',
        'content-length': bytes.length,
      },
    };
    const request = (url.protocol === 'https:' ? secure : plain)(url, options);
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const fail = (error: Error): void => {
      end();
      request.destroy();
      reject(error);
    };
    const abort = (): void => fail(signal.reason as Error);
    const timer = setTimeout(() => fail(new PostFailed(`no answer within ${timeout} s`)), timeout * 1000);
    signal.addEventListener('abort', abort, { once: true });
    request.on('error', error => fail(new PostFailed(inWords(error))));
    request.on('response', response => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size > MOST_BYTES) fail(new PostFailed(`an answer of more than ${MOST_BYTES >> 20} MiB`));
      });
      response.on('error', error => fail(new PostFailed(inWords(error))));
      response.on('end', () => {
        if (!response.complete) return fail(new PostFailed('the answer broke off'));
        end();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(parts).toString() });
      });
    });
    request.end(bytes);
  });

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there (ECONNREFUSED)',
  ECONNRESET: 'the connection was cut (ECONNRESET)',
  EPIPE: 'the connection was cut (EPIPE)',
  ENOTFOUND: 'there is no such host (ENOTFOUND)',
  EAI_AGAIN: 'its name cannot be looked up (EAI_AGAIN)',
};

/** Without addresses and ports, so that one trouble reads the same for all rows. */
const inWords = (error: Error & { code?: string }): string =>
  (error.code !== undefined && WORDS[error.code]) || error.code || error.message;
