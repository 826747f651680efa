/** Follows links from page to page, level by level, so that the same site gives the same pages whatever comes first. */
import type { Wanted } from './address.ts';
import type { Collector } from './collector.ts';

export interface CrawlOptions {
  readonly starts: readonly string[];
  /** Links from a start to the farthest page. */
  readonly depth: number;
  readonly wanted: Wanted;
  /** Addresses asked for. */
  readonly most: number;
}

export interface Crawled {
  readonly addresses: readonly string[];
  /** Pages that lie elsewhere, behind a redirect, or are not wanted: with the reason. */
  readonly aside: ReadonlyMap<string, string>;
  /** Addresses that `most` kept out. */
  readonly left: number;
}

/** Of a page, what nobody reads: images, styles, archives, recordings. */
const NO_PAGE =
  /\.(?:7z|avi|bz2|bmp|css|csv|deb|dmg|docx?|eot|epub|exe|gif|gz|ico|iso|jar|jpe?g|js|json|map|m4a|mjs|mkv|mov|mp[34]|mpe?g|msi|odt|ogg|otf|pdf|png|pptx?|rar|rpm|rss|svgz?|tar|tgz|tiff?|ttf|wav|webm|webp|whl|woff2?|xlsx?|xml|xz|zip|zst)$/i;

export const crawl = async (collector: Collector, { starts, depth, wanted, most }: CrawlOptions): Promise<Crawled> => {
  const hosts = new Set(starts.map(hostOf));
  const seen = new Set(starts);
  const aside = new Map<string, string>();
  const addresses: string[] = [];
  let left = 0;
  let level: string[] = [...starts];
  for (let distance = 0; level.length > 0; distance++) {
    const room = most - addresses.length;
    left += Math.max(0, level.length - room);
    level = level.slice(0, room);
    addresses.push(...level);
    await collector.collect(level);
    const next: string[] = [];
    for (const address of level) {
      const outcome = collector.outcome(address);
      if ('trouble' in outcome) continue;
      const host = hostOf(outcome.page.address);
      // A site that has moved: from example.org to www.example.org.
      if (distance === 0) hosts.add(host);
      if (!hosts.has(host)) {
        aside.set(address, `it leads to another host: ${outcome.page.address}`);
        continue;
      }
      if (!wanted(outcome.page.address)) aside.set(address, 'asked for its links only: its address is not included');
      if (distance === depth) continue;
      for (const link of outcome.content.links) {
        if (seen.has(link) || !hosts.has(hostOf(link)) || !wanted(link) || NO_PAGE.test(new URL(link).pathname))
          continue;
        seen.add(link);
        next.push(link);
      }
    }
    level = next;
  }
  return { addresses, aside, left };
};

/** With its port: another port is another site. */
const hostOf = (address: string): string => new URL(address).host;
