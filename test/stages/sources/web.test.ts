/** Source `web` over a real server: what becomes of pages, redirects, failures, and of odd and hostile answers. */
import { writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { nowhere } from '../../rig/servers.ts';
import { HAS_PYTHON_DOCS, PYTHON_DOCS, page, serveSite } from '../../rig/site.ts';
import { inputFile } from '../whole.ts';
import { ids, keptFolder, reasons, runWeb } from './web-run.ts';

describe('a list of pages', () => {
  test('becomes one row each, in its order: address, title, text as Markdown, language', async () => {
    const site = await serveSite({
      '/a': page('A', 'See <a href="b#part">B</a> and <img src="i.png" alt="an image">.'),
      '/b': { headers: { 'content-type': 'text/markdown' }, body: '# B\n\nSome *text*.\n' },
      '/c.md': { headers: { 'content-type': 'text/plain' }, body: '# C\n\nText.' },
      '/d': { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'Plain\r\ntext.' },
    });
    const { rows, rejects, dropped } = await runWeb({ urls: ['/d', '/a', '/c.md', '/b'].map(p => site.url + p) });
    const at = (path: string, fields: object) => ({
      id: site.url + path,
      parent: null,
      fields: { url: site.url + path, ...fields },
    });
    expect(rows).toEqual([
      at('/d', { text: 'Plain\ntext.' }),
      at('/a', {
        title: 'A',
        text: `# A\n\nSee [B](${site.url}/b#part) and ![an image](${site.url}/i.png).`,
        language: 'en',
      }),
      at('/c.md', { title: 'C', text: '# C\n\nText.' }),
      at('/b', { title: 'B', text: '# B\n\nSome *text*.\n' }),
    ]);
    expect([rejects, dropped]).toEqual([[], []]);
  });

  test('comes out the same whatever order the answers arrive in', async () => {
    const first: (() => void)[] = [];
    const site = await serveSite();
    for (const n of [1, 2, 3, 4])
      site.pages[`/${n}`] = (_, response) => {
        // The first to be asked is answered last.
        first.push(() => response.writeHead(200, { 'content-type': 'text/html' }).end(page(`Page ${n}`)));
        if (first.length === 4) for (const answer of first.splice(0).reverse()) answer();
      };
    const urls = [1, 2, 3, 4].map(n => `${site.url}/${n}`);
    const { rows } = await runWeb({ urls, concurrency: 4 });
    expect(ids(rows)).toEqual(urls);
    expect(rows.map(r => r.fields.title)).toEqual(['Page 1', 'Page 2', 'Page 3', 'Page 4']);
  });

  test('names a page once: fragments, case, default ports, dots and percent signs do not make another', async () => {
    const site = await serveSite({ '/a/~b': page('One') });
    const port = new URL(site.url).port;
    const spellings = ['/a/~b', '/a/~b#part', '/a/x/../~b', '/a/%7Eb', '/a/~b?'].map(p => site.url + p);
    const { rows } = await runWeb({ urls: [...spellings, `HTTP://127.0.0.1:${port}/a/~b`] });
    expect(ids(rows)).toEqual([`${site.url}/a/~b`]);
    expect(site.asked).toEqual(['/a/~b']);
  });

  test('can stand in a file, whose lines that are no addresses are rejects with their place', async () => {
    const site = await serveSite({ '/a': page('A') });
    const path = join(keptFolder(), 'pages.txt');
    writeFileSync(path, `\uFEFF# pages\r\n\r\n  ${site.url}/a  \nexample.org/b\nhttp://user:password@example.org/\n`);
    const { rows, rejects } = await runWeb({ file: 'pages.txt' }, { files: { file: [inputFile(path)] } });
    expect(ids(rows)).toEqual([`${site.url}/a`]);
    expect(rejects.map(r => [r.id, r.fields.line, r.fields.text])).toEqual([
      ['pages.txt:4', 4, 'example.org/b'],
      ['pages.txt:5', 5, 'http://user:password@example.org/'],
    ]);
  });

  test('by section: one row for each heading with text below it', async () => {
    const site = await serveSite({
      '/a': '<main><h1>Guide</h1><p>Intro.</p><h2>Install it</h2><p>Run.</p><h2>Empty</h2><h2>Use</h2><p>Go.</p></main>',
    });
    const { rows } = await runWeb({ urls: `${site.url}/a`, by: 'section' });
    expect(rows.map(r => [r.id.replace(site.url, ''), r.fields.title, r.fields.text])).toEqual([
      ['/a#guide', 'Guide', 'Intro.'],
      ['/a#install-it', 'Install it', 'Run.'],
      ['/a#use', 'Use', 'Go.'],
    ]);
  });
});

describe('redirects', () => {
  const to = (location: string, status = 302) => ({ status, headers: { location } });

  test('are followed, and the row is called what the page is called in the end, once', async () => {
    const site = await serveSite({
      '/old': to('/newer', 301),
      '/newer': to('new', 307),
      '/new': page('New'),
      '/meta': '<head><meta http-equiv="refresh" content="0; url=/new"></head><p>Moved</p>',
      '/caf': to(Buffer.from('/café').toString('latin1')),
      '/caf%C3%A9': page('Café'),
    });
    const { rows, dropped } = await runWeb({ urls: ['/old', '/new', '/meta', '/caf'].map(p => site.url + p) });
    expect(ids(rows)).toEqual([`${site.url}/new`, `${site.url}/caf%C3%A9`]);
    expect(reasons(dropped, site.url)).toEqual({
      '/new': `the same page as ${site.url}/old`,
      '/meta': `the same page as ${site.url}/old`,
    });
  });

  test('in a circle, without end, or to nowhere are rejects', async () => {
    const site = await serveSite({
      '/a': to('/b'),
      '/b': to('/a'),
      '/self': to('/self'),
      '/mail': to('mailto:a@example.org'),
      '/none': { status: 302 },
    });
    for (let i = 0; i < 20; i++) site.pages[`/${i}`] = to(`/${i + 1}`);
    const { rejects } = await runWeb({
      urls: ['/a', '/self', '/0', '/mail', '/none'].map(p => site.url + p),
      redirects: 5,
    });
    expect(reasons(rejects, site.url)).toEqual({
      '/a': `redirects go in a circle, by ${site.url}/a`,
      '/self': `redirects go in a circle, by ${site.url}/self`,
      '/0': 'more than 5 redirects',
      '/mail': 'status 302 to what is no web address',
      '/none': 'status 302 without a target',
    });
    expect(rejects.every(r => r.fields.transient === undefined)).toBe(true);
  });
});

describe('what cannot be had', () => {
  test('is a reject with its reason; only what may come later is transient', async () => {
    const site = await serveSite({
      '/good': page('Good'),
      '/gone': { status: 410 },
      '/forbidden': { status: 403 },
      '/busy': { status: 429 },
      '/broken': { status: 500 },
      '/nothing': { status: 204 },
      '/empty': '<html><body><nav>only a menu</nav></body></html>',
      '/reset': request => void request.socket.resetAndDestroy(),
      '/short': (_, response) => {
        response.writeHead(200, { 'content-type': 'text/html', 'content-length': '1000' });
        response.write('<p>only a part');
        response.destroy();
      },
      '/junk': request => void request.socket.end('what is this?\r\n\r\n'),
    });
    const paths = Object.keys(site.pages);
    const { rows, rejects } = await runWeb({ urls: [...paths, '/missing'].map(p => site.url + p) });
    expect(ids(rows)).toEqual([`${site.url}/good`]);
    expect(
      rejects.map(r => [r.id.replace(site.url, ''), r.fields.reason, r.fields.status, r.fields.transient]),
    ).toEqual([
      ['/gone', 'status 410', 410, undefined],
      ['/forbidden', 'status 403', 403, undefined],
      ['/busy', 'status 429', 429, true],
      ['/broken', 'status 500', 500, true],
      ['/nothing', 'status 204: no content', 204, undefined],
      ['/empty', 'no text is in it', undefined, undefined],
      ['/reset', 'the connection was closed before the answer was whole', undefined, true],
      ['/short', 'the connection was closed before the answer was whole', undefined, true],
      ['/junk', 'the answer is not HTTP (HPE_INVALID_CONSTANT)', undefined, undefined],
      ['/missing', 'status 404', 404, undefined],
    ]);
  });

  test('a slow answer ends at its time, also one that drips', async () => {
    const dripping = new Set<NodeJS.Timeout>();
    const site = await serveSite({
      '/silent': () => {},
      '/drip': (_, response) => {
        response.writeHead(200, { 'content-type': 'text/html' });
        const timer = setInterval(() => response.write('<p>drip</p>'), 20);
        dripping.add(timer);
        response.on('close', () => clearInterval(timer));
      },
      '/quick': page('Quick'),
    });
    const { rows, rejects } = await runWeb({
      urls: ['/silent', '/drip', '/quick'].map(p => site.url + p),
      timeout: 0.4,
    });
    expect(ids(rows)).toEqual([`${site.url}/quick`]);
    expect(reasons(rejects, site.url)).toEqual({
      '/silent': 'no whole answer within 0.4 s',
      '/drip': 'no whole answer within 0.4 s',
    });
    expect(rejects.every(r => r.fields.transient === true)).toBe(true);
  });

  test('a host where nobody answers is let alone, and a name that nobody knows is dead once others are known', async () => {
    const site = await serveSite({ '/a': page('A') });
    const port = await nowhere();
    const dead = Array.from({ length: 20 }, (_, i) => `http://127.0.0.1:${port}/${i}`);
    const urls = [`${site.url}/a`, ...dead, 'http://nothing.invalid/'];
    const { rejects } = await runWeb({ urls, concurrency: 2, robots: false });
    const words = new Map<unknown, number>();
    for (const r of rejects) words.set(r.fields.reason, (words.get(r.fields.reason) ?? 0) + 1);
    expect(words.get('the connection was refused')).toBeLessThanOrEqual(9);
    expect(words.get('its host gave no answer 8 times in a row, and is not asked any more')).toBeGreaterThan(10);
    // Where its robots.txt is wanted first, the first question says it all.
    const heeding = await runWeb({ urls });
    expect(heeding.rejects[0]!.fields).toMatchObject({ reason: 'the connection was refused', transient: true });
    const { transient, reason } = rejects.find(r => r.id === 'http://nothing.invalid/')!.fields;
    // Without a resolver nobody can know.
    if (reason === 'the host name could not be looked up') expect(transient).toBe(true);
    else expect([reason, transient]).toEqual(['the host name is not known', undefined]);
  });

  test('other types are refused without loading them, and so is what is too large', async () => {
    const site = await serveSite({
      '/a.pdf': (_, response) => {
        response.writeHead(200, { 'content-type': 'application/pdf', 'content-length': String(2 ** 30) });
        response.write('%PDF-1.7');
      },
      '/told': (_, response) => {
        response.writeHead(200, { 'content-type': 'text/html', 'content-length': String(2 ** 30) });
        response.write('<p>');
      },
      '/untold': { headers: { 'content-type': 'text/html' }, body: 'x'.repeat(1_200_000) },
      '/bomb': {
        headers: { 'content-type': 'text/html', 'content-encoding': 'gzip' },
        body: gzipSync(Buffer.alloc(20_000_000, 'x')),
      },
    });
    const { rejects } = await runWeb({ urls: Object.keys(site.pages).map(p => site.url + p), max_mb: 1 });
    expect(reasons(rejects, site.url)).toEqual({
      '/a.pdf': 'no page but application/pdf',
      '/told': 'larger than 1 MB',
      '/untold': 'larger than 1 MB',
      '/bomb': 'larger than 1 MB',
    });
  });

  test('a page of 10 MB in one line, and elements without end, are read or refused in seconds', async () => {
    const text = 'word '.repeat(2_000_000);
    const site = await serveSite({
      '/line': `<main><p>${text}</p></main>`,
      '/deep': '<div>'.repeat(1_500_000),
      '/flat': '<b>x</b> '.repeat(1_000_000),
      '/links': `<main>${Array.from({ length: 200_000 }, (_, i) => `<a href="/${i}">${i}</a>`).join(' ')}</main>`,
      '/nul': { headers: { 'content-type': 'text/html' }, body: 'PK\u0003\u0004\0\0\0' },
    });
    const begun = performance.now();
    const { rows, rejects } = await runWeb({ urls: Object.keys(site.pages).map(p => site.url + p) });
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect(rows.map(r => r.id.replace(site.url, ''))).toEqual(['/line', '/flat', '/links']);
    expect(rows[0]!.fields.text).toBe(text.trim());
    expect(reasons(rejects, site.url)).toEqual({
      '/deep': 'its elements are nested too deep',
      '/nul': 'not text: character 4 is NUL',
    });
  });

  test('what a page is without a Content-Type is told by its beginning, at once', async () => {
    const bare = (body: string) => (_: unknown, response: ServerResponse) => void response.end(body);
    const site = await serveSite({
      '/html': bare(`\uFEFF\n<!-- a --><!-- b -->\n<!DOCTYPE html><title>T</title><main><p>Text.</p></main>`),
      '/text': bare('Just text, with <b>no</b> tags meant.'),
      '/notes.md': bare('# Notes\n\nText.'),
      // Each comment may end at any of the marks that follow.
      '/trap': bare(`${'<!---->'.repeat(140)}no more`),
    });
    const { rows } = await runWeb({ urls: Object.keys(site.pages).map(p => site.url + p) });
    expect(rows.slice(0, 3).map(r => [r.fields.title, r.fields.text])).toEqual([
      ['T', 'Text.'],
      [undefined, 'Just text, with <b>no</b> tags meant.'],
      ['Notes', '# Notes\n\nText.'],
    ]);
    expect(rows).toHaveLength(4);
  });

  test('a list of nothing fails, and so does a pattern that is none', async () => {
    const path = join(keptFolder(), 'none.txt');
    writeFileSync(path, '# nothing yet\n');
    await expect(runWeb({ file: 'none.txt' }, { files: { file: [inputFile(path)] } })).rejects.toMatchObject({
      reason: 'empty-source',
    });
    await expect(runWeb({ start: 'http://127.0.0.1:1/', include: '(' })).rejects.toMatchObject({
      reason: 'invalid-pattern',
    });
  });
});

describe('content codings', () => {
  const packed = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync };

  test.each(Object.entries(packed))('%s is undone', async (coding, pack) => {
    const site = await serveSite({
      '/': { headers: { 'content-type': 'text/html', 'content-encoding': coding }, body: pack(page('Packed')) },
    });
    const { rows } = await runWeb({ urls: `${site.url}/` });
    expect(rows[0]?.fields.title).toBe('Packed');
    expect(site.heard.get('/')?.['accept-encoding']).toBe('gzip, deflate, br');
  });

  test('raw deflate and two codings over each other are undone; what is cut, wrong or unknown is not taken for a page', async () => {
    const html = { 'content-type': 'text/html' };
    const body = page('Packed', 'Some words, and more of them. '.repeat(500));
    const site = await serveSite({
      '/raw': { headers: { ...html, 'content-encoding': 'deflate' }, body: deflateRawSync(body) },
      '/twice': { headers: { ...html, 'content-encoding': 'br, gzip' }, body: gzipSync(brotliCompressSync(body)) },
      // All of it arrives: nothing but the packed stream itself says that it is not whole.
      '/cut': { headers: { ...html, 'content-encoding': 'gzip' }, body: gzipSync(body).subarray(0, 100) },
      '/wrong': { headers: { ...html, 'content-encoding': 'gzip' }, body },
      '/odd': { headers: { ...html, 'content-encoding': 'zip' }, body },
      '/many': { headers: { ...html, 'content-encoding': 'gzip, gzip, gzip' }, body },
    });
    const { rows, rejects } = await runWeb({ urls: Object.keys(site.pages).map(p => site.url + p) });
    expect(rows.map(r => r.id.replace(site.url, ''))).toEqual(['/raw', '/twice']);
    expect(reasons(rejects, site.url)).toEqual({
      '/cut': 'the compressed answer ends before its time',
      '/wrong': 'the compressed answer cannot be read',
      '/odd': 'its content coding "zip" is not known',
      '/many': '3 content codings over each other',
    });
  });
});

