/** Why an address gave no page, and what is to become of it. */

/**
 * - `dead`: there was an answer, and it says no. Another build would hear the same.
 * - `transient`: no answer, or one that says "not now" (429, 5xx). The next build asks again.
 * - `no-page`: there is something, but no page for us: an image, or what robots.txt keeps us from.
 */
export type Kind = 'dead' | 'transient' | 'no-page';

export class Trouble extends Error {
  readonly kind: Kind;
  /** HTTP status, where there was an answer. */
  readonly status: number | null;
  /** Seconds after which the server wants to be asked again. */
  readonly after: number | null;

  constructor(kind: Kind, reason: string, more: { status?: number | null; after?: number | null } = {}) {
    super(reason);
    this.kind = kind;
    this.status = more.status ?? null;
    this.after = more.after ?? null;
  }
}

/** Seconds before a second try; twice as many before each further one. */
export const BACK_OFF = 0.5;

/** Whether the trouble is in the way to the server rather than in its answer. */
export const isSilence = (trouble: Trouble): boolean => trouble.kind === 'transient' && trouble.status === null;

/** Raised for a host name that nobody knows: dead, if other names are known; else this machine is off the net. */
export const UNKNOWN_HOST = 'the host name is not known';

const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed before the answer was whole',
  EPIPE: 'the connection was closed before the answer was whole',
  Z_BUF_ERROR: 'the compressed answer ends before its time',
  ETIMEDOUT: 'no connection in time',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
};

/** What went wrong with a connection or an answer, in words that are the same each time; what is neither is thrown as it is. */
export const troubleOf = (error: unknown): Trouble => {
  if (error instanceof Trouble) return error;
  const { code: own, errors } = error as { code?: unknown; errors?: readonly { code?: string }[] };
  // Of several addresses of a host none answered.
  const code = typeof own === 'string' ? own : errors?.find(e => e.code)?.code;
  if (code === undefined) throw error;
  const words = WORDS[code];
  if (words) return new Trouble('transient', words);
  if (code.startsWith('HPE_')) return new Trouble('dead', `the answer is not HTTP (${code})`);
  if (/^(Z_|ERR_BROTLI|ERR__ERROR_FORMAT)/.test(code))
    return new Trouble('dead', 'the compressed answer cannot be read');
  if (/^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)|_CERT/.test(code))
    return new Trouble('transient', `no secure connection (${code})`);
  if (/^(E[A-Z0-9]+|ERR_HTTP_\w+|ERR_STREAM_\w+)$/.test(code))
    return new Trouble('transient', `the connection failed (${code})`);
  throw error;
};
