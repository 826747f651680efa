/** Source `web` through Bright Data: single pages, batches, what is paid for, errors of its API, and its limits. */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../../stages/contract.ts';
import { type BrightDataServer, serveBrightData } from '../../rig/brightdata.ts';
import { page, serveSite } from '../../rig/site.ts';
import { ids, keptFolder, reasons, runWeb } from './web-run.ts';

const SITE = 'https://docs.example';
const urls = (...names: string[]) => names.map(n => `${SITE}/${n}`);
const pages = (...names: string[]) => Object.fromEntries(names.map(n => [`${SITE}/${n}`, page(n)]));

const account = ({ url, token }: BrightDataServer, more: object) => ({
  via: 'brightdata',
  endpoint: url,
  token,
  ...more,
});
const single = (api: BrightDataServer, more: object = {}) => account(api, { zone: api.zone, ...more });
const batch = (api: BrightDataServer, more: object = {}) => account(api, { dataset: api.dataset, ...more });
const both = (api: BrightDataServer, more: object = {}) =>
  account(api, { zone: api.zone, dataset: api.dataset, ...more });
const titles = (rows: readonly Row[]) => rows.map(r => r.fields.title);

describe('single pages through the Unlocker', () => {
  test('are the rows that a direct fetch gives', async () => {
    const site = await serveSite({ '/a': page('A', 'See <a href="b">B</a>.'), '/b': page('B') });
    const list = ['/a', '/b', '/missing'].map(p => site.url + p);
    const direct = await runWeb({ urls: list });
    const api = await serveBrightData({
      [list[0]!]: site.pages['/a'] as string,
      [list[1]!]: {
        status: 200,
        headers: { 'content-type': 'text/html; charset=iso-8859-1' },
        body: site.pages['/b'] as string,
      },
    });
    expect(await runWeb({ urls: list, ...single(api) })).toEqual(direct);
    expect(api.bodies.get('/request')).toEqual({ zone: api.zone, url: list[2], format: 'json' });
    expect(api.unlocked).toEqual(list);
    expect(site.heard.has('/robots.txt')).toBe(true);
  });

  test('can be made Markdown there, and be asked for from a country', async () => {
    const api = await serveBrightData(pages('a'));
    const { rows } = await runWeb({ urls: urls('a'), ...single(api, { convert: 'service', country: 'de' }) });
    expect(rows[0]!.fields).toMatchObject({ title: 'a', text: '# a\n\nThis is what a says.' });
    expect(api.bodies.get('/request')).toMatchObject({ data_format: 'markdown', country: 'de' });
  });

  test('that fail are rejects: dead, or tried again, by what the service says', async () => {
    const api = await serveBrightData({
      ...pages('good'),
      [`${SITE}/gone`]: { status: 410 },
      [`${SITE}/busy`]: { status: 503 },
      [`${SITE}/blocked`]: { code: 'reject_block', error: 'response status was rejected: 403 status code' },
      [`${SITE}/robots`]: { code: 'policy_20050', error: 'Requested URL is restricted in accordance with robots.txt' },
      [`${SITE}/pdf`]: { status: 200, headers: { 'Content-Type': 'application/pdf' }, body: '%PDF' },
      [`${SITE}/empty`]: { status: 200, body: '' },
    });
    const names = ['good', 'dead', 'gone', 'busy', 'blocked', 'robots', 'pdf', 'empty'];
    const { rows, rejects } = await runWeb({ urls: urls(...names), ...single(api) });
    expect(titles(rows)).toEqual(['good']);
    expect(rejects.map(r => [r.id.replace(`${SITE}/`, ''), r.fields.reason, r.fields.transient ?? false])).toEqual([
      ['dead', 'status 404', false],
      ['gone', 'status 410', false],
      ['busy', 'status 503', true],
      ['blocked', 'Bright Data: response status was rejected: 403 status code (reject_block)', true],
      ['robots', 'Bright Data: Requested URL is restricted in accordance with robots.txt (policy_20050)', false],
      ['pdf', 'no page but application/pdf', false],
      ['empty', 'Bright Data gave an empty page', true],
    ]);
  });

  test('are refused also where the refusal stands among the headers of the page', async () => {
    const api = await serveBrightData(pages('a'));
    api.override = (_, response) => {
      const headers = { 'x-brd-err-code': 'client_10030', 'x-brd-error': 'You are trying to use Browser API zone' };
      return !!response.end(JSON.stringify({ status_code: 200, headers, body: page('Blocked') }));
    };
    const { rejects } = await runWeb({ urls: urls('a'), ...single(api) });
    expect(reasons(rejects, `${SITE}/`)).toEqual({
      a: 'Bright Data: You are trying to use Browser API zone (client_10030)',
    });
  });

  test('are paid for once, and what failed for now is all that the next build asks for', async () => {
    const api = await serveBrightData({
      ...pages('a', 'b'),
      [`${SITE}/c`]: { code: 'networkidle_event_timeout', error: 'timeout' },
    });
    const kept = keptFolder();
    const options = { urls: urls('a', 'b', 'c'), ...single(api) };
    expect((await runWeb(options, { kept })).rejects).toHaveLength(1);
    api.web[`${SITE}/c`] = page('c');
    expect(titles((await runWeb(options, { kept })).rows)).toEqual(['a', 'b', 'c']);
    expect(api.unlocked).toEqual(urls('a', 'b', 'c', 'c'));
    expect(api.paid()).toBe(3);
  });

  test('bring sitemaps and crawls, too', async () => {
    const api = await serveBrightData({
      [`${SITE}/`]: page('Home', 'Home.', ['/a', '/b', 'https://elsewhere.example/']),
      ...pages('a', 'b'),
      [`${SITE}/sitemap.txt`]: {
        status: 200,
        headers: { 'content-type': 'text/plain' },
        body: urls('b', 'a').join('\n'),
      },
    });
    expect(titles((await runWeb({ start: `${SITE}/`, ...single(api) })).rows)).toEqual(['Home', 'a', 'b']);
    expect(titles((await runWeb({ sitemap: `${SITE}/sitemap.txt`, ...single(api) })).rows)).toEqual(['a', 'b']);
    await expect(runWeb({ sitemap: `${SITE}/sitemap.txt`, ...batch(api) })).rejects.toMatchObject({
      reason: 'brightdata',
    });
    await expect(runWeb({ start: `${SITE}/`, ...single(api, { convert: 'service' }) })).rejects.toMatchObject({
      reason: 'brightdata',
    });
  });
});

