/** `finetune.lock`, `--locked` and `finetune lock`: what is pinned, what drifts, and that a clone elsewhere comes to the same. */
import { appendFileSync, cpSync, readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Built, Project, pages, project, RECIPE } from '../rig/project.ts';
import { commitAll, git } from '../rig/repository.ts';
import { questions, training } from '../rig/training.ts';

const LOCK = 'finetune.lock';

/** Fields by node (and profile). */
const pins = (p: Project): Record<string, Record<string, string>> =>
  Object.fromEntries(
    p
      .read(LOCK)
      .split('\n')
      .filter(l => l !== '' && !/^(#|version)/.test(l))
      .map(l => {
        const [name, ...fields] = l.split(' ');
        const all = Object.fromEntries(fields.map(f => f.split('=') as [string, string]));
        return [all.profile ? `${name} ${all.profile}` : name!, all];
      }),
  );

const messages = ({ events }: Built): string[] =>
  events
    .flatMap(e => (e.type === 'mistakes' ? e.failures : e.type === 'failed' ? [e.failure] : []))
    .map(f => f.message);

const warnings = ({ events }: Built): string[] => events.flatMap(e => (e.type === 'warn' ? [e.message] : []));

const locks = ({ events }: Built) => events.flatMap(e => (e.type === 'lock' ? [e] : []));

/** The same repository somewhere else, with the model, but without a store. */
const cloneOf = (p: Project): Project => {
  const clone = new Project({});
  onTestFinished(() => clone.remove());
  clone.write({ '.finetune': null });
  git(clone, 'clone', '-q', p.folder, '.');
  cpSync(p.path('model'), clone.path('model'), { recursive: true });
  return clone;
};

describe('a plain build', () => {
  test('pins what git does not hold, and nothing else', async () => {
    const p = training();
    commitAll(p, 'first');
    const built = await p.build();
    expect(built.code).toBe(0);
    expect(locks(built)).toEqual([{ type: 'lock', path: LOCK, pinned: ['base', 'adapter'], released: [] }]);
    expect(Object.keys(pins(p))).toEqual(['adapter', 'base']);
    expect(pins(p).base).toEqual({ 'files.path': expect.stringMatching(/^[0-9a-f]{64}\/\d$/) });
    expect(pins(p).adapter).toEqual({
      key: built.nodes.adapter!.key,
      'result.adapter': expect.stringMatching(/^[0-9a-f]{64}$/),
      'result.metrics': expect.stringMatching(/^[0-9a-f]{64}$/),
      seconds: expect.stringMatching(/^\d+$/),
    });
    const text = p.read(LOCK);
    expect(text).not.toContain(p.folder);
    // Nothing to pin has changed: the file is not touched.
    p.write({ 'rows.jsonl': `${questions(6)}\n` });
    expect(locks(await p.build())).toEqual([]);
    expect(p.read(LOCK)).toBe(text);
    // Another key, another line in place of the old one.
    p.edit('finetune.yaml', '{ r: 1', '{ r: 3');
    expect(locks(await p.build())).toMatchObject([{ pinned: ['adapter'] }]);
    expect(pins(p).adapter!.key).not.toBe(built.nodes.adapter!.key);
    expect(p.read(LOCK).split('\n').length).toBe(text.split('\n').length);
  });

  test('outside of git pins all files, and a user stage its environment', async () => {
    const p = project({
      'finetune.yaml': `${RECIPE}  mine: { uses: ./mine.ts, from: good }\n`,
      'mine.ts': 'export default (fields: object) => fields;\n',
      ...pages(2),
    });
    await p.build();
    expect(pins(p)).toEqual({
      docs: { 'files.paths': expect.stringMatching(/^[0-9a-f]{64}\/2$/) },
      mine: { code: expect.stringMatching(/^[0-9a-f]{64}$/), 'env.node': process.versions.node.split('.')[0] },
    });
    // The same in a repository that holds them: only the environment is left.
    commitAll(p, 'first');
    expect((await p.run(['lock'])).stdout).toBe('pinned    mine\nreleased  docs\nwrote finetune.lock: 1 line\n');
    expect(pins(p)).toEqual({ mine: { 'env.node': process.versions.node.split('.')[0] } });
  });

  test('with --set pins nothing; with a profile it has lines of its own', async () => {
    const p = training();
    commitAll(p, 'first');
    expect(locks(await p.build(['--set', 'trainer.adapter.with.r=4', 'adapter']))).toEqual([]);
    expect(p.has(LOCK)).toBe(false);
    await p.build(['adapter']);
    const plain = pins(p);
    await p.build(['--profile', 'big', 'adapter']);
    expect(pins(p)).toMatchObject(plain);
    expect(pins(p)['adapter big']!.key).not.toBe(plain.adapter!.key);
    expect((await p.build(['--locked', '--profile', 'big', 'adapter'])).code).toBe(0);
    expect((await p.build(['--locked', '--set', 'trainer.adapter.with.r=4', 'adapter'])).reasons).toEqual(['usage']);
  });

  test('that cannot write the file, or ask git, is a good build all the same', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(1) });
    p.write({ 'finetune.lock/in-the-way': '' });
    const wrong = await p.build();
    expect(wrong.code).toBe(2);
    expect(wrong.reasons).toEqual(['lock-corrupt']);
    p.write({ 'finetune.lock': null, '.git/HEAD': 'what?' });
    const built = await p.build();
    expect(built.code).toBe(0);
    expect(warnings(built)).toEqual([expect.stringMatching(/^finetune.lock is left as it was: git ls-files: /)]);
    const locked = await p.build(['--locked']);
    expect([locked.code, locked.reasons]).toEqual([2, ['git-failed']]);
  });

  test('keeps what another build at the same moment has pinned', async () => {
    const p = training();
    commitAll(p, 'first');
    // As in a hook of git, whose settings speak of another index.
    const env = { GIT_DIR: p.path('nowhere'), GIT_INDEX_FILE: p.path('nowhere') };
    const both = await Promise.all([p.build(['adapter'], { env }), p.build(['--profile', 'big', 'adapter'], { env })]);
    expect(both.map(b => b.code)).toEqual([0, 0]);
    expect(Object.keys(pins(p)).sort()).toEqual(['adapter', 'adapter big', 'base', 'base big']);
  });

  test('releases a node that is gone, and at last the file', async () => {
    const p = training();
    commitAll(p, 'first');
    await p.build();
    const recipe = p.read('finetune.yaml');
    p.write({ 'finetune.yaml': recipe.slice(0, recipe.indexOf('templates:')).replace(/^ {2}base:.*\n/m, '') });
    expect(locks(await p.build())).toMatchObject([{ pinned: [], released: ['adapter', 'base'] }]);
    expect(p.has(LOCK)).toBe(false);
  });
});

