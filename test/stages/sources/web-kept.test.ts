/** Source `web`: what is kept of pages between runs, and what is asked for again. */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { page, type Site, serveSite } from '../../rig/site.ts';
import { ids, keptFolder, reasons, runWeb } from './web-run.ts';

const urlsOf = (site: Site, ...paths: string[]) => paths.map(p => site.url + p);

test('a page that came is not asked for again, whatever else the recipe asks for', async () => {
  const site = await serveSite({ '/a': page('A'), '/b': page('B'), '/c': page('C', 'C.', ['/a']) });
  const kept = keptFolder();
  const first = await runWeb({ urls: urlsOf(site, '/a', '/b') }, { kept });
  site.asked.length = 0;
  expect(await runWeb({ urls: urlsOf(site, '/a', '/b') }, { kept })).toEqual(first);
  await runWeb({ urls: urlsOf(site, '/b', '/c'), by: 'section', concurrency: 1 }, { kept });
  await runWeb({ start: `${site.url}/c` }, { kept });
  expect(site.asked).toEqual(['/c']);
});

test('of failures only those that may end are tried again', async () => {
  const site = await serveSite({ '/a': page('A'), '/gone': { status: 410 }, '/busy': { status: 503 } });
  const kept = keptFolder();
  const urls = urlsOf(site, '/a', '/gone', '/busy');
  expect((await runWeb({ urls }, { kept })).rejects).toHaveLength(2);
  site.asked.length = 0;
  site.pages['/busy'] = page('At last');
  const { rows, rejects } = await runWeb({ urls }, { kept });
  expect(site.asked).toEqual(['/busy']);
  expect(ids(rows)).toEqual(urlsOf(site, '/a', '/busy'));
  expect(reasons(rejects, site.url)).toEqual({ '/gone': 'status 410' });
});

