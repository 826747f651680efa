import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import model, { type Options } from '../../../stages/sources/model.ts';
import { commitOf, type Repo, serveHub, status } from '../../rig/hub-server.ts';
import { project } from '../../rig/project.ts';
import { randomLlama, TINY } from '../../rig/random-model.ts';
import { tokenizerJson } from '../../rig/tokenizer.ts';
import { optionsOf } from '../options.ts';
import { runWhole } from '../whole.ts';

/** A model's files, as a repository holds them. */
let files: Record<string, Buffer>;
let made: string;
beforeAll(() => {
  made = mkdtempSync(join(tmpdir(), 'model-'));
  randomLlama(made, { ...TINY, vocab: 512 });
  writeFileSync(join(made, 'tokenizer.json'), JSON.stringify(tokenizerJson()));
  files = Object.fromEntries(readdirSync(made).map(name => [name, readFileSync(join(made, name))]));
});
afterAll(() => rmSync(made, { recursive: true }));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hub-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const NAME = 'tiny/Llama-0.1M';
const repo = (more: Partial<Repo> = {}): Repo => ({
  kind: 'models',
  name: NAME,
  commits: {
    [commitOf(1)]: {
      ...files,
      'README.md': '# Tiny\n',
      'pytorch_model.bin': Buffer.alloc(5000, 1),
      'original/model.safetensors': Buffer.alloc(5000, 2),
    },
  },
  refs: { main: commitOf(1) },
  ...more,
});
const withFiles = (own: Repo['commits'][string]): Repo => repo({ commits: { [commitOf(1)]: own } });

const run = (server: { endpoint: string }, options: object = {}) =>
  runWhole(model, optionsOf<Options>('sources/model', { hub: NAME, endpoint: server.endpoint, ...options }), {
    folder,
  });

describe('a model of the Hub', () => {
  test('comes with weights, tokenizer and configuration, and without the rest', async () => {
    const server = await serveHub([repo()]);
    const ran = await run(server);
    expect(ran.model).toBe(`tiny--Llama-0.1M/${commitOf(1)}`);
    expect(readdirSync(join(folder, 'models', ran.model!)).sort()).toEqual(Object.keys(files).sort());
    expect(ran.origins).toEqual({ [`${NAME}@main`]: commitOf(1) });
    expect(server.asked.filter(a => /pytorch|original|README/.test(a))).toEqual([]);
    const before = server.sent();
    await run(server);
    expect(server.sent()).toBe(before);
  });

  test('of weights in several forms, those of the index come', async () => {
    const weights = files['model.safetensors']!;
    const header = JSON.parse(weights.toString('utf8', 8, 8 + Number(weights.readBigUInt64LE(0))));
    const map = Object.fromEntries(
      Object.keys(header)
        .filter(k => k !== '__metadata__')
        .map(t => [t, 'model-00001-of-00001.safetensors']),
    );
    const { 'model.safetensors': _, ...others } = files;
    const server = await serveHub([
      withFiles({
        ...others,
        'model.safetensors.index.json': JSON.stringify({ metadata: { padding: 'x'.repeat(300) }, weight_map: map }),
        'model-00001-of-00001.safetensors': weights,
        'consolidated.safetensors': weights,
      }),
    ]);
    const ran = await run(server);
    expect(readdirSync(join(folder, 'models', ran.model!))).not.toContain('consolidated.safetensors');
    expect(readdirSync(join(folder, 'models', ran.model!))).toContain('model-00001-of-00001.safetensors');
  });

  test('one without safetensors, without a configuration, or with other weights is told before the weights come', async () => {
    const { 'model.safetensors': weights, ...others } = files;
    const without = await serveHub([withFiles({ ...others, 'model.bin': 'x' })]);
    await expect(run(without)).rejects.toMatchObject({
      reason: 'model-incomplete',
      message: expect.stringContaining('lacks model.safetensors'),
    });
    const { 'config.json': config, ...rest } = files;
    const bare = await serveHub([withFiles(rest)]);
    await expect(run(bare)).rejects.toMatchObject({ message: expect.stringContaining('lacks config.json') });
    expect(bare.asked.some(a => a.startsWith('cdn'))).toBe(false);
    const other = JSON.stringify({ ...JSON.parse(config!.toString()), vocab_size: 3 });
    const mixed = await serveHub([withFiles({ ...rest, 'model.safetensors': weights!, 'config.json': other })]);
    rmSync(join(folder, 'models'), { recursive: true });
    await expect(run(mixed)).rejects.toMatchObject({
      reason: 'model-mismatch',
      place: { path: `${NAME}/config.json` },
    });
  });

  test('a gated one is told with how to get access', async () => {
    const server = await serveHub([repo({ gated: true, tokens: ['hf_yes'] })]);
    await expect(run(server)).rejects.toMatchObject({
      reason: 'hub-gated',
      message: `${server.endpoint}/${NAME} is gated: its owner decides who may have it`,
    });
    expect((await run(server, { token: 'hf_yes' })).model).not.toBeNull();
  });
});

