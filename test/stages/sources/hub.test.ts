import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import hub, { type Options } from '../../../stages/sources/hub.ts';
import { commitOf, cutAfter, type HubServer, type Repo, serveHub, status } from '../../rig/hub-server.ts';
import { MESSAGES, parquetOf, TEXT } from '../../rig/parquet.ts';
import { project, until } from '../../rig/project.ts';
import { nowhere } from '../../rig/servers.ts';
import { optionsOf } from '../options.ts';
import { inputFile, runWhole } from '../whole.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hub-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const NAME = 'HuggingFaceH4/Multilingual-Thinking';
const LANGUAGES = ['French', 'German', 'Spanish'];
const chats = (from: number, count: number) => {
  const ids = Array.from({ length: count }, (_, i) => from + i);
  return parquetOf([TEXT('id'), TEXT('reasoning_language'), ...MESSAGES('messages', ['role', 'content', 'thinking'])], {
    id: ids.map(i => `chat-${i}`),
    reasoning_language: ids.map(i => LANGUAGES[i % 3]),
    messages: ids.map(i => [
      { role: 'user', content: `question ${i}`, thinking: null },
      { role: 'assistant', content: `answer ${i}`, thinking: `pensée ${i}` },
    ]),
  });
};
const CARD = '---\nlicense: apache-2.0\n---\n# Multilingual thinking\n';
const repo = (more: Partial<Repo> = {}): Repo => ({
  kind: 'datasets',
  name: NAME,
  commits: {
    [commitOf(1)]: {
      'README.md': CARD,
      'data/train-00000-of-00002.parquet': chats(0, 50),
      'data/train-00001-of-00002.parquet': chats(50, 50),
      'data/test-00000-of-00001.parquet': chats(100, 5),
    },
  },
  refs: { main: commitOf(1) },
  ...more,
});

const run = (server: Pick<HubServer, 'endpoint'>, options: object = {}, given: object = {}) =>
  runWhole(hub, optionsOf<Options>('sources/hub', { hub: NAME, endpoint: server.endpoint, ...options }), {
    folder,
    ...given,
  });

const failure = (server: Pick<HubServer, 'endpoint'>, options: object = {}) =>
  run(server, options).then(
    () => null,
    (e: unknown) => e,
  );

