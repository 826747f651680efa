/** The user's own stages run in processes of their own: whatever their code does, it does it to its node only. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BuildEvent } from '../../src/events.ts';
import { FailureError } from '../../src/failure.ts';
import { type Files, type Project, project, until } from '../rig/project.ts';

const DOCS = { 'docs/a.md': 'one\n', 'docs/b.md': 'two\n' };

/** A project with a node for each stage. */
const stages = (
  code: Readonly<Record<string, string>>,
  files: Files = {},
  options: Record<string, string> = {},
): Project =>
  project({
    'finetune.yaml': `version: 1
sources:
  docs: { uses: files, with: { paths: "docs/*.md" } }
transforms:
${Object.keys(code)
  .map(name => `  ${name}: { uses: ./${name}.ts, from: docs${options[name] ? `, with: ${options[name]}` : ''} }\n`)
  .join('')}`,
    ...DOCS,
    ...Object.fromEntries(Object.entries(code).map(([name, text]) => [`${name}.ts`, text])),
    ...files,
  });

const rows = (body: string): string => `export const kind = 'rows';\nexport default (fields: object) => { ${body} };\n`;
const failures = (events: readonly BuildEvent[]) =>
  Object.fromEntries(events.flatMap(e => (e.type === 'failed' ? [[e.node, e.failure]] : [])));
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a stage of the user’s own', () => {
  test('finds a fresh folder, an empty home and a clean environment', async () => {
    const p = stages({
      mine: `import { readdirSync } from 'node:fs';
export const kind = 'rows';
export default () => ({ env: { ...process.env }, here: readdirSync('.'), home: readdirSync(process.env.HOME!), cwd: process.cwd() });
`,
    });
    process.env.FINETUNE_TEST_STRAY = 'stray';
    onTestFinished(() => void delete process.env.FINETUNE_TEST_STRAY);
    expect(failures((await p.buildHere()).events)).toEqual({});
    const [row] = await p.rows('mine');
    const { env, here, home, cwd } = row!.fields as { env: Record<string, string>; here: []; home: []; cwd: string };
    expect(Object.keys(env).sort()).toEqual(['HOME', 'LANG', 'PATH', 'PWD', 'TZ']);
    expect(env).toMatchObject({ LANG: 'C.UTF-8', TZ: 'UTC', PATH: process.env.PATH });
    expect([here, home]).toEqual([[], []]);
    expect(cwd).not.toBe(process.cwd());
    expect(p.files('.finetune/work')).toEqual([]);
  });

  test('has the files that its options declare, and the variables that the recipe says', async () => {
    const p = stages(
      {
        mine: `import { readFileSync } from 'node:fs';
export const kind = 'rows';
export const options = { type: 'object', additionalProperties: false, properties: { words: { type: 'string', file: true } } };
export default (f: object, { options }: { options: { words: string } }) =>
  ({ words: readFileSync(options.words, 'utf8'), a: process.env.A!, secret: process.env.TOKEN!.length });
`,
      },
      { 'lists/words.txt': 'some words' },
      { mine: '{ words: lists/words.txt, env: { A: 1, TOKEN: "${env:MY_TOKEN}" } }' },
    );
    const built = await p.build([], { env: { MY_TOKEN: 'sesame-4711' } });
    expect(built.reasons).toEqual([]);
    expect((await p.rows('mine'))[0]!.fields).toEqual({ words: 'some words', a: '1', secret: 11 });
    for (const file of p.files('.finetune')) expect(p.read(file), file).not.toContain('sesame-4711');
    p.write({ 'lists/words.txt': 'other words' });
    expect((await p.build([], { env: { MY_TOKEN: 'another' } })).states).toEqual({ docs: 'cached', mine: 'built' });
    expect((await p.build([], { env: { MY_TOKEN: 'third' } })).states).toEqual({ docs: 'cached', mine: 'cached' });
    p.edit('finetune.yaml', 'A: 1', 'A: 2');
    expect((await p.build([], { env: { MY_TOKEN: 'third' } })).states).toEqual({ docs: 'cached', mine: 'built' });
  });

  test('fails alone, whatever it does', async () => {
    const p = stages({
      exits: rows('process.exit(3)'),
      aborts: rows('process.abort()'),
      kills: rows("process.kill(process.pid, 'SIGKILL')"),
      throws: rows("setTimeout(() => { throw new TypeError('out of the blue') }); return new Promise(() => {})"),
      rejects: rows("Promise.reject(new Error('nobody listens')); return new Promise(() => {})"),
      moves: rows("process.chdir('/'); process.env.PATH = ''; process.title = 'x'; return fields"),
      listens: rows(
        "process.on('message', () => { throw new Error('mine') }); return { ...fields, send: typeof process.send }",
      ),
      talks: rows("console.log('said'); process.stderr.write('half'); return fields"),
    });
    const built = await p.build(['-k', '-j', '2']);
    expect(built.states).toEqual({
      ...{ docs: 'built', exits: 'failed', aborts: 'failed', kills: 'failed', throws: 'failed', rejects: 'failed' },
      ...{ moves: 'built', listens: 'built', talks: 'built' },
    });
    const all = failures(built.events);
    const said = (node: string) => [all[node]!.reason, all[node]!.message];
    expect(said('exits')).toEqual(['stage-crashed', './exits.ts broke: its process ended (code 3)']);
    expect(said('aborts')).toEqual(['stage-crashed', './aborts.ts broke: its process was ended by SIGABRT']);
    expect(said('kills')).toEqual(['stage-crashed', './kills.ts broke: its process was ended by SIGKILL']);
    expect(said('throws')[1]).toBe('./throws.ts broke: its process ended (code 1): TypeError: out of the blue');
    expect(said('rejects')[1]).toBe('./rejects.ts broke: its process ended (code 1): Error: nobody listens');
    expect(p.read('.finetune/logs/throws.log')).toMatch(/throws\.ts/);
    expect(p.read('.finetune/logs/talks.log')).toMatch(/^said\n/);
    expect((await p.rows('listens'))[0]!.fields.send).toBe('undefined');
  });

  test('that breaks while it is loaded is a mistake of the recipe, not an end of the build', async () => {
    const top = (text: string): string => `${text}\nexport default () => [];\n`;
    const p = stages({
      exits: top('process.exit(4);'),
      throws: top("throw new Error('no luck');"),
      fine: top("process.chdir('/');"),
    });
    const mistakes = await p.open().then(
      () => [],
      (error: FailureError) => error.failures.map(f => f.message),
    );
    expect(mistakes).toEqual([
      './exits.ts cannot be used: it exits (code 4) while it is imported',
      './throws.ts cannot be used: no luck',
    ]);
    const own = stages({ mine: `export const options = { properties: { env: {} } };\nexport default () => [];\n` });
    await expect(own.open()).rejects.toThrow(FailureError);
  });

  test('of any kind gives the same rows from one process as from several', async () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`docs/${i}.md`, `text ${i}\n`]));
    const code = {
      each: rows('return { ...fields, seen: true }'),
      whole:
        'export default async function* (rows: AsyncIterable<{ fields: object }>) { for await (const r of rows) yield r.fields; }\n',
      group: "export const kind = 'group';\nexport default (rows: { fields: object }[]) => rows.map(r => r.fields);\n",
    };
    const [one, two] = [stages(code, many), stages(code, many)];
    const a = await one.buildHere({ jobs: 1 });
    const b = await two.buildHere({ jobs: 3 });
    expect(failures(a.events)).toEqual({});
    expect(b.digests).toEqual(a.digests);
  });

  test('ends with all that it has started, by an interrupt and when the build is killed', async () => {
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const p = stages({
        waits: `import { spawn } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
export const kind = 'rows';
export default () => {
  const child = spawn('sleep', ['60']);
  appendFileSync(new URL('pids', import.meta.url), child.pid + ' ' + process.pid + '\\n');
  writeFileSync(new URL('arrived', import.meta.url), '');
  for (;;);
};
`,
      });
      const running = p.start(['build', '-j', '1']);
      await until('the stage', () => p.has('arrived'));
      running.kill(signal);
      expect((await running.done).code).toBe(signal === 'SIGINT' ? 130 : null);
      const pids = p.read('pids').trim().split(/\s/).map(Number);
      await until('the end of all', () => !pids.some(isAlive));
    }
  });
});
