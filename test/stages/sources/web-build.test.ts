/** Source `web` in builds: its result is pinned, nothing is asked for twice, and `--refresh` asks again. */
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serveBrightData } from '../../rig/brightdata.ts';
import { type Built, type Project, project } from '../../rig/project.ts';
import { page, type Site, serveSite } from '../../rig/site.ts';

const recipe = (site: Site, options = ''): string => `version: 1
sources:
  pages: { uses: web, with: { urls: [${site.url}/a, ${site.url}/b, ${site.url}/c], retries: 0${options} } }
transforms:
  text:  { uses: plain-text, from: pages }
  lines: { uses: sentences, from: text }
`;

const threePages = () => serveSite({ '/a': page('A'), '/b': page('B'), '/c': page('C') });

const withRecipe = (site: Site, options?: string): Project => project({ 'finetune.yaml': recipe(site, options) });

const pin = (p: Project): string => /^pages .*result\.rows=(\w+)/m.exec(p.read('finetune.lock'))?.[1] ?? 'none';

const messages = ({ events }: Built): string[] =>
  events
    .flatMap(e => (e.type === 'mistakes' ? e.failures : e.type === 'failed' ? [e.failure] : []))
    .map(f => f.message);

describe('a build', () => {
  test('pins what it fetched, and the next one asks nobody', async () => {
    const site = await threePages();
    const p = withRecipe(site);
    const built = await p.build();
    expect(built.code, built.stderr).toBe(0);
    expect(built.nodes.pages).toMatchObject({ state: 'built', rows: 3 });
    expect(pin(p)).toMatch(/^[0-9a-f]{64}$/);
    await site.close();
    const again = await p.build();
    expect(new Set(Object.values(again.states))).toEqual(new Set(['cached']));
    expect(await p.rows('pages')).toHaveLength(3);
    expect((await p.build(['--locked'])).code).toBe(0);
  });

  test('with another option asks only for what it lacks; how fast pages come is no part of the key', async () => {
    const site = await threePages();
    const p = withRecipe(site);
    await p.build();
    site.asked.length = 0;
    p.edit('finetune.yaml', 'retries: 0', 'retries: 1, timeout: 7, delay: 0.01, concurrency: 2');
    expect((await p.build()).states.pages).toBe('cached');
    p.edit('finetune.yaml', 'retries: 1', 'retries: 1, by: section');
    expect((await p.build()).states.pages).toBe('built');
    expect(site.asked).toEqual([]);
  });

  test('tries again what failed for now, and only that; until then nothing is pinned', async () => {
    const site = await threePages();
    site.pages['/c'] = { status: 503 };
    const p = withRecipe(site, ', mostly: 0.5');
    const built = await p.build();
    expect(built.code, built.stderr).toBe(0);
    expect(built.nodes.pages?.rows).toBe(2);
    expect(p.has('finetune.lock') && pin(p) !== 'none').toBe(false);
    site.asked.length = 0;
    expect((await p.run(['plan'])).stdout).toContain('1 rows failed for a while, and are tried again');
    site.pages['/c'] = page('C');
    const again = await p.build();
    expect(again.nodes.pages).toMatchObject({ state: 'built', rows: 3 });
    expect(site.asked).toEqual(['/c']);
    expect(pin(p)).not.toBe('none');
    expect((await p.build()).states.pages).toBe('cached');
  });

  test('fails by its rejects, as every node does, with the reasons and where', async () => {
    const site = await threePages();
    site.pages['/b'] = { status: 404 };
    const p = withRecipe(site);
    const built = await p.build();
    expect(built.reasons).toEqual(['rejects']);
    expect(messages(built)[0]).toContain(
      `33 % of 3 rows were rejected, more than the 1.0 % that "mostly: 0.99" allows`,
    );
    expect(messages(built)[0]).toContain(`1 x ${site.url}/b: status 404`);
  });

  test('that is killed keeps the pages that came', async () => {
    const site = await threePages();
    const c = site.pages['/c']!;
    const reached = new Promise<void>(resolve => {
      site.pages['/c'] = () => resolve();
    });
    const p = withRecipe(site, ', concurrency: 1');
    const running = p.start(['build', '--json']);
    await reached;
    running.kill('SIGKILL');
    await once(running.process, 'close');
    site.pages['/c'] = c;
    site.asked.length = 0;
    expect((await p.build()).nodes.pages?.rows).toBe(3);
    expect(site.asked).toEqual(['/c']);
  });

  test('that is killed while Bright Data works pays nothing twice, and its token is nowhere', async () => {
    const api = await serveBrightData({ 'https://docs.example/a': page('A'), 'https://docs.example/b': page('B') });
    api.next.running = Infinity;
    const p = project({
      'finetune.yaml': `version: 1
sources:
  pages:
    uses: web
    with:
      file: pages.txt
      retries: 0
      via: brightdata
      endpoint: ${api.url}
      token: "\${env:BRIGHTDATA_API_KEY}"
      zone: ${api.zone}
      dataset: ${api.dataset}
`,
      'pages.txt': 'https://docs.example/a\nhttps://docs.example/b\nhttps://docs.example/c\n',
    });
    const env = { BRIGHTDATA_API_KEY: api.token };
    const polled = new Promise<void>(resolve => {
      api.override = request => {
        if (request.url!.includes('/progress/')) resolve();
        return false;
      };
    });
    const running = p.start(['build', '--json'], { env });
    await polled;
    running.kill('SIGKILL');
    await once(running.process, 'close');
    api.snapshots[0]!.running = 0;
    p.edit('finetune.yaml', 'dataset:', 'mostly: 0.5\n      dataset:');
    // A server that repeats what it was sent.
    api.web['https://docs.example/c'] = { code: 'policy_1', error: `refused for ${api.token}` };
    const built = await p.build([], { env });
    expect(built.nodes.pages?.rows).toBe(2);
    expect(api.calls.filter(c => c === 'POST /datasets/v3/trigger')).toHaveLength(1);
    expect(api.unlocked).toEqual([]);
    expect((await p.rows('pages', 'rejects'))[0]!.fields.reason).toBe('Bright Data: refused for *** (policy_1)');
    const missing = await p.build(['--force', 'pages']);
    expect(missing.reasons).toEqual(['secret-missing']);
    for (const name of p.files()) expect(readFileSync(p.path(name)).includes(api.token), name).toBe(false);
    expect(built.stdout + built.stderr + missing.stdout).not.toContain(api.token);
  });
});

