/** Brings a page through Bright Data's Web Unlocker (`POST /request`): paid for each page that comes. */
import { StageError } from '../../../contract.ts';
import type { Page } from '../answers.ts';
import { read, UNREAD } from '../content.ts';
import type { Fetch } from '../fetch.ts';
import type { Head } from '../http.ts';
import { mediaType, sniff } from '../media-type.ts';
import { Trouble } from '../trouble.ts';
import { type BrightData, bytesOf, json } from './api.ts';

export interface UnlockerTools {
  readonly api: BrightData;
  readonly zone: string;
  /** Two letters, where the page is to be asked from. */
  readonly country: string | null;
  /** Whether the service makes Markdown of the page. */
  readonly markdown: boolean;
  /** Seconds. */
  readonly timeout: number;
  /** Bytes of a page. */
  readonly most: number;
}

interface Unlocked {
  readonly status_code?: unknown;
  readonly headers?: unknown;
  readonly body?: unknown;
}

/** JSON writes a byte of text as up to six. */
const ESCAPED = 6;
const ENVELOPE = 2 ** 20;

export const unlocker =
  ({ api, zone, country, markdown, timeout, most }: UnlockerTools): Fetch =>
  async address => {
    const size = most * ESCAPED + ENVELOPE;
    const body = {
      ...{ zone, url: address, format: 'json' },
      ...(country === null ? {} : { country }),
      ...(markdown ? { data_format: 'markdown' } : {}),
    };
    const { outer, answer } = await asked(() =>
      api.call({ method: 'POST', path: '/request', body, timeout, most: size }, async (outer, stream) => {
        // A page that it could not get is an answer without a body, which is no JSON.
        throwIfRefused(api, outer);
        return { outer, answer: (await json(stream, size)) as Unlocked };
      }),
    );
    const status = typeof answer.status_code === 'number' ? answer.status_code : 200;
    const head: Head = { status, headers: lowered(answer.headers) };
    throwIfRefused(api, head);
    throwUnlessPage(status);
    const bytes = Buffer.from(typeof answer.body === 'string' ? answer.body : '');
    if (bytes.length === 0) throw new Trouble('transient', 'Bright Data gave an empty page', { status: outer.status });
    if (bytes.length > most) throw new Trouble('dead', `larger than ${Number((most / 2 ** 20).toFixed(1))} MB`);
    // Its text comes decoded: what the page says of its charset is no longer true.
    const page: Page = markdown
      ? { ...NOTHING_ELSE, address, format: 'markdown', xhtml: false, body: bytes }
      : { ...NOTHING_ELSE, address, ...formatOf(head, address, bytes), body: bytes };
    return { page, content: read(page) };
  };

/** Brings what is there as it is, of any type: a sitemap. */
export const unlockerRaw =
  ({ api, zone, country, timeout, most }: UnlockerTools): Fetch =>
  async address => {
    const request = { zone, url: address, format: 'raw', ...(country === null ? {} : { country }) };
    const body = await asked(() =>
      api.call({ method: 'POST', path: '/request', body: request, timeout, most }, async (head, stream) => {
        throwIfRefused(api, head);
        return bytesOf(stream, most);
      }),
    );
    if (body.length === 0) throw new Trouble('transient', 'Bright Data gave an empty page');
    return { page: { ...NOTHING_ELSE, address, format: 'text', xhtml: false, body }, content: UNREAD };
  };

const NOTHING_ELSE = { charset: 'utf-8', etag: null, modified: null, title: null };

const formatOf = (head: Head, address: string, body: Buffer): Pick<Page, 'format' | 'xhtml'> => {
  const { format, xhtml } = mediaType(head, address);
  return { format: format ?? sniff(body, address), xhtml };
};

/** A zone that does not exist is no fault of the page. */
const asked = async <T>(call: () => Promise<T>): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Trouble && error.status !== null && error.status < 500 && /\bzone\b/i.test(error.message))
      throw new StageError('brightdata', error.message, {
        advice: 'zone: the name of a Web Unlocker zone of the account, as its control panel shows it',
      });
    throw error;
  }
};

/** Errors come in headers, of its own answer or of the page's, with status 200 as well as others. */
const throwIfRefused = (api: BrightData, { headers }: Head): void => {
  const of = (name: string): string => api.quote(headers[name] ?? '');
  const code = of('x-brd-error-code') || of('x-brd-err-code');
  const said = of('x-brd-error') || of('x-brd-err-msg') || of('x-brd-error-message');
  if (code === '' && said === '') return;
  const reason = `Bright Data: ${said || 'the page could not be had'}${code === '' ? '' : ` (${code})`}`;
  // What its rules forbid, and what the request itself is wrong in, will be so tomorrow.
  const forGood = /^(policy|client|bad|invalid|dead)_/i.test(code) || /robots\.txt|compliance|policy/i.test(said);
  throw new Trouble(forGood ? 'dead' : 'transient', reason);
};

const throwUnlessPage = (status: number): void => {
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    throw new Trouble('transient', `status ${status}`, { status });
  if (status < 200 || status >= 300) throw new Trouble('dead', `status ${status}`, { status });
};

const lowered = (headers: unknown): Head['headers'] =>
  typeof headers === 'object' && headers !== null
    ? Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]))
    : {};