describe('a clone elsewhere', () => {
  test('with the same store comes to the same keys, and makes nothing', async () => {
    const p = training();
    commitAll(p, 'first');
    const built = await p.build();
    commitAll(p, 'lock');
    const clone = cloneOf(p);
    const again = await clone.build(['--locked'], { env: { FINETUNE_STORE: p.path('.finetune') } });
    expect(again.code).toBe(0);
    expect(again.summary.nodes.map(n => [n.state, n.key])).toEqual(built.summary.nodes.map(n => ['cached', n.key]));
    expect(git(clone, 'status', '--porcelain')).toBe('');
    expect(readFileSync(clone.path('out/adapter/adapter_model.safetensors'))).toEqual(
      readFileSync(p.path('out/adapter/adapter_model.safetensors')),
    );
  });

  test('with a store of its own makes the pinned result again, unless --locked', async () => {
    const p = training();
    commitAll(p, 'first');
    const built = await p.build();
    // What was trained there differs from what is trained here.
    const other = 'e'.repeat(64);
    const lock = p.read(LOCK);
    p.write({ [LOCK]: lock.replace(/(result\.adapter=)\w+/, `$1${other}`) });
    commitAll(p, 'lock');
    const clone = cloneOf(p);
    const locked = await clone.build(['--locked']);
    expect(locked.code).toBe(2);
    expect(locked.reasons).toEqual(['lock-missing-result']);
    expect(messages(locked)[0]).toMatch(/^adapter: the pinned result \(key \w{12}\) is not in this store$/);
    expect(clone.files('.finetune/packs')).toEqual([]);
    const plain = await clone.build();
    expect(plain.code).toBe(0);
    expect(plain.nodes.adapter).toMatchObject({ state: 'built', key: built.nodes.adapter!.key });
    expect(warnings(plain)).toEqual(['it has been made again under the same key, and is pinned anew in finetune.lock']);
    expect(pins(clone).adapter!['result.adapter']).not.toBe(other);
    expect((await clone.build(['--locked'])).code).toBe(0);
  });

  test('takes the pinned result, though its own is another', async () => {
    const p = training();
    commitAll(p, 'first');
    await p.build();
    const first = pins(p).adapter!;
    p.edit('finetune.yaml', 'seed: 1', 'seed: 2');
    const second = await p.build();
    // As if under this key the first adapter had been the one to count.
    p.write({ [LOCK]: p.read(LOCK).replaceAll(/(result\.\w+)=\w+/g, (_, pin) => `${pin}=${first[pin]}`) });
    const again = await p.build(['adapter']);
    expect(again.nodes.adapter).toMatchObject({ state: 'cached', key: second.nodes.adapter!.key });
    const done = again.events.find(e => e.type === 'done' && e.node === 'adapter');
    expect(done).toMatchObject({ outputs: { adapter: { digest: first['result.adapter'] } } });
    expect(locks(again)).toEqual([]);
  });
});

