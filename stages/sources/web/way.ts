/** The way by which pages come, as the recipe has it: from their own hosts, or through Bright Data. */
import type { WebOptions } from '../../../schemas/types.ts';
import { StageError, type WholeContext } from '../../contract.ts';
import { originOf } from './address.ts';
import type { Answers } from './answers.ts';
import { BrightData } from './brightdata/api.ts';
import { collections } from './brightdata/collections.ts';
import { unlocker, unlockerRaw } from './brightdata/unlocker.ts';
import type { Batch } from './collector.ts';
import { direct, directRaw } from './direct.ts';
import type { Fetch } from './fetch.ts';
import type { Hosts } from './hosts.ts';
import type { Http } from './http.ts';
import { Robots } from './robots.ts';
import { MAX_SITEMAP } from './sitemap.ts';

export interface Way {
  /** Brings one page; null where pages come in batches only. */
  readonly fetch: Fetch | null;
  readonly batch: Batch | null;
  /** Brings what is not read as a page. */
  readonly raw: Fetch | null;
  /** Whose turn an address takes. */
  readonly turnOf: (address: string) => string;
}

export interface Ground {
  readonly answers: Answers;
  readonly http: Http;
  readonly hosts: Hosts;
}

/** Seconds that the Unlocker may take: it tries one way after the other. */
const UNLOCKING = 180;
const MINUTE = 60;

type Context = WholeContext<WebOptions>;

/** Throws StageError for what cannot be had this way. */
export const way = (context: Context, ground: Ground): Way =>
  context.options.via === 'direct' ? ownHosts(context, ground) : throughBrightData(context, ground);

const ownHosts = ({ options, warn }: Context, { answers, http, hosts }: Ground): Way => {
  const { user_agent: userAgent, headers, credentials, redirects, timeout, retries } = options;
  const robots = options.robots ? new Robots({ http, hosts, answers, userAgent, timeout, retries, warn }) : null;
  const most = options.max_mb * 2 ** 20;
  const tools = { http, hosts, robots, userAgent, headers, credentials, redirects, timeout, most };
  // A sitemap is there to be read: robots.txt names it itself.
  const raw = directRaw({ ...tools, robots: null, most: MAX_SITEMAP });
  return { fetch: direct(tools), batch: null, raw, turnOf: originOf };
};

const throughBrightData = ({ options, warn, progress }: Context, { answers, http, hosts }: Ground): Way => {
  const { token, zone, dataset, endpoint, country, wait, convert } = options;
  if (options.sitemap !== undefined && zone === undefined)
    throw new StageError('brightdata', 'a sitemap is a single page, and a dataset brings pages by the batch only', {
      advice: 'name a Web Unlocker zone, too (`zone`)',
    });
  if (options.start !== undefined && convert === 'service')
    throw new StageError('brightdata', 'Markdown that Bright Data makes of a page is not followed by its links', {
      advice: 'leave `convert` at own for a crawl',
    });
  const api = new BrightData({ http, hosts, answers, endpoint, token: token! });
  const markdown = convert === 'service';
  const timeout = Math.max(UNLOCKING, options.timeout);
  const most = options.max_mb * 2 ** 20;
  const single = zone === undefined ? null : { api, zone, country: country ?? null, markdown, timeout, most };
  const many = { api, answers, markdown, wait: wait * MINUTE, timeout, most, warn };
  return {
    fetch: single && unlocker(single),
    batch:
      dataset === undefined
        ? null
        : collections({
            ...many,
            dataset,
            retries: options.retries,
            alone: single !== null,
            progress: note => progress(0, null, 'pages', note),
          }),
    raw: single && unlockerRaw({ ...single, most: MAX_SITEMAP }),
    turnOf: () => api.origin,
  };
};