describe('charsets', () => {
  const latin = Buffer.from('<p>caf\xe9 \x93quoted\x94</p>', 'latin1');
  const utf8 = Buffer.from('<p>café “quoted”</p>');
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('<p>café “quoted”</p>', 'utf16le')]);

  test.each([
    ['the header', 'text/html; charset=windows-1252', latin],
    ['a header that is wrong', 'text/html; charset=iso-8859-1', utf8],
    ['a header that nobody knows', 'text/html; charset=klingon', utf8],
    ['nothing, for old pages', 'text/html', latin],
    ['<meta>', 'text/html', Buffer.concat([Buffer.from('<meta charset="windows-1252">'), latin])],
    [
      '<meta> where the header is wrong',
      'text/html; charset=utf-8',
      Buffer.concat([Buffer.from('<meta charset=cp1252>'), latin]),
    ],
    ['a byte-order mark', 'text/html; charset=utf-8', utf16],
  ])('are told by %s', async (_, type, body) => {
    const site = await serveSite({ '/': { headers: { 'content-type': type }, body } });
    const { rows } = await runWeb({ urls: `${site.url}/` });
    expect(rows[0]?.fields.text).toBe('café “quoted”');
  });

  test('of Japanese pages, and a broken byte does not make a page of another charset', async () => {
    const site = await serveSite({
      '/jis': {
        headers: { 'content-type': 'text/html; charset=iso-2022-jp' },
        body: Buffer.from('\x1b$B%F%9%H\x1b(B', 'latin1'),
      },
      '/sjis': {
        headers: { 'content-type': 'text/html; charset=shift_jis' },
        body: Buffer.from([0x83, 0x65, 0x83, 0x58, 0x83, 0x67]),
      },
      '/broken': {
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body: Buffer.concat([Buffer.from('été après été '), Buffer.from([0xe9]), Buffer.from(' encore')]),
      },
    });
    const { rows } = await runWeb({ urls: Object.keys(site.pages).map(p => site.url + p) });
    expect(rows.map(r => r.fields.text)).toEqual(['テスト', 'テスト', 'été après été \ufffd encore']);
  });
});

