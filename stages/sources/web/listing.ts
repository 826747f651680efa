/** The addresses that a recipe names: as a list, in a file, or by sitemaps. */
import { readFileSync } from 'node:fs';
import type { Fields } from '../../contract.ts';
import { normalise } from './address.ts';
import type { Answers } from './answers.ts';
import type { Collector } from './collector.ts';
import { readSitemap } from './sitemap.ts';
import { Trouble } from './trouble.ts';

export interface Listing {
  /** Each once, in order. */
  readonly addresses: readonly string[];
  /** What named an address that is none, or could not be read. */
  readonly rejects: readonly { readonly id: string; readonly fields: Fields }[];
}

/** Addresses as an option lists them. */
export const list = (texts: readonly string[]): Listing => {
  const addresses = new Set<string>();
  const rejects = new Map<string, Fields>();
  for (const text of texts) {
    const address = normalise(text);
    if (address === null) rejects.set(text, { reason: NO_ADDRESS, url: text });
    else addresses.add(address);
  }
  return { addresses: [...addresses], rejects: [...rejects].map(([id, fields]) => ({ id, fields })) };
};

const NO_ADDRESS = 'no web address: it takes http:// or https:// and a host, and no password';

/** One address a line; empty lines and those that begin with # say nothing. `name` is the file's, for rejects. */
export const listFile = (path: string, name: string): Listing => {
  const addresses = new Set<string>();
  const rejects: { id: string; fields: Fields }[] = [];
  const lines = readFileSync(path, 'utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r\n?|\n/);
  for (const [i, line] of lines.entries()) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const address = normalise(text);
    if (address !== null) addresses.add(address);
    else
      rejects.push({
        id: `${name}:${i + 1}`,
        fields: { reason: NO_ADDRESS, path: name, line: i + 1, text: text.slice(0, 200) },
      });
  }
  return { addresses: [...addresses], rejects };
};

/** Sitemaps that name sitemaps that name sitemaps: deeper than the protocol's one level. */
const DEEPEST = 4;

export interface Sitemaps {
  /** Brings sitemaps, and keeps them apart from pages. */
  readonly collector: Collector;
  readonly answers: Answers;
}

/** All pages of sitemaps and of those that they name, sorted: sitemaps are often in the order of the last changes. */
export const listSitemaps = async (starts: readonly string[], { collector, answers }: Sitemaps): Promise<Listing> => {
  const pages = new Set<string>();
  const seen = new Set<string>();
  const rejects: { id: string; fields: Fields }[] = [];
  let level = list(starts).addresses;
  for (let depth = 0; level.length > 0 && depth < DEEPEST; depth++) {
    for (const address of level) seen.add(address);
    await collector.collect(level);
    const next = new Set<string>();
    for (const address of level) {
      try {
        const found = collector.page(address);
        if ('trouble' in found) throw found.trouble;
        const sitemap = readSitemap(answers.body(address));
        for (const text of sitemap.pages) {
          const page = normalise(text, found.page.address);
          if (page) pages.add(page);
        }
        for (const text of sitemap.sitemaps) {
          const named = normalise(text, found.page.address);
          if (named && !seen.has(named)) next.add(named);
        }
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        const { message, kind, status } = error;
        const fields = {
          reason: `sitemap: ${message}`,
          ...(kind === 'transient' ? { transient: true } : {}),
          ...(status === null ? {} : { status }),
          url: address,
        };
        rejects.push({ id: `sitemap ${address}`, fields });
      }
    }
    level = [...next];
  }
  return { addresses: [...pages].sort(), rejects };
};