describe('in a build', () => {
  const RECIPE = (base: string) => `version: 1
sources:
  rows: { uses: files, with: { paths: a.jsonl } }
  base: { uses: model, with: { ${base} } }
templates:
  chat: { uses: chat, from: { rows: rows, model: base }, with: { date: "2025-01-01", user: q, assistant: a } }
`;
  const hubProject = (endpoint: string, more = '') =>
    project({
      'finetune.yaml': RECIPE(`hub: ${NAME}, endpoint: "${endpoint}"${more}`),
      'a.jsonl': '{"q":"Why?","a":"So."}\n',
    });
  const env = () => ({ FINETUNE_MODELS: join(folder, 'models') });

  test('it is the same model as from a folder, shared by all projects, and pinned by its commit', async () => {
    const theirs = repo();
    const server = await serveHub([theirs]);
    const p = hubProject(server.endpoint);
    const built = await p.build([], { env: env() });
    expect(built.states).toEqual({ rows: 'built', base: 'built', chat: 'built' });
    expect(p.read('finetune.lock')).toMatch(
      new RegExp(`^base key=\\w+ from.${NAME}@main=${commitOf(1)} result.model=\\w+ seconds=`, 'm'),
    );
    expect((await p.build([], { env: env() })).states).toEqual({ rows: 'cached', base: 'cached', chat: 'cached' });
    const lock = p.read('finetune.lock');
    const { stdout } = await p.run(['show', 'base'], { env: env() });
    expect(stdout).toContain(join('models', 'tiny--Llama-0.1M', commitOf(1)));
    expect(stdout).toMatch(/^model\.safetensors +[\d,]+ +[0-9a-f]{16}$/m);

    for (const [name, content] of Object.entries(files)) p.write({ [`models/${name}`]: content });
    p.write({ 'finetune.yaml': RECIPE('path: models') });
    expect((await p.build([], { env: env() })).states).toEqual({ rows: 'cached', base: 'built', chat: 'cached' });

    const sent = server.sent();
    theirs.refs.main = commitOf(7);
    const other = hubProject(server.endpoint);
    other.write({ 'finetune.lock': lock });
    expect((await other.build(['--locked'], { env: env() })).states.base).toBe('built');
    expect(server.sent()).toBe(sent);
  });

  test('one that was changed, or lost, comes again', async () => {
    const server = await serveHub([repo()]);
    const p = hubProject(server.endpoint, `, revision: ${commitOf(1)}`);
    await p.build([], { env: env() });
    const path = join(folder, 'models', 'tiny--Llama-0.1M', commitOf(1), 'model.safetensors');
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    expect((await p.build([], { env: env() })).states).toEqual({ rows: 'cached', base: 'built', chat: 'cached' });
    expect(readFileSync(path).equals(files['model.safetensors']!)).toBe(true);
    rmSync(join(folder, 'models'), { recursive: true });
    expect((await p.build([], { env: env() })).states).toEqual({ rows: 'cached', base: 'built', chat: 'cached' });
    expect(existsSync(path)).toBe(true);
    expect((await p.build([], { env: env() })).states.base).toBe('cached');
  });

  test('without the Hub, what is here is enough', async () => {
    const server = await serveHub([repo()]);
    const p = hubProject(server.endpoint, `, revision: ${commitOf(1)}`);
    await p.build([], { env: env() });
    server.once(/./, status(500), status(500));
    const asked = server.asked.length;
    expect((await p.build([], { env: env() })).states.base).toBe('cached');
    expect(server.asked.length).toBe(asked);
  });

  test('`path` and `hub` are one or the other; a name that looks like the Hub’s is told as such', async () => {
    const p = project({ 'finetune.yaml': RECIPE('path: models, hub: a/b'), 'a.jsonl': '{"q":"a"}\n' });
    expect((await p.build()).reasons).toEqual(['invalid-option']);
    p.write({ 'finetune.yaml': RECIPE('path: Qwen/Qwen3-0.6B') });
    const { events } = await p.build();
    const told = events.flatMap(e => (e.type === 'mistakes' ? e.failures : []));
    expect(told).toMatchObject([
      { advice: '`path` names a local folder; to have it from the Hub: hub: Qwen/Qwen3-0.6B' },
    ]);
  });
});
