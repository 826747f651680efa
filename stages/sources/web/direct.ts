/** Brings a page from its own host: redirects followed, robots.txt heeded, and asked only for what has changed since. */
import { isUtf8 } from 'node:buffer';
import { normalise, originOf } from './address.ts';
import type { Page } from './answers.ts';
import { read, UNREAD } from './content.ts';
import type { Fetch } from './fetch.ts';
import type { Hosts } from './hosts.ts';
import { type Answer, type Head, type Http, header, retryAfter } from './http.ts';
import { mediaType, sniff } from './media-type.ts';
import type { Robots } from './robots.ts';
import { Trouble } from './trouble.ts';

export interface DirectTools {
  readonly http: Http;
  readonly hosts: Hosts;
  /** Null: not heeded. */
  readonly robots: Robots | null;
  readonly userAgent: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Headers for one origin alone. */
  readonly credentials: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly redirects: number;
  /** Seconds. */
  readonly timeout: number;
  /** Bytes. */
  readonly most: number;
}

const ACCEPT = 'text/html,application/xhtml+xml,text/markdown;q=0.9,text/plain;q=0.8,*/*;q=0.1';
/** A page that sends its readers elsewhere has no more than this to say, characters. */
const SIGN = 300;

/** Brings a page. */
export const direct =
  (tools: DirectTools): Fetch =>
  async (address, before) => {
    const seen = new Set<string>();
    for (let from = address; ; ) {
      const end = await follow(tools, { from, before, seen, wants: isPage });
      if (end === null) return null;
      const { url, answer } = end;
      const { format, xhtml, charset } = mediaType(answer, url);
      const { body } = answer;
      const page = { ...sent(end), format: format ?? sniff(body, url), xhtml, charset, body };
      const content = read(page);
      if (content.leadsTo === null || content.leadsTo === url || content.text.length > SIGN) return { page, content };
      from = content.leadsTo;
    }
  };

/** Brings what is there, of any type, unread: a sitemap. */
export const directRaw =
  (tools: DirectTools): Fetch =>
  async (address, before) => {
    const end = await follow(tools, { from: address, before, seen: new Set(), wants: () => true });
    if (end === null) return null;
    return {
      page: { ...sent(end), format: 'text', xhtml: false, charset: null, body: end.answer.body },
      content: UNREAD,
    };
  };

interface End {
  readonly url: string;
  readonly answer: Answer;
}

const sent = ({ url, answer }: End): Pick<Page, 'address' | 'etag' | 'modified' | 'title'> => ({
  address: url,
  etag: header(answer, 'etag'),
  modified: header(answer, 'last-modified'),
  title: null,
});

interface Going {
  readonly from: string;
  readonly before: Before;
  /** Where it has been on the way to this page. */
  readonly seen: Set<string>;
  readonly wants: (head: Head, url: string) => boolean;
}

type Before = Omit<Page, 'body'> | null;

/** The answer at the end of all redirects; null when it is the one from before. */
const follow = async (tools: DirectTools, { from, before, seen, wants }: Going): Promise<End | null> => {
  for (let url = from; ; ) {
    if (seen.has(url)) throw new Trouble('dead', `redirects go in a circle, by ${url}`);
    if (seen.size > tools.redirects) throw new Trouble('dead', `more than ${tools.redirects} redirects`);
    seen.add(url);
    await tools.robots?.throwUnlessAllowed(url);
    const known = before?.address === url ? before : null;
    const answer = await exchange(tools, { url, known, wants });
    if (answer.status === 304 && known) return null;
    const next = redirect(answer, url);
    if (next === null) {
      throwUnlessWhole(answer);
      return { url, answer };
    }
    url = next;
  }
};

interface Step {
  readonly url: string;
  readonly known: Before;
  readonly wants: Going['wants'];
}

const exchange = (tools: DirectTools, { url, known, wants }: Step): Promise<Answer> =>
  tools.hosts.turn(originOf(url), async () => {
    const { http, timeout, most, userAgent, headers, credentials } = tools;
    const answer = await http.ask({
      url,
      timeout,
      most,
      headers: {
        accept: ACCEPT,
        'user-agent': userAgent,
        ...lowered(headers),
        ...lowered(credentials[originOf(url)] ?? {}),
        ...(known?.etag ? { 'if-none-match': known.etag } : {}),
        ...(known?.modified ? { 'if-modified-since': known.modified } : {}),
      },
      wants: head => head.status >= 200 && head.status < 300 && wants(head, url),
    });
    const { status } = answer;
    if (status === 408 || status === 425 || status === 429 || status >= 500)
      throw new Trouble('transient', `status ${status}`, { status, after: retryAfter(answer) });
    return answer;
  });

/** Names of headers are of one case, so that what the recipe says takes the place of ours. */
const lowered = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** Whether the body is worth having: an archive of gigabytes is not. */
const isPage = (head: Head, url: string): boolean => {
  try {
    return mediaType(head, url) !== null;
  } catch {
    return false;
  }
};

/** Where it sends us, or null. Throws Trouble for a redirect that leads nowhere. */
const redirect = (answer: Answer, from: string): string | null => {
  const { status } = answer;
  if (status < 300 || status >= 400 || status === 304) return null;
  const location = header(answer, 'location');
  if (location === null) throw new Trouble('dead', `status ${status} without a target`, { status });
  // Header bytes come as Latin-1; many servers write UTF-8 there.
  const bytes = Buffer.from(location, 'latin1');
  const target = normalise(isUtf8(bytes) ? bytes.toString() : location, from);
  if (target === null) throw new Trouble('dead', `status ${status} to what is no web address`, { status });
  return target;
};

const throwUnlessWhole = ({ status }: Answer): void => {
  if (status >= 400) throw new Trouble('dead', `status ${status}`, { status });
  if (status === 204 || status === 205) throw new Trouble('dead', `status ${status}: no content`, { status });
  if (status < 200 || status >= 300 || status === 206)
    throw new Trouble('dead', `status ${status}: no whole page`, { status });
};