describe('a batch', () => {
  test('is ordered, waited for and loaded, also where it is "ready" before it can be loaded', async () => {
    const api = await serveBrightData(pages('a', 'b'));
    Object.assign(api.next, { running: 2, building: 2 });
    const { rows, rejects } = await runWeb({ urls: urls('b', 'a', 'dead'), ...batch(api) });
    expect(titles(rows)).toEqual(['b', 'a']);
    expect(reasons(rejects, `${SITE}/`)).toEqual({ dead: 'Bright Data: Page not found (dead_page)' });
    expect(api.calls).toEqual([
      'POST /datasets/v3/trigger',
      ...Array<string>(3).fill('GET /datasets/v3/progress/s_000001'),
      ...Array<string>(3).fill('GET /datasets/v3/snapshot/s_000001'),
    ]);
    expect(api.bodies.get('/datasets/v3/trigger')).toEqual(urls('b', 'a', 'dead').map(url => ({ url })));
  });

  test('comes first; what it could not get is asked for one by one, but for dead pages', async () => {
    const api = await serveBrightData({
      ...pages('a', 'b'),
      [`${SITE}/hard`]: { code: 'blocked', error: 'target blocked us' },
    });
    api.override = (request, _, body) => {
      // The Unlocker gets what the scraper did not.
      if (request.url === '/request' && body.includes('/hard')) api.web[`${SITE}/hard`] = page('hard');
      return false;
    };
    const { rows, rejects } = await runWeb({ urls: urls('a', 'hard', 'dead', 'b'), ...both(api) });
    expect(titles(rows)).toEqual(['a', 'hard', 'b']);
    expect(ids(rejects)).toEqual(urls('dead'));
    expect(api.unlocked).toEqual(urls('hard'));
    expect(api.snapshots).toHaveLength(1);
  });

  test('that fails as a whole, or is not taken, leaves its pages to be asked for one by one', async () => {
    const api = await serveBrightData(pages('a', 'b'));
    api.next.end = 'failed';
    const failed = await runWeb({ urls: urls('a', 'b'), ...both(api) });
    expect(titles(failed.rows)).toEqual(['a', 'b']);
    expect(failed.warnings).toEqual([
      'collection s_000001 came to nothing: Bright Data: the collection failed: Collection failed',
    ]);
    api.override = (request, response) => {
      if (!request.url!.includes('/trigger')) return false;
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(
        '{"error":"Invalid input provided","code":"validation_error","errors":[["url","This field must be a valid url"]]}',
      );
      return true;
    };
    const refused = await runWeb({ urls: urls('a', 'b'), ...both(api) });
    expect(titles(refused.rows)).toEqual(['a', 'b']);
    expect(refused.warnings[0]).toMatch(
      /^the batch was not taken, its pages are asked for one by one: Bright Data: .*validation_error/,
    );
    const alone = await runWeb({ urls: urls('a', 'b'), ...batch(api) });
    expect(alone.rejects).toHaveLength(2);
  });

  test('is gone on with by the next build, and paid for once: its id is kept before anything else is done', async () => {
    const api = await serveBrightData(pages('a', 'b'));
    const kept = keptFolder();
    const options = { urls: urls('a', 'b'), ...both(api, { wait: 0.001 }) };
    api.next.running = 1000;
    const first = await runWeb(options, { kept });
    expect(first.rows).toEqual([]);
    expect(first.rejects.map(r => [r.fields.reason, r.fields.transient])).toEqual(
      Array(2).fill(['collection s_000001 is not ready after 0 minutes: the next build goes on with it', true]),
    );
    // Nobody asks one by one for what is being worked on.
    expect(api.unlocked).toEqual([]);
    api.snapshots[0]!.running = 0;
    expect(titles((await runWeb(options, { kept })).rows)).toEqual(['a', 'b']);
    expect(api.calls.filter(c => c.startsWith('POST'))).toEqual(['POST /datasets/v3/trigger']);
    expect(api.paid()).toBe(2);
  });

  test('that has expired in the meantime is ordered again', async () => {
    const api = await serveBrightData(pages('a'));
    const kept = keptFolder();
    const options = { urls: urls('a'), ...batch(api, { wait: 0.001 }) };
    api.next.running = 1000;
    await runWeb(options, { kept });
    api.snapshots[0]!.running = 0;
    api.override = (request, response) => {
      if (!request.url!.startsWith('/datasets/v3/snapshot/s_000001')) return false;
      response.writeHead(400).end('Snapshot is expired');
      return true;
    };
    api.next.running = 0;
    const { rows, warnings } = await runWeb(options, { kept });
    expect(titles(rows)).toEqual(['a']);
    expect(warnings).toEqual(['collection s_000001 came to nothing: Bright Data: Snapshot is expired (status 400)']);
    expect(api.snapshots.map(s => s.id)).toEqual(['s_000001', 's_000002']);
  });

  test('of more than a thousand pages is several, and a page that cannot be read fails alone', async () => {
    const names = Array.from({ length: 1100 }, (_, i) => `p${i}`);
    const api = await serveBrightData(pages(...names));
    api.web[`${SITE}/p7`] = { status: 200, body: 'binary\0' };
    const { rows, rejects } = await runWeb({ urls: urls(...names), ...batch(api) });
    expect(api.snapshots.map(s => s.urls.length)).toEqual([1000, 100]);
    expect(rows).toHaveLength(1099);
    expect(reasons(rejects, `${SITE}/`)).toEqual({ p7: 'not text: character 6 is NUL' });
  });

  test('cut off while it is loaded keeps the pages that came, and is loaded again for nothing', async () => {
    const api = await serveBrightData(pages('a', 'b'));
    const kept = keptFolder();
    let loads = 0;
    api.override = (request, response) => {
      if (!request.url!.startsWith('/datasets/v3/snapshot/') || loads++ > 0) return false;
      const line = { url: urls('a')[0], input: { url: urls('a')[0] }, page_html: page('a') };
      response.writeHead(200, { 'content-length': '100000' });
      response.write(`${JSON.stringify(line)}\n`, () => response.destroy());
      return true;
    };
    const options = { urls: urls('a', 'b'), ...batch(api) };
    const first = await runWeb(options, { kept });
    expect(titles(first.rows)).toEqual(['a']);
    expect(first.rejects[0]!.fields.transient).toBe(true);
    expect(titles((await runWeb(options, { kept })).rows)).toEqual(['a', 'b']);
    expect(api.snapshots).toHaveLength(1);
    expect(api.paid()).toBe(2);
  });
});

