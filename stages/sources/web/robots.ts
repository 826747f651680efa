/** robots.txt of hosts (RFC 9309): what it allows, and how fast. The only module that imports `robots-parser`. */
import { setTimeout as pause } from 'node:timers/promises';
import robotsParser from 'robots-parser';
import type { Answers } from './answers.ts';
import type { Hosts } from './hosts.ts';
import { type Head, type Http, header, retryAfter } from './http.ts';
import { BACK_OFF, isSilence, Trouble } from './trouble.ts';

interface Robot {
  /** Undefined for an address of another host. */
  isAllowed(url: string, userAgent: string): boolean | undefined;
  getCrawlDelay(userAgent: string): number | undefined;
}

/** Its types speak of a default export, which a CommonJS module does not have. */
const parse = robotsParser as unknown as (url: string, text: string) => Robot;

export interface RobotsTools {
  readonly http: Http;
  readonly hosts: Hosts;
  readonly answers: Answers;
  readonly userAgent: string;
  /** Seconds. */
  readonly timeout: number;
  /** How often a file that could not be had is asked for again. */
  readonly retries: number;
  warn(line: string): void;
}

/** What of the file is read (RFC 9309, 2.5). */
const MOST = 512 * 1024;
const REDIRECTS = 5;
/** A kept one is good for a day (2.4). */
const KEPT_MS = 24 * 3_600_000;
/** From so many seconds between two pages people should know why it takes so long. */
const SLOW = 10;

/** Trouble: whoever asks is kept out for now, since nobody knows what the file says (2.3.1.4). */
type Rules = Robot | Trouble;

export class Robots {
  readonly #tools: RobotsTools;
  readonly #known = new Map<string, Promise<Rules>>();
  /** The name by which a file speaks to us: the first word of the user agent (2.2.1). */
  readonly #name: string;

  constructor(tools: RobotsTools) {
    this.#tools = tools;
    this.#name = /^[a-z_-]+/i.exec(tools.userAgent)?.[0] ?? tools.userAgent;
  }

  /** Rejects with Trouble when the address may not be asked for. */
  async throwUnlessAllowed(address: string): Promise<void> {
    const { origin } = new URL(address);
    let rules = this.#known.get(origin);
    if (!rules) this.#known.set(origin, (rules = this.#open(origin)));
    const robot = await rules;
    if (robot instanceof Trouble) throw robot;
    if (robot.isAllowed(address, this.#name) === false)
      throw new Trouble('no-page', 'robots.txt of its host does not allow it');
  }

  async #open(origin: string): Promise<Rules> {
    const text = this.#kept(origin) ?? (await this.#askAgain(origin));
    if (text instanceof Trouble) {
      // Of a host that does not answer at all there is no more to say.
      const trouble = isSilence(text) ? text : new Trouble('transient', `robots.txt of its host: ${text.message}`);
      this.#tools.hosts.close(origin, trouble.message);
      return trouble;
    }
    const robot = parse(`${origin}/robots.txt`, text);
    const delay = Number(robot.getCrawlDelay(this.#name) ?? 0);
    if (delay > 0) {
      this.#tools.hosts.slow(origin, delay);
      if (delay >= SLOW) this.#tools.warn(`robots.txt of ${origin} asks for ${delay} s between two pages`);
    }
    return robot;
  }

  #kept(origin: string): string | null {
    const note = this.#tools.answers.note(`robots ${origin}`);
    if (note === null) return null;
    const { at, text } = JSON.parse(note) as { at: number; text: string };
    return Date.now() - at < KEPT_MS ? text : null;
  }

  async #askAgain(origin: string): Promise<string | Trouble> {
    for (let attempt = 0; ; attempt++) {
      const text = await this.#ask(origin);
      if (typeof text === 'string' || attempt >= this.#tools.retries || !this.#tools.hosts.isOpen(origin)) return text;
      if (text.after === null) await pause(BACK_OFF * 2 ** attempt * 1000);
    }
  }

  /** Its text, empty where there is none; or why that cannot be found out. */
  async #ask(origin: string): Promise<string | Trouble> {
    const { http, hosts, answers, userAgent, timeout } = this.#tools;
    let url = `${origin}/robots.txt`;
    let text = '';
    try {
      for (let hop = 0; hop <= REDIRECTS; hop++) {
        const at = url;
        const answer = await hosts.turn(new URL(at).origin, async () => {
          const got = await http.stream(
            { url: at, headers: { 'user-agent': userAgent }, timeout, most: MOST, wants: head => head.status === 200 },
            async (head, body) => ({ ...head, text: await beginning(body) }),
          );
          if (got.status === 429 || got.status >= 500)
            throw new Trouble('transient', `status ${got.status}`, { status: got.status, after: retryAfter(got) });
          return got;
        });
        text = answer.text;
        const next = redirect(answer, at);
        if (!next) break;
        url = next;
      }
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      if (error.kind === 'transient') return error;
      // What is there cannot be read: then nothing is forbidden by it.
      text = '';
    }
    answers.takeNote(`robots ${origin}`, JSON.stringify({ at: Date.now(), text }));
    return text;
  }
}

const redirect = (head: Head, from: string): string | null => {
  const target = head.status >= 300 && head.status < 400 ? header(head, 'location') : null;
  const url = target === null ? null : URL.parse(target, from);
  return url && /^https?:$/.test(url.protocol) ? url.href : null;
};

/** As far as it is read; whole lines. */
const beginning = async (body: AsyncIterable<Buffer>): Promise<string> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    if ((bytes += chunk.length) > MOST) break;
  }
  const text = Buffer.concat(chunks)
    .toString('utf8', 0, MOST)
    .replace(/^\uFEFF/, '');
  return bytes > MOST ? text.slice(0, text.lastIndexOf('\n') + 1) : text;
};