describe('a data set of the Hub', () => {
  test('its split comes row by row, from all of its files, with the commit told', async () => {
    const server = await serveHub([repo()]);
    const { rows, lineage, origins } = await run(server, { key: 'id' });
    expect(rows).toHaveLength(100);
    expect(rows[51]).toEqual({
      id: 'chat-51',
      parent: null,
      fields: {
        id: 'chat-51',
        reasoning_language: 'French',
        messages: [
          { role: 'user', content: 'question 51', thinking: null },
          { role: 'assistant', content: 'answer 51', thinking: 'pensée 51' },
        ],
      },
    });
    expect(lineage[51]).toEqual({ path: 'data/train-00001-of-00002.parquet', line: 2 });
    expect(origins).toEqual({ [`${NAME}@main`]: commitOf(1) });
    expect((await run(server, { split: 'test' })).rows).toHaveLength(5);
  });

  test('columns, a limit, and files by name: what is not needed does not come', async () => {
    const server = await serveHub([repo()]);
    const { rows } = await run(server, { columns: ['reasoning_language'], limit: 3 });
    expect(rows.map(r => r.fields)).toEqual(LANGUAGES.map(reasoning_language => ({ reasoning_language })));
    expect(server.asked.filter(a => a.includes('00001-of-00002'))).toEqual([]);
    expect((await run(server, { files: 'data/test*' })).rows).toHaveLength(5);
  });

  test('JSON Lines, JSON and CSV, packed or not; each reject names its file', async () => {
    const files = {
      'a.jsonl.gz': gzipSync('{"v":1}\nbroken\n'),
      'b.json': JSON.stringify([{ v: 2 }]),
      'c.tsv': 'v\tw\n3\tx\n',
    };
    const server = await serveHub([repo({ commits: { [commitOf(1)]: files } })]);
    const of = async (name: string) => (await run(server, { files: name })).rows.map(r => r.fields.v);
    expect([await of('a.*'), await of('b.*'), await of('c.*')]).toEqual([[1], [2], ['3']]);
    const { rejects } = await run(server, { files: 'a.*' });
    expect(rejects).toEqual([
      expect.objectContaining({ id: 'a.jsonl.gz:2', fields: expect.objectContaining({ path: 'a.jsonl.gz', line: 2 }) }),
    ]);
  });

  test('a long list of files comes in pages', async () => {
    const many = Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`train/${i}.jsonl`, `{"n":${i}}\n`]));
    const server = await serveHub([repo({ commits: { [commitOf(1)]: many } })], { page: 4 });
    expect((await run(server)).rows).toHaveLength(25);
    expect(server.asked.filter(a => a.includes('/tree/'))).toHaveLength(7);
  });

  test('a key that comes twice is told with both places', async () => {
    const twice = { 'train.jsonl': '{"k":"a"}\n{"k":"b"}\n', 'train-2.jsonl': '{"k":"a"}\n' };
    const server = await serveHub([repo({ commits: { [commitOf(1)]: twice } })]);
    expect(await failure(server, { key: 'k' })).toMatchObject({
      reason: 'duplicate-key',
      message: 'the k of this record occurs twice: first at train-2.jsonl:1, again here',
      place: { path: 'train.jsonl', line: 1 },
    });
  });

  test('files that came are not asked for again, whatever the options; of a commit, nothing at all', async () => {
    const server = await serveHub([repo()]);
    await run(server, { revision: commitOf(1) });
    const before = server.asked.length;
    const { rows, origins } = await run(server, { revision: commitOf(1), columns: ['id'] });
    expect(rows).toHaveLength(100);
    expect(server.asked.length).toBe(before);
    expect(origins).toEqual({ [NAME]: commitOf(1) });
  });

  test('a file that was changed here is found out and comes again', async () => {
    const server = await serveHub([repo()]);
    await run(server, { split: 'test' });
    const files = join(folder, 'kept', 'HuggingFaceH4--Multilingual-Thinking', 'files');
    for (const name of readdirSync(files)) {
      const bytes = readFileSync(join(files, name));
      bytes[20]! ^= 1;
      writeFileSync(join(files, name), bytes);
    }
    expect((await run(server, { split: 'test' })).rows).toHaveLength(5);
  });
});

describe('downloads', () => {
  const PATH = 'data/test-00000-of-00001.parquet';
  const CONTENT = repo().commits[commitOf(1)]![PATH]!;

  test('a connection that is lost is taken up where it was lost', async () => {
    const server = await serveHub([repo()]);
    server.once(/Signature/, cutAfter(500, CONTENT), cutAfter(0, CONTENT));
    const { rows, logs } = await run(server, { split: 'test' });
    expect(rows).toHaveLength(5);
    expect(logs.join('\n')).toMatch(/connection was lost at byte \d+ of \d+, and is taken up again/);
  });

  test('what does not have its digest comes again; twice, it is told', async () => {
    const server = await serveHub([repo()]);
    const wrong = Buffer.alloc(CONTENT.length, 1);
    const lie = (_: unknown, response: { end(b: Buffer): void }) => void response.end(wrong);
    server.once(/Signature/, lie as never);
    expect((await run(server, { split: 'test' })).rows).toHaveLength(5);
    rmSync(join(folder, 'kept'), { recursive: true });
    server.once(/Signature/, lie as never, lie as never);
    expect(await failure(server, { split: 'test' })).toMatchObject({
      reason: 'hub-damaged',
      message: expect.stringContaining(PATH),
    });
  });

  test('the token goes to the Hub, and to nobody that it sends us to', async () => {
    const server = await serveHub([repo({ tokens: ['hf_mine'] })]);
    expect((await run(server, { token: 'hf_mine' })).rows).toHaveLength(100);
    expect(server.asked.some(a => a.startsWith('cdn '))).toBe(true);
    expect(server.leaked).toEqual([]);
  });

  test('what Hugging Face’s own tools have brought is taken over', async () => {
    const server = await serveHub([repo()]);
    await run(server, { split: 'test' });
    const digests = readdirSync(join(folder, 'kept', 'HuggingFaceH4--Multilingual-Thinking', 'files'));
    const theirs = join(folder, 'hf', 'hub', `datasets--${NAME.replace('/', '--')}`, 'blobs');
    mkdirSync(theirs, { recursive: true });
    for (const name of digests) {
      const path = join(folder, 'kept', 'HuggingFaceH4--Multilingual-Thinking', 'files', name);
      writeFileSync(join(theirs, name), readFileSync(path));
    }
    rmSync(join(folder, 'kept'), { recursive: true });
    const [before, home] = [server.sent(), process.env.HF_HOME];
    process.env.HF_HOME = join(folder, 'hf');
    try {
      expect((await run(server, { split: 'test' })).rows).toHaveLength(5);
    } finally {
      if (home === undefined) delete process.env.HF_HOME;
      else process.env.HF_HOME = home;
    }
    expect(server.sent()).toBe(before);
  });
});