describe('a batch whose service stumbles', () => {
  test('is asked about again in the same build, and ordered once', async () => {
    const api = await serveBrightData(pages('a'));
    let stumbles = 0;
    api.override = (request, response) => {
      if (request.method === 'POST' || stumbles++ % 2 === 1) return false;
      return !!response.writeHead(502).end('Bad gateway');
    };
    const { rows } = await runWeb({ urls: urls('a'), ...batch(api), retries: 1 });
    expect(titles(rows)).toEqual(['a']);
    expect(stumbles).toBe(6);
    expect(api.snapshots).toHaveLength(1);
  });

  test('is not ordered again, nor its pages, when nobody knows whether it was taken', async () => {
    const api = await serveBrightData(pages('a'));
    api.override = request => request.url!.includes('/trigger') && !!request.socket.resetAndDestroy();
    const { rejects } = await runWeb({ urls: urls('a'), ...both(api), retries: 2 });
    expect(rejects[0]!.fields).toMatchObject({ transient: true });
    expect(api.calls).toEqual(['POST /datasets/v3/trigger']);
  });
});

describe('the account', () => {
  test.each([
    ['a wrong token', { token: 'bd-wrong-token-value' }, 'credentials'],
    ['a zone that does not exist', { zone: 'zone7' }, 'brightdata'],
  ])('%s fails the node at once, and the token is not repeated', async (_, more, reason) => {
    const api = await serveBrightData(pages('a', 'b', 'c'));
    const failing = runWeb({ urls: urls('a', 'b', 'c'), ...single(api), ...more, concurrency: 1 });
    await expect(failing).rejects.toMatchObject({ reason });
    const error = (await failing.catch((e: Error) => e)) as Error;
    expect(error.message).not.toContain('bd-');
    expect(api.calls).toHaveLength(1);
  });

  test('a dataset that does not exist fails the node', async () => {
    const api = await serveBrightData(pages('a'));
    await expect(runWeb({ urls: urls('a'), ...both(api), dataset: 'gd_other' })).rejects.toMatchObject({
      reason: 'brightdata',
      message: 'Bright Data: dataset does not exist (status 404)',
    });
  });

  test('an account without money fails the node; its own trouble is tried again', async () => {
    const api = await serveBrightData(pages('a'));
    api.override = (_, response) => !!response.writeHead(402).end('Account is suspended');
    await expect(runWeb({ urls: urls('a'), ...single(api) })).rejects.toMatchObject({
      message: 'Bright Data: Account is suspended (status 402)',
    });
    api.override = (_, response) => !!response.writeHead(500).end('Internal server error');
    const { rejects } = await runWeb({ urls: urls('a'), ...single(api) });
    expect(rejects[0]!.fields).toMatchObject({
      reason: 'Bright Data: Internal server error (status 500)',
      transient: true,
    });
  });
});