describe('--refresh', () => {
  test('of unchanged pages ends the rebuild there; of changed ones it pins anew', async () => {
    const site = await threePages();
    const p = withRecipe(site);
    await p.build();
    const lock = p.read('finetune.lock');
    site.asked.length = 0;
    const same = await p.build(['--refresh', 'pages']);
    expect(same.states).toEqual({ pages: 'built', text: 'cached', lines: 'cached' });
    expect(site.asked.toSorted()).toEqual(['/a', '/b', '/c']);
    expect(site.heard.get('/a')!['if-none-match']).toBeDefined();
    expect(p.read('finetune.lock')).toBe(lock);

    site.pages['/b'] = page('B', 'It has changed.');
    // Nobody has asked yet.
    expect((await p.build()).states.pages).toBe('cached');
    const changed = await p.build(['--refresh', 'pages', 'pages']);
    expect(changed.states).toEqual({ pages: 'built' });
    expect(pin(p)).not.toBe(/result\.rows=(\w+)/.exec(lock)![1]);
    const after = await p.build();
    expect(after.states).toEqual({ pages: 'cached', text: 'built', lines: 'built' });
    expect(after.nodes.text!.computed).toBe(1);
    expect((await p.rows('lines')).map(r => r.fields.text)).toContain('It has changed.');
    await site.close();
    expect(new Set(Object.values((await p.build()).states))).toEqual(new Set(['cached']));
  });

  test('that fails leaves what was pinned', async () => {
    const site = await threePages();
    const p = withRecipe(site);
    await p.build();
    const [lock, rows] = [p.read('finetune.lock'), await p.rows('pages')];
    for (const path of ['/a', '/b', '/c']) site.pages[path] = { status: 404 };
    const failed = await p.build(['--refresh', 'pages']);
    expect([failed.code, failed.reasons]).toEqual([1, ['rejects']]);
    expect(p.read('finetune.lock')).toBe(lock);
    const after = await p.build();
    expect(after.code, after.stderr).toBe(0);
    expect(after.states.pages).toBe('cached');
    expect(await p.rows('pages')).toEqual(rows);
  });

  test('--force forgets the pages and asks as if for the first time', async () => {
    const site = await threePages();
    const p = withRecipe(site);
    await p.build();
    site.asked.length = 0;
    expect((await p.build(['--force', 'pages'])).states).toEqual({ pages: 'built', text: 'cached', lines: 'cached' });
    expect(site.asked.toSorted()).toEqual(['/a', '/b', '/c']);
    expect(site.heard.get('/a')!['if-none-match']).toBeUndefined();
  });

  test('is for sources that get something from elsewhere, in a build that may change the lock file', async () => {
    const site = await threePages();
    const p = withRecipe(site);
    p.write({ 'docs/a.md': '# A\n\nText.\n' });
    p.edit('finetune.yaml', 'transforms:\n', '  docs:  { uses: files, with: { paths: "docs/*.md" } }\ntransforms:\n');
    await p.build();
    const said = async (...args: string[]) => {
      const { code, stderr } = await p.run(['build', ...args]);
      return [code, stderr.trim()];
    };
    expect(await said('--refresh', 'page')).toEqual([2, expect.stringContaining('did you mean "pages"?')]);
    expect(await said('--refresh', 'text')).toEqual([
      2,
      `usage: --refresh text: it gets nothing from elsewhere; there is pages
  what it makes follows from what it reads; to run it again all the same: --force text`,
    ]);
    expect(await said('--refresh', 'docs')).toEqual([
      2,
      expect.stringMatching(/^usage: --refresh docs: it gets nothing/),
    ]);
    expect(await said('--refresh', 'pages', 'docs')).toEqual([
      2,
      'usage: --refresh pages: not among the nodes that this build is for',
    ]);
    expect(await said('--locked', '--refresh', 'pages')).toEqual([
      2,
      'usage: --locked and --refresh pages: its result is pinned',
    ]);
    expect((await p.run(['watch', '--refresh', 'pages'])).stderr).toContain('watch has no flag --refresh');
  });

  test('can be planned: the source would be built, and what is below it perhaps', async () => {
    const site = await threePages();
    const p = withRecipe(site);
    await p.build();
    const { stdout } = await p.run(['plan', '--refresh', 'pages']);
    expect(stdout).toMatch(/pages +build .*asked for again \(--refresh\)/);
    expect(stdout).toMatch(/text +maybe/);
    expect((await p.run(['build', '--dry-run', '--refresh', 'pages'])).stdout).toBe(stdout);
    expect((await p.run(['plan'])).stdout).toContain('nothing to do');
  });
});

test('the pages of a node lie in the store, once for each node, and count towards its size', async () => {
  const site = await threePages();
  const p = withRecipe(site);
  await p.build();
  expect(readdirSync(p.path('.finetune/kept'))).toHaveLength(1);
  const folder = join(p.path('.finetune/kept'), readdirSync(p.path('.finetune/kept'))[0]!);
  expect(statSync(join(folder, 'pages.db')).size).toBeGreaterThan(0);
  const { stdout } = await p.run(['cache', 'size', '--json']);
  expect(JSON.parse(stdout).parts.kept).toBeGreaterThan(0);
});
