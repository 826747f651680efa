/** One HTTP exchange within limits of time and size: nothing is followed, nothing is tried again. */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { pipeline, type Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { Trouble, troubleOf } from './trouble.ts';

export interface Question {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Seconds for the whole exchange. */
  readonly timeout: number;
  /** Bytes of the body, unpacked. */
  readonly most: number;
  /** Whether the body is wanted at all, by the head of the answer; else it is left unread. */
  readonly wants?: (answer: Head) => boolean;
}

export interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

export interface Answer extends Head {
  /** Empty where it was not wanted. */
  readonly body: Buffer;
}

/** A body that is not wanted is still read to its end if no longer than this: the connection can then be used again. */
const DRAINED = 64 * 1024;
/** Codings one over the other: more is an attack. */
const CODINGS = 2;

export class Http {
  readonly #plain: Agent;
  readonly #secure: SecureAgent;

  constructor(env: NodeJS.ProcessEnv = process.env) {
    // Node's own rule: proxies of the environment (HTTPS_PROXY …) are used where NODE_USE_ENV_PROXY says so.
    const proxy = env.NODE_USE_ENV_PROXY === '1' ? { proxyEnv: env } : {};
    this.#plain = new Agent({ keepAlive: true, ...proxy });
    this.#secure = new SecureAgent({ keepAlive: true, ...proxy });
  }

  /** Rejects with Trouble. */
  async ask(question: Question): Promise<Answer> {
    return this.stream(question, async (head, body) => {
      const told = Number(header(head, 'content-length') ?? 0);
      if (question.wants?.(head) !== false && told > question.most) throw tooLarge(question.most);
      return { ...head, body: await whole(body, question.most) };
    });
  }

  /** The same for an answer that is taken in while it comes. `take` is given an empty body where it is not wanted. */
  async stream<T>(question: Question, take: (head: Head, body: AsyncIterable<Buffer>) => Promise<T>): Promise<T> {
    let abandon: (why: Error) => void = () => {};
    const late = new Trouble('transient', `no whole answer within ${question.timeout} s`);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(late);
        abandon(late);
      }, question.timeout * 1000);
    });
    deadline.catch(() => {});
    const work = async (): Promise<T> => {
      const message = await this.#send(question, why => (abandon = why));
      const head = { status: message.statusCode ?? 0, headers: message.headers };
      if (question.wants && !question.wants(head)) {
        leave(message);
        return take(head, nothing());
      }
      return take(head, unpacked(message));
    };
    try {
      return await Promise.race([work(), deadline]);
    } catch (error) {
      abandon(late);
      throw troubleOf(error);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  /** Resolves with the head of the answer. A kept connection that has just been closed is no trouble: another is made. */
  #send(question: Question, abandonBy: (abandon: (why: Error) => void) => void): Promise<IncomingMessage> {
    const { url, method = 'GET', headers = {}, body } = question;
    const secure = url.startsWith('https:');
    return new Promise((resolve, reject) => {
      let answered = false;
      const request = (secure ? secureRequest : plainRequest)(url, {
        method,
        headers: { 'accept-encoding': 'gzip, deflate, br', ...headers },
        agent: secure ? this.#secure : this.#plain,
      });
      abandonBy(why => request.destroy(why));
      request.on('response', message => {
        answered = true;
        resolve(message);
      });
      request.on('error', error => {
        const closed = ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');
        // An order may have been taken before the connection closed.
        if (method === 'GET' && request.reusedSocket && closed && !answered) resolve(this.#send(question, abandonBy));
        else reject(error);
      });
      request.end(body);
    });
  }
}

/** Reads on for a while; a longer body ends with its connection. */
const leave = (message: IncomingMessage): void => {
  let bytes = 0;
  message.on('data', (chunk: Buffer) => {
    if ((bytes += chunk.length) > DRAINED) message.destroy();
  });
  message.on('error', () => {});
};

async function* nothing(): AsyncGenerator<Buffer> {}

/** The body with its content codings undone. */
const unpacked = (message: IncomingMessage): Readable => {
  if (message.headers['content-length'] === '0') return message;
  const codings = (message.headers['content-encoding'] ?? '')
    .toLowerCase()
    .split(',')
    .map(c => c.trim())
    .filter(c => c !== '' && c !== 'identity');
  if (codings.length > CODINGS) {
    message.destroy();
    throw new Trouble('dead', `${codings.length} content codings over each other`);
  }
  const steps = codings.toReversed().map(coding => {
    const step = STEPS[coding];
    if (!step) {
      message.destroy();
      throw new Trouble('dead', `its content coding "${coding}" is not known`);
    }
    return step();
  });
  // Errors of any part come out at the end that is read.
  return steps.length === 0 ? message : (pipeline([message, ...steps], () => {}) as unknown as Readable);
};

/** Many servers send the raw form of "deflate", against RFC 9110: told by its first byte. */
const inflate = (): Transform => {
  let inner: Transform | null = null;
  const outer: Transform = new Transform({
    transform(chunk: Buffer, _, done) {
      if (!inner) {
        inner = (chunk[0]! & 0x0f) === 8 ? createInflate() : createInflateRaw();
        inner.on('data', out => outer.push(out));
        inner.on('error', error => outer.destroy(error));
      }
      inner.write(chunk, () => done());
    },
    flush(done) {
      if (!inner) return done();
      inner.on('end', () => done());
      inner.end();
    },
  });
  return outer;
};

const STEPS: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  br: () => createBrotliDecompress(),
  deflate: inflate,
};

/** Rejects with Trouble when there is more. */
const whole = async (body: AsyncIterable<Buffer>, most: number): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    if ((bytes += chunk.length) > most) throw tooLarge(most);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const tooLarge = (most: number): Trouble =>
  new Trouble('dead', `larger than ${Number((most / 2 ** 20).toFixed(1))} MB`);

/** A header that may be there once. */
export const header = ({ headers }: Head, name: string): string | null => {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
};

/** Seconds until a date, or as many as are given (RFC 9110, 10.2.3); null when it says nothing of use. */
export const retryAfter = (head: Head): number | null => {
  const value = header(head, 'retry-after')?.trim();
  if (!value) return null;
  if (/^\d+$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, (date - Date.now()) / 1000);
};
