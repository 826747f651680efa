/** Source `web`: pages by a list, a sitemap or a crawl, fetched from their hosts or through Bright Data, as Markdown. */
import { createHash } from 'node:crypto';
import type { WebOptions } from '../../schemas/types.ts';
import { StageError, type WholeContext, type WholeStage } from '../contract.ts';
import { wanted } from './web/address.ts';
import { Answers } from './web/answers.ts';
import { Collector } from './web/collector.ts';
import { crawl } from './web/crawl.ts';
import { Hosts } from './web/hosts.ts';
import { Http } from './web/http.ts';
import { type Listing, list, listFile, listSitemaps } from './web/listing.ts';
import { writeRows } from './web/rows.ts';
import { type Way, way } from './web/way.ts';

export type Options = WebOptions;

type Context = WholeContext<Options>;

/** All that an answer depends on besides its address; the order of `headers` does not matter, nor what a secret is. */
const scopeOf = (options: Options): string => {
  const { via, robots, user_agent, headers, credentials, redirects, max_mb } = options;
  const { zone, dataset, convert, country } = options;
  const service = via === 'brightdata' ? [zone, dataset, convert, country] : null;
  const names = Object.entries(credentials).map(([origin, secret]) => [origin, Object.keys(secret).sort()]);
  const parts = [via, robots, user_agent, Object.entries(headers).sort(), names.sort(), redirects, max_mb, service];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
};

interface Found {
  readonly listing: Listing;
  readonly aside: ReadonlyMap<string, string>;
  isNamed(address: string): boolean;
}

const run = async (context: Context): Promise<void> => {
  const { options } = context;
  const scope = scopeOf(options);
  const answers = new Answers(context.kept, scope, context.refresh);
  const http = new Http();
  try {
    const hosts = new Hosts({ concurrency: options.concurrency, delay: options.delay });
    const route = way(context, { answers, http, hosts });
    const shared = {
      answers,
      retries: options.retries,
      concurrency: options.concurrency,
      turnOf: route.turnOf,
      isOpen: (origin: string) => hosts.isOpen(origin),
      isOnline: () => hosts.heard,
    };
    const progress = (done: number, total: number) => context.progress(done, total, 'pages');
    const collector = new Collector({ ...shared, fetch: route.fetch, batch: route.batch, progress });
    const found = await find(context, { collector, shared, route, scope });
    const { addresses, rejects } = found.listing;
    if (addresses.length === 0 && rejects.length === 0)
      throw new StageError('empty-source', 'no address is left to be asked for', {
        advice: 'the list or sitemap is empty, or `include` and `exclude` leave nothing of it',
      });
    const writers = { rows: context.rows('rows'), rejects: context.rows('rejects'), dropped: context.rows('dropped') };
    for (const { id, fields } of rejects) await writers.rejects.write({ id, parent: null, fields });
    await writeRows(writers, { collector, addresses, aside: found.aside, isNamed: found.isNamed, by: options.by });
    answers.finish();
  } finally {
    http.close();
    answers.close();
  }
};

interface Finding {
  readonly collector: Collector;
  readonly shared: Omit<ConstructorParameters<typeof Collector>[0], 'fetch' | 'batch' | 'progress'>;
  readonly route: Way;
  readonly scope: string;
}

/** Finds the addresses and brings their pages: a crawl knows the next ones only by the pages before. */
const find = async (context: Context, finding: Finding): Promise<Found> => {
  const { collector } = finding;
  const { urls, file, sitemap, start } = context.options;
  if (start !== undefined) return follow(context, collector, [start].flat());
  const named = context.files.file?.[0];
  const listing =
    sitemap !== undefined
      ? await listed(context, finding, [sitemap].flat())
      : file !== undefined && named
        ? listFile(named.path, file)
        : list([urls ?? []].flat());
  await collector.collect(listing.addresses);
  return { listing, aside: new Map(), isNamed: () => true };
};

const follow = async ({ options, warn }: Context, collector: Collector, starts: readonly string[]): Promise<Found> => {
  const { depth, include, exclude, max_pages: most } = options;
  const { addresses: first, rejects } = list(starts);
  const { addresses, aside, left } = await crawl(collector, {
    starts: first,
    depth,
    wanted: wanted(include, exclude),
    most,
  });
  if (left > 0) warn(`stopped at max_pages: ${most}; at least ${left} more pages are linked`);
  const named = new Set(first);
  return { listing: { addresses: addresses.toSorted(), rejects }, aside, isNamed: address => named.has(address) };
};

/** The pages of sitemaps, which are kept apart from pages: the same address may be asked for as either. */
const listed = async (
  { options, kept, refresh, warn, progress }: Context,
  { shared, route, scope }: Finding,
  sitemaps: readonly string[],
): Promise<Listing> => {
  const choose = wanted(options.include, options.exclude);
  const answers = new Answers(kept, `${scope} sitemaps`, refresh);
  try {
    const told = (done: number, total: number) => progress(done, total, 'sitemaps');
    const collector = new Collector({ ...shared, answers, fetch: route.raw, batch: null, progress: told });
    const { addresses, rejects } = await listSitemaps(sitemaps, { collector, answers });
    answers.finish();
    const chosen = addresses.filter(choose);
    const most = options.max_pages;
    if (chosen.length > most) warn(`stopped at max_pages: ${most}; the sitemap has ${chosen.length - most} more pages`);
    return { addresses: chosen.slice(0, most), rejects };
  } finally {
    answers.close();
  }
};

export default { kind: 'whole', run } satisfies WholeStage<Options>;