describe('manners', () => {
  test('no more requests at once than asked for, and none sooner than the delay', async () => {
    const times: number[] = [];
    const site = await serveSite();
    for (let i = 0; i < 12; i++)
      site.pages[`/${i}`] = (_, response) => {
        times.push(performance.now());
        setImmediate(() => response.writeHead(200, { 'content-type': 'text/plain' }).end('Text.'));
      };
    const urls = Object.keys(site.pages).map(p => site.url + p);
    await runWeb({ urls, concurrency: 3 });
    expect(site.most()).toBeLessThanOrEqual(3);
    times.length = 0;
    await runWeb({ urls: urls.slice(0, 5), concurrency: 3, delay: 0.05 });
    const gaps = times.slice(1).map((t, i) => t - times[i]!);
    // The way to the server shortens a gap by a little.
    expect(Math.min(...gaps)).toBeGreaterThan(30);
  });

  test('a host that others redirect to is not asked more at once either', async () => {
    const target = await serveSite();
    const urls: string[] = [];
    for (const n of [1, 2, 3]) {
      target.pages[`/${n}`] = (_, response) => {
        setTimeout(() => response.writeHead(200, { 'content-type': 'text/plain' }).end('Text.'), 10);
      };
      const site = await serveSite({ '/': { status: 302, headers: { location: `${target.url}/${n}` } } });
      urls.push(`${site.url}/`);
    }
    expect((await runWeb({ urls, concurrency: 1, robots: false })).rows).toHaveLength(3);
    expect(target.most()).toBe(1);
  });

  test('a page that failed for now is asked for again, when the server has said', async () => {
    const site = await serveSite({ '/b': page('B') });
    let tries = 0;
    site.pages['/a'] = (_, response) => {
      if (++tries === 1) response.writeHead(503, { 'retry-after': '1' }).end();
      else response.writeHead(200, { 'content-type': 'text/html' }).end(page('A'));
    };
    const begun = performance.now();
    const { rows } = await runWeb({ urls: [`${site.url}/a`, `${site.url}/b`], retries: 1, concurrency: 1 });
    expect(ids(rows)).toEqual([`${site.url}/a`, `${site.url}/b`]);
    expect(tries).toBe(2);
    expect(performance.now() - begun).toBeGreaterThan(950);
  });

  test('a server that wants to be left alone for an hour is', async () => {
    const site = await serveSite();
    for (let i = 0; i < 5; i++) site.pages[`/${i}`] = { status: 429, headers: { 'retry-after': '3600' } };
    const urls = Object.keys(site.pages).map(p => site.url + p);
    const { rejects } = await runWeb({ urls, concurrency: 1, retries: 2 });
    expect(site.asked).toEqual(['/0']);
    expect(rejects).toHaveLength(5);
    expect(rejects[1]!.fields).toMatchObject({
      reason: 'its host asks to be left alone for 60 minutes',
      transient: true,
    });
  });

  test('headers go to all hosts, credentials to theirs alone, also behind a redirect', async () => {
    const other = await serveSite({ '/': page('Other') });
    const site = await serveSite({ '/a': page('A'), '/b': { status: 302, headers: { location: `${other.url}/` } } });
    await runWeb({
      urls: [`${site.url}/a`, `${site.url}/b`],
      user_agent: 'acme/1.0 (mailto:docs@acme.example)',
      headers: { 'Accept-Language': 'de' },
      credentials: { [site.url]: { Authorization: 'Basic abc' } },
    });
    const sent = (of: typeof site, path: string) => of.heard.get(path)!;
    expect(sent(site, '/a')).toMatchObject({
      authorization: 'Basic abc',
      'accept-language': 'de',
      'user-agent': 'acme/1.0 (mailto:docs@acme.example)',
    });
    expect(sent(site, '/b').authorization).toBe('Basic abc');
    expect(sent(other, '/')['accept-language']).toBe('de');
    expect(sent(other, '/').authorization).toBeUndefined();
  });
});

test.skipIf(!HAS_PYTHON_DOCS)(
  'a page of the Python tutorial: its sections, without navigation (python3.11-doc)',
  async () => {
    const site = await serveSite({}, { folder: PYTHON_DOCS });
    const { rows, rejects } = await runWeb({ urls: `${site.url}/tutorial/modules.html`, by: 'section' });
    expect(rejects).toEqual([]);
    expect(ids(rows).slice(0, 2)).toEqual([
      `${site.url}/tutorial/modules.html#modules`,
      `${site.url}/tutorial/modules.html#more-on-modules`,
    ]);
    const text = rows.map(r => r.fields.text).join('\n');
    expect(text).toContain('```python3\n>>> import fibo\n```');
    expect(text).not.toMatch(/¶|Table of Contents|Quick search|Report a Bug|Copyright/);
  },
);
