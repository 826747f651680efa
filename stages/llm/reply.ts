/** What a server's reply means: an answer, trouble that may pass, or trouble for good, with one request or with all of them. */
import { StageError } from '../contract.ts';
import type { Reply } from './post.ts';

/** The server will not answer this request, now or later: its own words. */
export class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type Body = Readonly<Record<string, unknown>>;

/** Statuses of trouble that passes. 409 and 425 are those of servers that are just loading a model. */
const PASSES = new Set([408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529]);

const MODERATED = /moderat|flagged|content[ _-]?(policy|filter)|safety/i;

export type Verdict =
  | { readonly is: 'answer'; readonly answer: Body }
  | { readonly is: 'passing'; readonly why: string; readonly rest: number | null; readonly busy: boolean }
  | { readonly is: 'final'; readonly error: Error };

export interface Who {
  readonly host: string;
  readonly model: string;
  readonly hasKey: boolean;
}

export const judge = (reply: Reply, who: Who): Verdict => {
  const answer = asObject(reply.text);
  const status = statusOf(reply, answer);
  if (status >= 200 && status < 300) {
    if (answer) return { is: 'answer', answer };
    return { is: 'passing', why: `an answer that is no JSON object (${excerpt(reply.text)})`, rest: null, busy: false };
  }
  const { message, code } = errorOf(answer, reply.text);
  const said = message === '' ? `status ${status}` : `${message} (status ${status})`;
  const refused = (words: string): Verdict => ({
    is: 'final',
    error: new Refused(status, `the server refuses the request: ${words}`),
  });
  const final = (reason: string, words: string, advice: string): Verdict => ({
    is: 'final',
    error: new StageError(reason, words, { advice }),
  });
  // Some gateways use it for what their moderation does not let through: that is this row's trouble alone.
  if (status === 403 && MODERATED.test(message)) return refused(said);
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
  return refused(said);
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
