/** The recipe `pipelines/python-web.yaml`, from the web to an adapter: over a server of the real pages, and through Bright Data. */
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BuildEvent } from '../../src/events.ts';
import { serveBrightData } from '../rig/brightdata.ts';
import { Project } from '../rig/project.ts';
import { HAS_PYTHON_DOCS, PYTHON_DOCS, serveSite } from '../rig/site.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RECIPE = 'pipelines/python-web.yaml';
const CHAPTERS = ['introduction', 'controlflow', 'datastructures', 'modules', 'classes'];

const copy = (): Project => {
  const project = new Project({});
  onTestFinished(() => project.remove());
  cpSync(join(root, RECIPE), project.path(RECIPE), { recursive: true });
  mkdirSync(project.path('pipelines/models'), { recursive: true });
  symlinkSync(join(root, 'pipelines/models/tiny-chat'), project.path('pipelines/models/tiny-chat'));
  return project;
};

const metrics = (events: readonly BuildEvent[], node: string) =>
  events.flatMap(e => (e.type === 'done' && e.node === node ? [e.metrics] : []))[0] as {
    readonly base: { readonly loss: number };
    readonly tuned: { readonly loss: number };
  };

describe.skipIf(!HAS_PYTHON_DOCS)('the Python tutorial from the web (python3.11-doc)', { timeout: 300_000 }, () => {
  test('is fetched, cleaned and learned from; again nothing is, and a refresh of equal pages ends at once', async () => {
    const site = await serveSite({}, { folder: PYTHON_DOCS });
    const p = copy();
    const args = ['--recipe', RECIPE, '--set', `vars.site=${site.url}`];
    const built = await p.build(args);
    expect(built.code, built.stderr + built.reasons).toBe(0);
    expect(site.asked.toSorted()).toEqual(CHAPTERS.map(c => `/tutorial/${c}.html`).toSorted());
    expect(built.nodes.pages?.rows).toBeGreaterThan(50);
    expect(built.nodes.unique?.rows).toBeGreaterThan(400);
    const { base, tuned } = metrics(built.events, 'loss');
    expect(tuned.loss).toBeLessThan(base.loss);
    const adapter = JSON.parse(readFileSync(p.path('out/python-web/adapter/adapter_config.json'), 'utf8'));
    expect(adapter).toMatchObject({ peft_type: 'LORA', r: 8 });

    site.asked.length = 0;
    const again = await p.build(args);
    expect(new Set(Object.values(again.states))).toEqual(new Set(['cached']));
    expect(site.asked).toEqual([]);

    const refreshed = await p.build([...args, '--refresh', 'pages']);
    expect(Object.entries(refreshed.states).filter(([, state]) => state !== 'cached')).toEqual([['pages', 'built']]);
    expect(site.asked).toHaveLength(5);
  });

  test('comes through Bright Data to the same pairs: a batch, and what it lacks page by page', async () => {
    const site = 'https://docs.python.example/3';
    const address = (chapter: string) => `${site}/tutorial/${chapter}.html`;
    const page = (chapter: string) => readFileSync(join(PYTHON_DOCS, 'tutorial', `${chapter}.html`), 'utf8');
    const api = await serveBrightData(Object.fromEntries(CHAPTERS.map(c => [address(c), page(c)])));
    api.web[address('classes')] = { code: 'blocked', error: 'the target blocked the request' };
    api.override = request => {
      if (request.url === '/request') api.web[address('classes')] = page('classes');
      return false;
    };
    const p = copy();
    const set = [`vars.site=${site}`, `sources.pages.with.endpoint=${api.url}`].flatMap(s => ['--set', s]);
    const built = await p.build(['--recipe', RECIPE, '--profile', 'brightdata', ...set, 'unique'], {
      env: { BRIGHTDATA_API_KEY: api.token },
    });
    expect(built.code, built.stderr + built.reasons).toBe(0);
    expect(api.unlocked).toEqual([address('classes')]);
    expect(api.paid()).toBe(5);
    expect(built.nodes.unique?.rows).toBeGreaterThan(400);
    expect(built.stdout).not.toContain(api.token);
  });
});
