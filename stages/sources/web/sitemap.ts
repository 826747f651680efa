/** Reads a sitemap (sitemaps.org): pages, or further sitemaps; as XML, as plain lines, or in a robots.txt; packed or not. */
import { gunzipSync } from 'node:zlib';
import { Parser } from 'htmlparser2';
import { decode } from './charset.ts';
import { Trouble } from './trouble.ts';

export interface Sitemap {
  readonly pages: readonly string[];
  /** Sitemaps that an index names. */
  readonly sitemaps: readonly string[];
}

/** Bytes, unpacked: what the protocol allows. */
export const MAX_SITEMAP = 50 * 2 ** 20;

/** Throws Trouble for what is no sitemap. */
export const readSitemap = (body: Buffer): Sitemap => {
  const text = decode(unpack(body), null, false);
  if (/^\s*</.test(text)) return readXml(text);
  const lines = text.split(/\r\n?|\n/).map(line => line.trim());
  const named = lines.flatMap(line => /^sitemap:\s*(\S+)/i.exec(line)?.[1] ?? []);
  if (named.length > 0) return { pages: [], sitemaps: named };
  const pages = lines.filter(line => /^https?:\/\//i.test(line));
  if (pages.length === 0) throw new Trouble('dead', 'no sitemap: no addresses are in it');
  return { pages, sitemaps: [] };
};

/** Told by its first bytes: servers name the type of .gz files as they like. */
const unpack = (body: Buffer): Buffer => {
  if (body[0] !== 0x1f || body[1] !== 0x8b) return body;
  try {
    return gunzipSync(body, { maxOutputLength: MAX_SITEMAP });
  } catch (error) {
    const isLarge = (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
    throw new Trouble(
      'dead',
      isLarge ? `larger than ${MAX_SITEMAP / 2 ** 20} MB` : 'the packed sitemap cannot be read',
    );
  }
};

/** The text of each `<loc>` right below `<url>` or `<sitemap>`; prefixes of namespaces do not matter. */
const readXml = (text: string): Sitemap => {
  const found = { url: [] as string[], sitemap: [] as string[] };
  const open: string[] = [];
  let root: string | null = null;
  let at: string[] | null = null;
  let address = '';
  const parser = new Parser(
    {
      onopentag: name => {
        const local = name.slice(name.indexOf(':') + 1).toLowerCase();
        const parent = open.at(-1);
        root ??= local;
        at = local === 'loc' && (parent === 'url' || parent === 'sitemap') ? found[parent] : null;
        address = '';
        open.push(local);
      },
      ontext: part => {
        if (at) address += part;
      },
      onclosetag: () => {
        if (at && address.trim() !== '') at.push(address.trim());
        at = null;
        open.pop();
      },
    },
    { xmlMode: true },
  );
  parser.end(text);
  if (root !== 'urlset' && root !== 'sitemapindex' && found.url.length + found.sitemap.length === 0)
    throw new Trouble('dead', `no sitemap: its root element is <${root ?? ''}>`);
  return { pages: found.url, sitemaps: found.sitemap };
};
