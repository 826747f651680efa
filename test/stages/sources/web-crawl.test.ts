/** Source `web`: which pages a sitemap or a crawl finds, what robots.txt says to it, and the traps that sites hold. */
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { HAS_PYTHON_DOCS, PYTHON_DOCS, page, serveSite } from '../../rig/site.ts';
import { ids, keptFolder, reasons, runWeb } from './web-run.ts';

const xml = (root: string, item: string, addresses: readonly string[]): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
    xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">${addresses
      .map(
        a =>
          `<${item}><loc>\n${a} </loc><lastmod>2024-01-01</lastmod><image:image><image:loc>${a}.png</image:loc></image:image></${item}>`,
      )
      .join('')}</${root}>`;

describe('a sitemap', () => {
  test('names pages, packed or not, also by an index, by lines or by robots.txt; rows are in order of their address', async () => {
    const site = await serveSite({ '/a': page('A'), '/b?x=1&y=2': page('B'), '/c': page('C'), '/d': page('D') });
    const at = (...paths: string[]) => paths.map(p => (site.url + p).replaceAll('&', '&amp;'));
    site.pages['/index.xml'] = xml('sitemapindex', 'sitemap', at('/one.xml.gz', '/two.xml', '/index.xml'));
    site.pages['/one.xml.gz'] = {
      headers: { 'content-type': 'application/octet-stream' },
      body: gzipSync(xml('urlset', 'url', at('/c', '/b?x=1&y=2'))),
    };
    site.pages['/two.xml'] = xml('urlset', 'url', at('/a', '/c'));
    site.pages['/lines.txt'] = `${site.url}/d\n${site.url}/a\n`;
    site.pages['/robots.txt'] =
      `User-agent: *\nDisallow:\nSitemap: ${site.url}/two.xml\nsitemap: ${site.url}/lines.txt\n`;
    const found = async (...paths: string[]) =>
      ids((await runWeb({ sitemap: paths.map(p => site.url + p) })).rows).map(id => id.replace(site.url, ''));
    expect(await found('/index.xml')).toEqual(['/a', '/b?x=1&y=2', '/c']);
    expect(await found('/lines.txt')).toEqual(['/a', '/d']);
    expect(await found('/robots.txt')).toEqual(['/a', '/c', '/d']);
  });

  test('that cannot be read is a reject, and the pages of the others still come', async () => {
    const site = await serveSite({ '/a': page('A'), '/page': page('No sitemap') });
    site.pages['/good.xml'] = xml('urlset', 'url', [`${site.url}/a`]);
    site.pages['/busy.xml'] = { status: 503 };
    site.pages['/bad.gz'] = { body: Buffer.from([0x1f, 0x8b, 1, 2, 3]) };
    const paths = ['/good.xml', '/missing.xml', '/busy.xml', '/page', '/bad.gz'];
    const { rows, rejects } = await runWeb({ sitemap: paths.map(p => site.url + p) });
    expect(ids(rows)).toEqual([`${site.url}/a`]);
    expect(reasons(rejects, site.url)).toEqual({
      'sitemap /missing.xml': 'sitemap: status 404',
      'sitemap /busy.xml': 'sitemap: status 503',
      'sitemap /page': 'sitemap: no sitemap: its root element is <html>',
      'sitemap /bad.gz': 'sitemap: the packed sitemap cannot be read',
    });
    expect(rejects.filter(r => r.fields.transient).map(r => r.fields.url)).toEqual([`${site.url}/busy.xml`]);
  });

  test('is cut by patterns, and at max_pages with a warning', async () => {
    const site = await serveSite();
    const paths = ['/en/a', '/en/b', '/en/old/c', '/de/a'];
    for (const p of paths) site.pages[p] = page(p);
    site.pages['/s.xml'] = xml(
      'urlset',
      'url',
      paths.map(p => site.url + p),
    );
    const sitemap = `${site.url}/s.xml`;
    const chosen = await runWeb({ sitemap, include: ['/en/', '/fr/'], exclude: '/old/' });
    expect(ids(chosen.rows)).toEqual([`${site.url}/en/a`, `${site.url}/en/b`]);
    const cut = await runWeb({ sitemap, max_pages: 3 });
    expect(cut.rows).toHaveLength(3);
    expect(cut.warnings).toEqual(['stopped at max_pages: 3; the sitemap has 1 more pages']);
  });
});

describe('a crawl', () => {
  test('follows links on the same host, as deep as it may, and asks for each page once', async () => {
    const other = await serveSite({ '/': page('Other') });
    const site = await serveSite({
      '/': page('Home', 'Home.', [
        '/a',
        'b/',
        '#top',
        '/a#part',
        `${other.url}/`,
        'mailto:x@example.org',
        '/photo.jpg',
      ]),
      '/a': page('A', 'A.', ['/', '/c', '/a']),
      '/b/': page('B', 'B.', ['../c', 'd']),
      '/c': page('C', 'C.', ['/e']),
      '/b/d': page('D'),
      '/e': page('E'),
    });
    const found = async (depth: number) =>
      ids((await runWeb({ start: `${site.url}/`, depth })).rows).map(id => id.replace(site.url, ''));
    expect(await found(0)).toEqual(['/']);
    expect(await found(1)).toEqual(['/', '/a', '/b/']);
    site.asked.length = 0;
    expect(await found(2)).toEqual(['/', '/a', '/b/', '/b/d', '/c']);
    expect(site.asked.toSorted()).toEqual(['/', '/a', '/b/', '/b/d', '/c']);
    expect(other.asked).toEqual([]);
  });

  test('heeds <base>, rel=nofollow, <meta name=robots> and patterns; a start outside of them gives its links only', async () => {
    const site = await serveSite({
      '/index.html': `<base href="/docs/"><main><p>Index.</p><a href="a">A</a> <a href="b" rel="nofollow">B</a>
        <a href="/blog/x">blog</a> <a href="closed">closed</a></main>`,
      '/docs/a': page('A', 'A.', ['/docs/old/c']),
      '/docs/closed':
        '<meta name="robots" content="noindex, nofollow"><main><p>Closed.</p><a href="/docs/d">D</a></main>',
    });
    const { rows, rejects, dropped } = await runWeb({
      start: `${site.url}/index.html`,
      include: '/docs/',
      exclude: '/old/',
    });
    expect(ids(rows)).toEqual([`${site.url}/docs/a`, `${site.url}/docs/closed`]);
    expect(rejects).toEqual([]);
    expect(reasons(dropped, site.url)).toEqual({
      '/index.html': 'asked for its links only: its address is not included',
    });
    expect(site.asked.toSorted()).toEqual(['/docs/a', '/docs/closed', '/index.html']);
  });

  test('a dead link is a reject; what is no page, or lies elsewhere, was only linked and is dropped', async () => {
    const other = await serveSite({ '/': page('Other') });
    const site = await serveSite({
      '/': page('Home', 'Home.', ['/dead', '/data', '/away', '/empty', '/private/a', '/late']),
      '/data': { headers: { 'content-type': 'application/json' }, body: '{}' },
      '/away': { status: 302, headers: { location: `${other.url}/` } },
      '/empty': '<main></main>',
      '/late': { status: 503 },
      '/robots.txt': { headers: { 'content-type': 'text/plain' }, body: 'User-agent: *\nDisallow: /private/\n' },
    });
    const { rows, rejects, dropped } = await runWeb({ start: `${site.url}/` });
    expect(ids(rows)).toEqual([`${site.url}/`]);
    expect(reasons(rejects, site.url)).toEqual({ '/dead': 'status 404', '/late': 'status 503' });
    expect(reasons(dropped, site.url)).toEqual({
      '/away': `it leads to another host: ${other.url}/`,
      '/data': 'no page but application/json',
      '/empty': 'no text is in it',
      '/private/a': 'robots.txt of its host does not allow it',
    });
    // The same addresses, named by the recipe, have to be pages.
    const named = await runWeb({ urls: ['/data', '/empty', '/private/a'].map(p => site.url + p) });
    expect(reasons(named.rejects, site.url)).toEqual({
      '/data': 'no page but application/json',
      '/empty': 'no text is in it',
      '/private/a': 'robots.txt of its host does not allow it',
    });
  });

  test('a site without end is left at max_pages, the same pages each time', async () => {
    const site = await serveSite();
    const calendar = (path: string) => page(path, `Day ${path}.`, [`${path}/1`, `${path}/2`, `${path}/3`]);
    // Every page has further pages, and the answers come in another order each time.
    const endless = new Proxy(site.pages, {
      get: (_, path: string) => (_request: unknown, response: import('node:http').ServerResponse) => {
        if (path === '/robots.txt') return void response.writeHead(404).end();
        setTimeout(
          () => response.writeHead(200, { 'content-type': 'text/html' }).end(calendar(path)),
          Math.random() * 5,
        );
      },
    });
    Object.setPrototypeOf(site.pages, endless);
    const options = { start: `${site.url}/day`, depth: 50, max_pages: 20, concurrency: 8 };
    const [first, second] = [await runWeb(options), await runWeb(options)];
    expect(first.rows).toHaveLength(20);
    expect(second).toEqual(first);
    expect(first.warnings).toEqual([
      expect.stringMatching(/^stopped at max_pages: 20; at least \d+ more pages are linked$/),
    ]);
  });
});

describe('robots.txt', () => {
  const robots = (text: string) => ({ headers: { 'content-type': 'text/plain' }, body: text });

  test('speaks to us by the first word of the user agent, else to everybody; the longer rule counts', async () => {
    const site = await serveSite({
      '/robots.txt': robots('User-agent: acme\nDisallow: /a\nAllow: /a/open\n\nUser-agent: *\nDisallow: /\n'),
      '/a/x': page('X'),
      '/a/open/y': page('Y'),
      '/b': page('B'),
    });
    const urls = ['/a/x', '/a/open/y', '/b'].map(p => site.url + p);
    const acme = await runWeb({ urls, user_agent: 'Acme/2.0 (mailto:docs@acme.example)' });
    expect(ids(acme.rows)).toEqual(urls.slice(1));
    expect((await runWeb({ urls })).rejects).toHaveLength(3);
    expect(ids((await runWeb({ urls, robots: false })).rows)).toEqual(urls);
  });

  test('that is missing allows all; that cannot be had keeps everything back for now, with one question', async () => {
    const site = await serveSite({ '/a': page('A'), '/b': page('B') });
    const urls = [`${site.url}/a`, `${site.url}/b`];
    expect(ids((await runWeb({ urls })).rows)).toEqual(urls);
    site.pages['/robots.txt'] = { status: 503 };
    site.asked.length = 0;
    const { rejects } = await runWeb({ urls });
    expect(rejects.map(r => r.fields)).toEqual(
      urls.map(url => ({ reason: 'robots.txt of its host: status 503', transient: true, url })),
    );
    expect(site.asked).toEqual([]);
    site.pages['/robots.txt'] = { status: 302, headers: { location: '/real-robots' } };
    site.pages['/real-robots'] = robots('User-agent: *\nDisallow: /b\n');
    expect(ids((await runWeb({ urls })).rows)).toEqual([urls[0]]);
  });

  test('is heeded for each step of a redirect, and kept for a day', async () => {
    const site = await serveSite({
      '/robots.txt': robots('User-agent: *\nDisallow: /private\n'),
      '/a': { status: 302, headers: { location: '/private' } },
      '/b': page('B'),
      '/c': page('C'),
    });
    let asked = 0;
    const rules = site.pages['/robots.txt'];
    site.pages['/robots.txt'] = (_, response) => {
      asked++;
      response.writeHead(200).end((rules as { body: string }).body);
    };
    const kept = keptFolder();
    const { rejects } = await runWeb({ urls: [`${site.url}/a`, `${site.url}/b`] }, { kept });
    expect(reasons(rejects, site.url)).toEqual({ '/a': 'robots.txt of its host does not allow it' });
    await runWeb({ urls: [`${site.url}/c`] }, { kept });
    expect(asked).toBe(1);
    expect(site.asked).toEqual(['/a', '/b', '/c']);
  });

  test('slows us down by crawl-delay: one request at a time', async () => {
    const times: number[] = [];
    const site = await serveSite({ '/robots.txt': robots('User-agent: *\nCrawl-delay: 0.1\n') });
    for (let i = 0; i < 4; i++)
      site.pages[`/${i}`] = (_, response) => {
        times.push(performance.now());
        response.writeHead(200, { 'content-type': 'text/plain' }).end('Text.');
      };
    await runWeb({ urls: [0, 1, 2, 3].map(i => `${site.url}/${i}`), concurrency: 4 });
    expect(site.most()).toBe(1);
    expect(times[3]! - times[0]!).toBeGreaterThan(270);
  });
});

test.skipIf(!HAS_PYTHON_DOCS)('a crawl of the Python tutorial finds its 17 chapters (python3.11-doc)', async () => {
  const site = await serveSite({}, { folder: PYTHON_DOCS });
  const { rows, rejects } = await runWeb({ start: `${site.url}/tutorial/index.html`, include: '/tutorial/', depth: 1 });
  expect(rejects).toEqual([]);
  expect(rows.length).toBeGreaterThan(15);
  expect(ids(rows)).toEqual(ids(rows).toSorted());
  expect(rows.every(r => r.id.startsWith(`${site.url}/tutorial/`) && r.fields.language === 'en')).toBe(true);
});