test('a refresh asks for everything, sends what it knows, and gets the body only of what has changed', async () => {
  const dated = { 'content-type': 'text/html', 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' };
  const site = await serveSite({
    '/tagged': page('Tagged'),
    '/dated': { headers: dated, body: page('Dated') },
    '/bare': { headers: { 'content-type': 'text/html' }, body: page('Bare') },
    '/changes': page('Before'),
    '/goes': page('Goes'),
    '/comes': { status: 404 },
    '/old': { status: 301, headers: { location: '/moved' } },
    '/moved': page('Moved'),
  });
  const kept = keptFolder();
  const urls = urlsOf(site, ...Object.keys(site.pages).slice(0, -1));
  const before = await runWeb({ urls }, { kept });
  site.asked.length = 0;
  const same = await runWeb({ urls }, { kept, refresh: true });
  expect(same).toEqual(before);
  expect(site.asked.toSorted()).toEqual(Object.keys(site.pages).toSorted());
  const sent = (path: string) => {
    const { 'if-none-match': tag, 'if-modified-since': date } = site.heard.get(path)!;
    return [tag, date];
  };
  expect(sent('/tagged')).toEqual([expect.stringMatching(/^"\w+"$/), undefined]);
  expect(sent('/dated')).toEqual([undefined, dated['last-modified']]);
  expect(sent('/bare')).toEqual([undefined, undefined]);
  // The tag belongs to what is there in the end.
  expect(sent('/old')).toEqual([undefined, undefined]);
  expect(sent('/moved')).toEqual([expect.stringMatching(/^"\w+"$/), undefined]);

  site.pages['/changes'] = page('After');
  site.pages['/goes'] = { status: 404 };
  site.pages['/comes'] = page('Comes');
  const after = await runWeb({ urls }, { kept, refresh: true });
  expect(after.rows.map(r => r.fields.title)).toEqual(['Tagged', 'Dated', 'Bare', 'After', 'Comes', 'Moved']);
  expect(reasons(after.rejects, site.url)).toEqual({ '/goes': 'status 404' });
  // What the refresh has found is what later runs know.
  site.asked.length = 0;
  expect(await runWeb({ urls }, { kept })).toEqual(after);
  expect(site.asked).toEqual([]);
});

test('a page that fails for now in a refresh is a reject, as it would be without anything kept', async () => {
  const site = await serveSite({ '/a': page('A'), '/b': page('B') });
  const kept = keptFolder();
  const urls = urlsOf(site, '/a', '/b');
  await runWeb({ urls }, { kept });
  const b = site.pages['/b']!;
  site.pages['/b'] = { status: 503 };
  const refreshed = await runWeb({ urls }, { kept, refresh: true });
  expect(refreshed).toEqual(await runWeb({ urls }));
  // The build after it tries that page again, and still knows what it looked like.
  site.pages['/b'] = b;
  site.asked.length = 0;
  const { rows } = await runWeb({ urls }, { kept });
  expect(ids(rows)).toEqual(urls);
  expect(site.asked).toEqual(['/b']);
  expect(site.heard.get('/b')!['if-none-match']).toBeDefined();
});

test('a refresh that was cut short is gone on with', async () => {
  const site = await serveSite({ '/a': page('A'), '/b': page('B'), '/c': page('C') });
  const kept = keptFolder();
  const urls = urlsOf(site, '/a', '/b', '/c');
  await runWeb({ urls }, { kept });
  site.asked.length = 0;
  // A disk that is full ends the run between two pages.
  const full = Object.assign(new Error('no room'), { code: 'ENOSPC' });
  const { Answers } = await import('../../../stages/sources/web/answers.ts');
  const hold = Answers.prototype.hold;
  let calls = 0;
  Answers.prototype.hold = function (address) {
    if (++calls === 3) throw full;
    hold.call(this, address);
  };
  try {
    await expect(runWeb({ urls, concurrency: 1 }, { kept, refresh: true })).rejects.toBe(full);
  } finally {
    Answers.prototype.hold = hold;
  }
  expect(site.asked).toEqual(['/a', '/b', '/c']);
  site.asked.length = 0;
  await runWeb({ urls }, { kept, refresh: true });
  expect(site.asked).toEqual(['/c']);
  site.asked.length = 0;
  await runWeb({ urls }, { kept, refresh: true });
  expect(site.asked.toSorted()).toEqual(['/a', '/b', '/c']);
});

test('what an answer depends on is asked for anew: another user agent, other headers, another limit', async () => {
  const site = await serveSite({ '/a': page('A', 'long text '.repeat(20_000)) });
  const kept = keptFolder();
  const urls = urlsOf(site, '/a');
  await runWeb({ urls, headers: { a: '1', b: '2' } }, { kept });
  await runWeb({ urls, headers: { b: '2', a: '1' } }, { kept });
  expect(site.asked).toHaveLength(1);
  await runWeb({ urls, headers: { a: '2', b: '2' } }, { kept });
  await runWeb({ urls, user_agent: 'acme' }, { kept });
  const { rejects } = await runWeb({ urls, max_mb: 0.1 }, { kept });
  expect(site.asked).toHaveLength(4);
  expect(reasons(rejects, site.url)).toEqual({ '/a': 'larger than 0.1 MB' });
});

test('a damaged store of pages is begun anew, and no secret is written into it', async () => {
  const site = await serveSite({ '/a': page('A', 'pages are kept packed '.repeat(2000)) });
  const kept = keptFolder();
  const options = { urls: urlsOf(site, '/a'), credentials: { [site.url]: { Cookie: 'session=s3cr3t-value' } } };
  const first = await runWeb(options, { kept });
  expect(site.heard.get('/a')!.cookie).toBe('session=s3cr3t-value');
  const names = readdirSync(kept);
  const { readFileSync } = await import('node:fs');
  for (const name of names) expect(readFileSync(join(kept, name)).includes('s3cr3t')).toBe(false);
  expect(statSync(join(kept, 'pages.db')).size).toBeLessThan(60_000);
  writeFileSync(join(kept, 'pages.db'), 'not a database at all, whatever its name says'.repeat(100));
  expect(await runWeb(options, { kept })).toEqual(first);
  expect(site.asked).toEqual(['/a', '/a']);
});