describe('refusals in plain words', () => {
  test('a gated data set: without a token, with one that has no access, with one that has', async () => {
    const server = await serveHub([repo({ gated: true, tokens: ['hf_yes'] })]);
    expect(await failure(server)).toMatchObject({
      reason: 'hub-gated',
      message: `${server.endpoint}/datasets/${NAME} is gated: its owner decides who may have it`,
      advice: expect.stringMatching(/Ask for access on its page.*token: "\$\{env:HF_TOKEN\}"/),
    });
    expect(await failure(server, { token: 'hf_no' })).toMatchObject({
      reason: 'hub-gated',
      advice: expect.stringContaining('The token is known, but its account has no access'),
    });
    expect((await run(server, { token: 'hf_yes', limit: 1 })).rows).toHaveLength(1);
  });

  test('a private or misspelt one, a token that is none, or revoked, a revision, a split', async () => {
    const server = await serveHub([repo({ tokens: ['hf_yes'] })]);
    expect(await failure(server)).toMatchObject({
      reason: 'hub-not-found',
      message: expect.stringContaining('or it is private'),
    });
    expect(await failure(server, { token: 'hf_no' })).toMatchObject({ reason: 'hub-not-found' });
    expect(await failure(server, { token: 'mine' })).toMatchObject({
      reason: 'hub-token',
      message: expect.not.stringContaining('mine'),
    });
    expect(await failure(server, { token: 'hf_revoked' })).toMatchObject({
      reason: 'hub-token',
      advice: expect.stringContaining('revoked'),
    });
    expect(await failure(server, { token: 'hf_yes', revision: 'v9' })).toMatchObject({ reason: 'hub-revision' });
    expect(await failure(server, { token: 'hf_yes', revision: commitOf(9) })).toMatchObject({ reason: 'hub-revision' });
    expect(await failure(server, { token: 'hf_yes', split: 'dev' })).toMatchObject({ advice: 'It has: train, test.' });
    expect(await failure(server, { token: 'hf_yes', columns: ['nope'] })).toMatchObject({ reason: 'unknown-column' });
  });

  test('a server that is busy, or broken for a while, is asked again after the time that it names', async () => {
    const server = await serveHub([repo()]);
    server.once(
      /revision/,
      status(429, { 'retry-after': '0' }),
      status(429, { ratelimit: '"api";r=0;t=0' }),
      status(503, { 'retry-after': '0' }),
    );
    server.once(/tree/, (request, _) => void request.socket.destroy());
    server.once(/resolve/, status(500, { 'retry-after': '0' }));
    const { rows, logs } = await run(server, { split: 'test' });
    expect(rows).toHaveLength(5);
    expect(logs.filter(l => l.includes('asked again in'))).toHaveLength(5);
    expect(logs[0]).toMatch(/^127\.0\.0\.1:\d+ answered 429: asked again in 0 s$/);
  });

  test('one that stays so is told, with what to do', async () => {
    const server = await serveHub([repo()]);
    const again = (answer: ReturnType<typeof status>) => Array.from({ length: 6 }, () => answer);
    server.once(/revision/, ...again(status(503, { 'retry-after': '0' })));
    expect(await failure(server)).toMatchObject({
      reason: 'hub-unavailable',
      advice: expect.stringContaining('what has come is kept'),
    });
    server.once(/revision/, status(429, { 'retry-after': '4000' }));
    expect(await failure(server)).toMatchObject({
      reason: 'hub-rate-limit',
      advice: expect.stringMatching(/^Wait 67 minutes.*token/),
    });
  });

  test('nobody there, and somebody else there', async () => {
    expect(await failure({ endpoint: `http://127.0.0.1:${await nowhere()}` })).toMatchObject({
      reason: 'hub-unreachable',
      message: expect.stringContaining('nothing listens there'),
    });
    const server = await serveHub([repo()]);
    server.once(/revision/, (_, response) => void response.end('<html>Please log in</html>'));
    expect(await failure(server)).toMatchObject({ reason: 'hub-answer', advice: expect.stringContaining('proxy') });
    server.once(
      /tree/,
      (_, response) =>
        void response.end(JSON.stringify([{ type: 'file', path: '../../etc/passwd', size: 1, oid: commitOf(1) }])),
    );
    expect(await failure(server)).toMatchObject({ reason: 'hub-answer' });
  });
});