describe('--locked', () => {
  test('says what has drifted, before anything is run', async () => {
    const p = training();
    commitAll(p, 'first');
    await p.build();
    const packs = p.files('.finetune/packs');
    appendFileSync(p.path('model/config.json'), '\n');
    p.edit('finetune.yaml', '{ r: 1', '{ r: 3');
    const drifted = await p.build(['--locked']);
    expect(drifted.code).toBe(2);
    expect(drifted.events.map(e => e.type)).toEqual(['mistakes', 'summary']);
    expect(messages(drifted)).toEqual([
      expect.stringMatching(
        /^base: files of "path" have changed: 5 of \w{12}; 5 of \w{12} are pinned: config.json changed$/,
      ),
    ]);
    p.write({ 'model/config.json': readFileSync(p.path('model/config.json'), 'utf8').trimEnd() });
    cpSync(new URL('../../pipelines/models/tiny-chat/config.json', import.meta.url), p.path('model/config.json'));
    expect(messages(await p.build(['--locked']))).toEqual([
      expect.stringMatching(/^adapter: the result of key \w{12} is pinned, its key is now \w{12}: option r: 1 -> 3$/),
    ]);
    expect(p.files('.finetune/packs')).toEqual(packs);
    const { stderr } = await p.run(['build', '--locked']);
    expect(stderr).toContain('finetune.lock:3  lock-drift: adapter: ');
    expect(stderr).toContain(
      'if it is meant so, build without --locked (or run: finetune lock), and commit the lock file',
    );
  });

  test('trains nothing that is not pinned, nor what is no longer in the recipe', async () => {
    const p = training();
    commitAll(p, 'first');
    const bare = await p.build(['--locked']);
    expect(bare.code).toBe(2);
    expect(messages(bare)).toEqual([
      'base: files of "path" are not in git and not pinned',
      'adapter: no result of it is pinned',
    ]);
    await p.build();
    p.write({ [LOCK]: `${p.read(LOCK)}old files.path=${'a'.repeat(64)}/1\n` });
    expect(messages(await p.build(['--locked']))).toEqual(['the recipe has no node old']);
    expect((await p.build(['--locked', '--force', 'adapter'])).reasons).toEqual(['usage']);
  });

  test('of data that comes out otherwise fails at the training, not after it', async () => {
    const p = training();
    commitAll(p, 'first');
    await p.build();
    p.write({ 'rows.jsonl': questions(7) });
    const built = await p.build(['--locked']);
    // The key of the training follows from rows that had to be made first.
    expect(built.code).toBe(1);
    expect(built.states).toMatchObject({ chat: 'built', adapter: 'failed', loss: 'skipped' });
    expect(messages(built)[0]).toMatch(/^the lock file pins no result of adapter as it stands now \(key \w{12}\)$/);
  });
});

describe('finetune lock', () => {
  test('pins inputs without building, and results where the store has them', async () => {
    const p = training();
    commitAll(p, 'first');
    expect((await p.run(['lock'])).stdout).toBe(
      'pinned    base\nnot built adapter: the build that makes its result pins it\nwrote finetune.lock: 1 line\n',
    );
    await p.build();
    const text = p.read(LOCK);
    p.write({ [LOCK]: null });
    expect((await p.run(['lock'])).stdout).toBe('pinned    base\npinned    adapter\nwrote finetune.lock: 2 lines\n');
    expect(p.read(LOCK)).toBe(text);
    expect((await p.run(['lock'])).stdout).toBe('finetune.lock is up to date: 2 lines\n');
    expect(JSON.parse((await p.run(['lock', '--json'])).stdout)).toEqual({
      type: 'lock',
      path: LOCK,
      lines: 2,
      pinned: [],
      remade: [],
      released: [],
      unbuilt: [],
    });
  });

  test('of a recipe whose inputs git holds has nothing to pin', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(1) });
    commitAll(p, 'first');
    expect((await p.run(['lock'])).stdout).toBe('nothing to pin: git has it all\n');
    await p.build();
    expect(p.has(LOCK)).toBe(false);
  });
});

describe('a lock file', () => {
  test('that a merge has left in conflict stops a build at its line', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(1) });
    await p.build();
    p.write({ [LOCK]: `${p.read(LOCK)}<<<<<<< HEAD\n` });
    const { code, stderr } = await p.run(['build']);
    expect(code).toBe(2);
    expect(stderr).toContain('finetune.lock:4:1  lock-conflict: a merge has left a conflict here');
    expect((await p.run(['plan'])).code).toBe(2);
  });

  test('of two branches that git has merged line by line is put in order', async () => {
    const p = training();
    commitAll(p, 'first');
    await p.build();
    const ours = p
      .read(LOCK)
      .split('\n')
      .find(l => l.startsWith('adapter'))!;
    p.edit('finetune.yaml', '{ r: 1', '{ r: 3');
    await p.build();
    p.write({ [LOCK]: `${p.read(LOCK)}${ours}\n` });
    expect((await p.build(['--locked'])).code).toBe(0);
    expect(locks(await p.build())).toEqual([]);
    expect(p.read(LOCK)).not.toContain(ours);
  });
});