describe('too many requests', () => {
  test('a 429 makes everybody wait as long as it says, and costs no page', async () => {
    const api = await serveBrightData(pages('a', 'b', 'c'));
    let refusals = 2;
    api.override = (_, response) =>
      refusals-- > 0 && !!response.writeHead(429, { 'retry-after': '0' }).end('Too many requests');
    const { rows } = await runWeb({ urls: urls('a', 'b', 'c'), ...single(api), concurrency: 1 });
    expect(titles(rows)).toEqual(['a', 'b', 'c']);
    expect(api.slowDowns()).toBe(2);
  });

  test('we stop long before 25 of them in five minutes, and the next build remembers', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `p${i}`);
    const api = await serveBrightData(pages(...names));
    api.override = (_, response) => !!response.writeHead(429, { 'retry-after': '0' }).end('Too many requests');
    const kept = keptFolder();
    const options = { urls: urls(...names), ...both(api), concurrency: 4 };
    const first = await runWeb(options, { kept });
    expect(first.rejects).toHaveLength(40);
    expect(first.rejects.every(r => r.fields.transient === true)).toBe(true);
    const asked = api.slowDowns();
    expect(asked).toBeGreaterThanOrEqual(10);
    expect(asked).toBeLessThan(15);
    api.override = null;
    const second = await runWeb(options, { kept });
    expect(second.rejects[0]!.fields.reason).toMatch(
      /^Bright Data asked us to be slower \d+ times within five minutes: stopped/,
    );
    expect(api.slowDowns()).toBe(asked);
    expect(api.calls.length).toBe(asked);
  });
});