describe('a local copy', () => {
  const write = (name: string, content: string | Uint8Array) => {
    const path = join(folder, 'copy', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  };
  const all = () =>
    readdirSync(join(folder, 'copy'), { recursive: true, withFileTypes: true })
      .filter(e => !e.isDirectory())
      .map(e => inputFile(join(e.parentPath, e.name), join(folder, 'copy')))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  const runCopy = (options: object = {}) =>
    runWhole(hub, optionsOf<Options>('sources/hub', { path: 'copy', ...options }), { folder, files: { path: all() } });

  test('as git clones it', async () => {
    write('README.md', CARD);
    write('data/train-00000-of-00001.parquet', chats(0, 4));
    write('data/test-00000-of-00001.parquet', chats(4, 1));
    const { rows, lineage, origins } = await runCopy({ key: 'id' });
    expect(rows.map(r => r.id)).toEqual(['chat-0', 'chat-1', 'chat-2', 'chat-3']);
    expect(lineage[0]).toEqual({ path: 'data/train-00000-of-00001.parquet', line: 1 });
    expect(origins).toEqual({});
  });

  test('whose large files git has not fetched', async () => {
    write('train.parquet', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n');
    await expect(runCopy()).rejects.toMatchObject({
      reason: 'lfs-pointer',
      place: { path: 'copy/train.parquet' },
      advice: 'Run `git lfs pull` in copy.',
    });
  });

  test('as the Hub’s cache holds it: snapshots that link to blobs', async () => {
    for (const n of [1, 2]) {
      write(`blobs/b${n}`, `{"n":${n}}\n`);
      mkdirSync(join(folder, 'copy/snapshots', commitOf(n)), { recursive: true });
      symlinkSync(`../../blobs/b${n}`, join(folder, 'copy/snapshots', commitOf(n), 'train.jsonl'));
    }
    write('refs/main', commitOf(2));
    expect((await runCopy()).rows.map(r => r.fields)).toEqual([{ n: 2 }]);
    expect((await runCopy({ revision: commitOf(1) })).rows.map(r => r.fields)).toEqual([{ n: 1 }]);
    await expect(runCopy({ revision: 'v2' })).rejects.toMatchObject({ reason: 'hub-revision' });
  });
});

describe('in a build', () => {
  const RECIPE = (endpoint: string, more = '') => `version: 1
sources:
  chats: { uses: hub, with: { hub: ${NAME}, key: id, endpoint: "${endpoint}"${more} } }
transforms:
  french: { uses: filter, from: chats, with: { field: reasoning_language, matches: French } }
`;
  const moved = (): Repo => {
    const { commits, ...rest } = repo();
    return {
      ...rest,
      commits: { ...commits, [commitOf(2)]: { 'train.parquet': chats(0, 7) } },
      refs: { main: commitOf(1) },
    };
  };

  test('what a branch is at is pinned: another machine gets the same, though the branch has moved; --refresh asks again', async () => {
    const theirs = moved();
    const server = await serveHub([theirs]);
    const p = project({ 'finetune.yaml': RECIPE(server.endpoint) });
    expect((await p.build()).nodes.chats).toMatchObject({ state: 'built', rows: 100 });
    expect(p.read('finetune.lock')).toContain(`from.${NAME}@main=${commitOf(1)} result.dropped=`);
    theirs.refs.main = commitOf(2);
    const lock = p.read('finetune.lock');

    const other = project({ 'finetune.yaml': RECIPE(server.endpoint), 'finetune.lock': lock });
    const locked = await other.build(['--locked']);
    expect(locked.nodes.chats).toMatchObject({ state: 'built', rows: 100 });
    expect(other.read('finetune.lock')).toBe(lock);
    // Other columns are another key, and yet of the same commit.
    other.edit('finetune.yaml', 'key: id', 'key: id, columns: [id]');
    expect((await other.build(['chats'])).nodes.chats).toMatchObject({ state: 'built', rows: 100 });

    const anew = await p.build(['--refresh', 'chats']);
    expect(anew.nodes.chats).toMatchObject({ state: 'built', rows: 7 });
    expect(p.read('finetune.lock')).toContain(`from.${NAME}@main=${commitOf(2)}`);
  });

  test('--locked fails when what comes is not what was pinned', async () => {
    const server = await serveHub([repo()]);
    const p = project({ 'finetune.yaml': RECIPE(server.endpoint) });
    await p.build();
    const lock = p.read('finetune.lock').replace(/(chats .*result\.rows=)\w+/, `$1${'0'.repeat(64)}`);
    const other = project({ 'finetune.yaml': RECIPE(server.endpoint), 'finetune.lock': lock });
    expect((await other.build(['--locked', 'chats'])).reasons).toEqual(['lock-drift']);
  });

  test('the server is no part of the key, and the token is nowhere', async () => {
    const token = 'hf_secretSecretSecret';
    const first = await serveHub([repo({ tokens: [token] })]);
    const p = project({ 'finetune.yaml': RECIPE(first.endpoint, ', token: "${env:HF_TOKEN}"') });
    const built = await p.build([], { env: { HF_TOKEN: token } });
    expect(built.nodes.chats!.state).toBe('built');
    const second = await serveHub([repo()]);
    p.write({ 'finetune.yaml': RECIPE(second.endpoint) });
    expect((await p.build()).states).toEqual({ chats: 'cached', french: 'cached' });
    expect(second.asked).toEqual([]);
    const found = execFileSync('sh', ['-c', `grep -rl ${token} . || true`], { cwd: p.folder }).toString();
    expect(found).toBe('');
    expect(built.stdout).not.toContain(token);
  });

  test('a build that was killed while a file came goes on with the rest of it', async () => {
    const big = Buffer.alloc(3_000_000, '{"a":"0123456789"}\n');
    const server = await serveHub([repo({ commits: { [commitOf(1)]: { 'train.jsonl': big } } })]);
    let begun = false;
    server.once(/Signature/, (_, response) => {
      response.writeHead(200, { 'content-length': big.length });
      response.write(big.subarray(0, 2_000_000), () => {
        begun = true;
      });
    });
    const p = project({ 'finetune.yaml': RECIPE(server.endpoint).replace('key: id, ', '') });
    const first = p.start(['build', 'chats']);
    const partial = () => p.files('.finetune/kept').find(f => f.endsWith('.part'));
    await until(
      'most of the file',
      () => begun && partial() !== undefined && readFileSync(p.path(partial()!)).length >= 1_900_000,
    );
    first.kill('SIGKILL');
    await first.done;
    const second = await p.build(['chats']);
    expect(second.nodes.chats).toMatchObject({ state: 'built', rows: Math.floor(3_000_000 / 19) });
    expect(server.sent()).toBeLessThan(1_200_000);
  });
});
