/** The stage `command`: what a program finds around it, what becomes of what it writes, and how it fails and ends. */
import { chmodSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FailureError } from '../../../src/failure.ts';
import { type Files, type Here, type Project, project, until } from '../../rig/project.ts';
import { treeOf } from '../../rig/tree.ts';

const MODEL = fileURLToPath(new URL('../../../pipelines/models/tiny-chat', import.meta.url));

type Command = Record<string, unknown> & { readonly from?: unknown };

/** A recipe of commands, in JSON, which is YAML. */
const commands = (nodes: Readonly<Record<string, Command>>, files: Files = {}, sources = {}): Project =>
  project({
    'finetune.yaml': JSON.stringify({
      version: 1,
      sources,
      transforms: Object.fromEntries(
        Object.entries(nodes).map(([name, { from, ...options }]) => [
          name,
          { uses: 'command', ...(from === undefined ? {} : { from }), with: options },
        ]),
      ),
    }),
    ...files,
  });

const failures = (built: Here) =>
  Object.fromEntries(built.events.flatMap(e => (e.type === 'failed' ? [[e.node, e.failure]] : [])));

/** Text of the only file of a node's result. */
const made = async (p: Project, node: string): Promise<string> => Object.values(await treeOf(p, node)).join('');

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('what a command finds', () => {
  test('is a folder of its own with its files at their paths, and a clean environment', async () => {
    const p = commands(
      {
        seen: {
          run: 'find . -type f | sort > $OUT/files; env | sort > $OUT/env; ls -A "$HOME" > $OUT/home; pwd > $OUT/pwd; cat > $OUT/stdin',
          files: ['data/**/*.txt', 'run.sh'],
          env: { NUMBER: 3, LANG: 'C' },
        },
      },
      { 'data/a.txt': 'a', 'data/deep/b.txt': 'b', 'data/c.md': 'c', 'run.sh': '' },
    );
    process.env.FINETUNE_TEST_STRAY = 'stray';
    onTestFinished(() => void delete process.env.FINETUNE_TEST_STRAY);
    expect(await p.buildHere()).toMatchObject({ ok: true });
    const { files, env, home, pwd, stdin } = await treeOf(p, 'seen');
    expect(files).toBe('./data/a.txt\n./data/deep/b.txt\n./run.sh\n');
    expect(home).toBe('');
    expect(stdin).toBe('');
    const lines = Object.fromEntries(
      env!
        .trim()
        .split('\n')
        .map(line => line.split(/=(.*)/s)),
    );
    expect(Object.keys(lines).sort()).toEqual(['HOME', 'LANG', 'NUMBER', 'OUT', 'PATH', 'PWD', 'TZ']);
    expect(lines).toMatchObject({ LANG: 'C', TZ: 'UTC', NUMBER: '3', PATH: process.env.PATH, PWD: pwd!.trim() });
    expect(existsSync(pwd!.trim())).toBe(false);
  });

  test('has files above the recipe at the same distance', async () => {
    const p = commands(
      { up: { run: 'cat ../shared/a.txt here.txt > $OUT/all', files: ['../shared/*.txt', 'here.txt'] } },
      {},
    );
    p.write({ 'recipes/finetune.yaml': p.read('finetune.yaml'), 'recipes/here.txt': 'here', 'shared/a.txt': 'above ' });
    const built = await p.build(['-r', 'recipes/finetune.yaml']);
    expect(built.reasons).toEqual([]);
    const show = await p.run(['show', 'up', '--json', '-r', 'recipes/finetune.yaml']);
    expect(JSON.parse(show.stdout)).toMatchObject({ file: 'all', size: 10 });
  });

  test('is its own: the originals stay as they are, whatever it does to them', async () => {
    const p = commands(
      {
        spoil: {
          run: 'echo more >> data.txt; chmod 600 tool; ./tool; cat data.txt > $OUT/all',
          files: ['data.txt', 'tool'],
        },
      },
      { 'data.txt': 'data\n', tool: '#!/bin/sh\n' },
    );
    chmodSync(p.path('tool'), 0o755);
    p.edit('finetune.yaml', 'chmod 600 tool; ./tool', './tool; rm tool');
    expect(await p.buildHere()).toMatchObject({ ok: true });
    expect(await made(p, 'spoil')).toBe('data\nmore\n');
    expect([p.read('data.txt'), p.has('tool')]).toEqual(['data\n', true]);
    expect((await p.buildHere()).states).toEqual({ spoil: 'cached' });
  });

  test('are the results of other nodes, of any type, under names of its own choosing', async () => {
    const p = commands(
      {
        files: { run: 'mkdir $OUT/sub; echo one > $OUT/sub/1.txt' },
        rows: { run: 'printf \'{"q":"a"}\\n{"q":"b"}\\n\' > $OUT', output: 'rows' },
        numbers: { run: 'echo \'{"n": 2}\' > $OUT', output: 'metrics' },
        all: {
          from: { 'some-files': 'files', rows: 'rows', n: 'numbers', page: 'docs', m: 'base' },
          run: 'cat $IN_some_files/sub/1.txt $IN_rows/rows.jsonl $IN_n/metrics.json $IN_page/rows.jsonl > $OUT/all; ls $IN_m > $OUT/model; echo "[$IN]" > $OUT/in',
        },
        one: { from: 'rows', run: 'cat $IN/rows.jsonl > $OUT/all' },
      },
      { 'docs/a.md': 'text\n' },
      { docs: { uses: 'files', with: { paths: 'docs/*.md' } }, base: { uses: 'model', with: { path: MODEL } } },
    );
    expect(failures(await p.buildHere())).toEqual({});
    const all = await treeOf(p, 'all');
    expect(all.all).toBe('one\n{"q":"a"}\n{"q":"b"}\n{"n":2}\n{"path":"docs/a.md","text":"text\\n"}\n');
    expect(all.in).toBe('[]\n');
    expect(all.model).toContain('config.json\n');
    expect(await made(p, 'one')).toBe('{"q":"a"}\n{"q":"b"}\n');
  });

  test('is in the key: files, variables and inputs, but not where anything lies', async () => {
    const recipe = { list: { run: 'cat *.txt > $OUT/all', files: '*.txt', env: { A: 1 } } };
    const p = commands(recipe, { 'a.txt': 'a' });
    const elsewhere = commands(recipe, { 'a.txt': 'a' });
    const key = async (of: Project) => (await of.buildHere()).nodes.list!.key;
    const before = await key(p);
    expect(await key(elsewhere)).toBe(before);
    p.write({ 'a.txt': 'b' });
    expect(await key(p)).not.toBe(before);
    p.write({ 'a.txt': 'a', 'b.txt': '' });
    expect(await key(p)).not.toBe(before);
    p.write({ 'b.txt': null });
    expect(await key(p)).toBe(before);
    p.edit('finetune.yaml', '"A":1', '"A":2');
    expect(await key(p)).not.toBe(before);
  });
});

describe('what it runs', () => {
  test('is a line for sh, or a program with its arguments as they stand', async () => {
    const p = commands(
      {
        line: { run: `echo "a  b" 'c'"'" $((1 + 1)) | tr a-c A-C > $OUT/x` },
        list: { run: ['sh', '-c', 'printf "%s," "$0" "$@" > $OUT/x', "it's", '$HOME', 'a b', '', '\n*'] },
        own: { run: ['./tool', 'x'], files: 'tool' },
      },
      { tool: '#!/bin/sh\necho "$1" > $OUT/x\n' },
    );
    chmodSync(p.path('tool'), 0o755);
    expect(failures(await p.buildHere())).toEqual({});
    expect(await made(p, 'line')).toBe("A  B C' 2\n");
    expect(await made(p, 'list')).toBe("it's,$HOME,a b,,\n*,");
    expect(await made(p, 'own')).toBe('x\n');
  });

  test('ends at the first of several lines that fails', async () => {
    const p = commands({
      lines: { run: 'echo 1 > $OUT/a\nfalse\necho 2 > $OUT/b\n' },
      line: { run: 'false; echo 2 > $OUT/b' },
    });
    const built = await p.buildHere({ keepGoing: true });
    expect(built.states).toEqual({ lines: 'failed', line: 'built' });
  });

  test('may say things in any way, live, into its log', async () => {
    const p = commands({
      talk: {
        run: 'echo out; echo err >&2; echo name > /dev/stderr; printf "no end"; echo x > $OUT/x; while [ ! -e "$GO" ]; do sleep 0.02; done',
      },
    });
    p.edit('finetune.yaml', '"run":', `"env":{"GO":${JSON.stringify(p.path('go'))}},"run":`);
    const running = p.startBuild();
    const log = '.finetune/logs/talk.log';
    await until('its words', () => ['out', 'err', 'name'].every(w => p.has(log) && p.read(log).includes(`\n${w}\n`)));
    p.write({ go: '' });
    expect((await running.built).reasons).toEqual([]);
    const lines = p.read(log).trim().split('\n');
    expect(lines[0]).toMatch(/^\$ echo out;/);
    expect(lines.slice(1).sort()).toEqual(['err', 'name', 'no end', 'out']);
  });
});

describe('its result', () => {
  const rows = (text: string, more: object = {}) =>
    commands({ rows: { run: ['sh', '-c', 'printf "%s" "$0" > $OUT', text], output: 'rows', mostly: 0, ...more } });

  test('as rows are named by their content, with bad lines as rejects', async () => {
    const p = rows('{"q":"a"}\n\n{"q":"b"}\n[1]\n{"q":\n{"q":"a"}');
    expect(failures(await p.buildHere())).toEqual({});
    const found = await p.rows('rows');
    expect(found.map(r => r.fields)).toEqual([{ q: 'a' }, { q: 'b' }, { q: 'a' }]);
    expect(found[2]!.id).toBe(`${found[0]!.id}~2`);
    expect((await p.rows('rows', 'rejects')).map(r => [r.id, r.fields.line, r.fields.text])).toEqual([
      ['$OUT:4', 4, '[1]'],
      ['$OUT:5', 5, '{"q":'],
    ]);
    const strict = rows('{"q":"a"}\nno', { mostly: 1 });
    expect(failures(await strict.buildHere()).rows?.reason).toBe('rejects');
  });

  test('as rows may be named by a field', async () => {
    const p = rows('{"sku":"x"}\n{"sku":7}\n{"no":1}\n', { key: 'sku' });
    await p.buildHere();
    expect((await p.rows('rows')).map(r => r.id)).toEqual(['x', '7']);
    expect((await p.rows('rows', 'rejects'))[0]!.fields.reason).toMatch(/names no row/);
    const twice = rows('{"sku":"x"}\n{"sku":"y"}\n{"sku":"x"}\n', { key: 'sku' });
    expect(failures(await twice.buildHere()).rows).toMatchObject({
      reason: 'duplicate-key',
      message: 'sku "x" stands in two lines of $OUT, 1 and 3',
    });
  });

  test('as rows may keep the ids that it was given', async () => {
    const p = commands(
      {
        some: { from: 'docs', run: 'grep -v b.md $IN/rows.jsonl > $OUT', output: 'rows', ids: true },
        none: { from: 'docs', run: 'echo \'{"fields":{}}\' > $OUT', output: 'rows', ids: true, mostly: 0 },
      },
      { 'docs/a.md': 'a', 'docs/b.md': 'b', 'docs/c.md': 'c' },
      { docs: { uses: 'files', with: { paths: 'docs/*.md' } } },
    );
    const built = await p.buildHere({ keepGoing: true });
    expect(await p.rows('some')).toEqual((await p.rows('docs')).filter(r => r.id !== 'docs/b.md'));
    expect(failures(built).none?.message).toMatch(/a line has an "id"/);
  });

  test('as metrics is one object', async () => {
    const p = commands({
      good: { run: 'echo \'{"accuracy": 0.5}\' > $OUT', output: 'metrics' },
      bad: { run: 'echo 3 > $OUT', output: 'metrics' },
    });
    const built = await p.buildHere({ keepGoing: true });
    expect(built.events.find(e => e.type === 'done' && e.node === 'good')).toMatchObject({
      metrics: { accuracy: 0.5 },
    });
    expect(failures(built).bad?.reason).toBe('bad-output');
  });

  test('as files holds what links in it name, as long as that is its own', async () => {
    const p = commands(
      {
        inside: {
          run: 'echo x > $OUT/a; ln -s a $OUT/b; ln -s "$PWD/data.txt" $OUT/c; mkdir d; echo y > d/e; ln -s "$PWD/d" $OUT/d',
          files: 'data.txt',
        },
        outside: { run: 'ln -s /etc/passwd $OUT/a' },
        dangling: { run: 'ln -s nowhere $OUT/a' },
        pipe: { run: 'mkfifo $OUT/a' },
      },
      { 'data.txt': 'data' },
    );
    const built = await p.buildHere({ keepGoing: true });
    expect(await treeOf(p, 'inside')).toEqual({ a: 'x\n', b: 'x\n', c: 'data', 'd/e': 'y\n' });
    expect(Object.values(failures(built)).map(f => [f.reason, f.message])).toEqual(
      expect.arrayContaining([
        ['bad-output', 'the command made $OUT/a, a link out of its folder to /etc/passwd'],
        ['bad-output', 'the command made $OUT/a, a link to something that is not there'],
        ['bad-output', 'the command made $OUT/a, which is neither a file nor a folder'],
      ]),
    );
  });

  test('is not looked for behind a link in its place, and nothing there is cleared away', async () => {
    const precious = project({ 'keep.txt': 'kept' });
    const p = commands({ moved: { run: `rmdir $OUT; ln -s ${precious.folder} $OUT; echo result > $OUT/result.txt` } });
    expect(failures(await p.buildHere({ keepGoing: true })).moved).toMatchObject({ reason: 'bad-output' });
    expect(precious.read('keep.txt')).toBe('kept');
  });

  test('has nothing of what a command before left running', async () => {
    const late = ['$OUT/late', 'late', '$HOME/late'].map(at => `echo late > ${at}`).join('; ');
    const p = commands({
      first: {
        run: `(trap '' TERM; sleep 0.3; ${late}) > /dev/null 2>&1 & setsid sh -c 'sleep 0.3; ${late}' > /dev/null 2>&1 & echo a > $OUT/a`,
      },
      second: { from: 'first', run: 'sleep 0.8; ls -A . $HOME $OUT > found; cp found $OUT/found' },
    });
    await p.buildHere({ jobs: 1 });
    expect((await treeOf(p, 'second')).found).not.toContain('late');
  });

  test('with a name that is not UTF-8 is told', async () => {
    const p = commands({ odd: { run: 'printf x > "$OUT/$(printf \'b\\377\')"' } });
    expect(failures(await p.buildHere({ keepGoing: true })).odd).toMatchObject({
      reason: 'bad-output',
      message: expect.stringContaining('not UTF-8'),
    });
  });

  test('that is missing is told', async () => {
    const p = commands({
      files: { run: 'mkdir $OUT/empty' },
      rows: { run: 'true', output: 'rows' },
      removed: { run: 'rmdir $OUT; echo x > $OUT' },
    });
    const all = failures(await p.buildHere({ keepGoing: true }));
    expect(all.files).toMatchObject({ reason: 'no-output', advice: expect.stringContaining('$OUT/name') });
    expect(all.rows).toMatchObject({ reason: 'no-output', advice: expect.stringContaining('> $OUT') });
    expect(all.removed).toMatchObject({ reason: 'bad-output' });
  });
});

describe('a command that fails', () => {
  test('says how, in its own last words, and what may help', async () => {
    const p = commands({
      code: { run: 'seq 20 >&2; exit 3' },
      quiet: { run: 'echo only this; exit 200' },
      unknown: { run: ['no-such-program'] },
      undeclared: { run: 'cat data.txt > $OUT/x' },
      signal: { run: 'kill -SEGV $$' },
      syntax: { run: 'if' },
      folder: { run: 'echo x > $OUT' },
      killed: { run: 'kill -9 $PPID; sleep 60' },
      group: { run: 'kill -TERM 0; sleep 60' },
    });
    const built = await p.buildHere({ keepGoing: true, jobs: 2 });
    const all = failures(built);
    expect(all.code!.message).toBe(
      `the command ended with code 3${[13, 14, 15, 16, 17, 18, 19, 20].map(n => `\n  ${n}`).join('')}`,
    );
    expect(all.quiet!.message).toBe('the command ended with code 200\n  only this');
    expect(all.unknown!.message).toMatch(/^the command ended with code 127\n.*no-such-program/);
    expect(all.unknown!.advice).toMatch(/PATH/);
    expect(all.undeclared!.advice).toMatch(/`files`/);
    expect(all.signal!.message).toMatch(/^the command was ended by SIGSEGV/);
    expect(all.syntax!.message).toMatch(/^the command ended with code 2\n/);
    expect(all.folder!.advice).toMatch(/folder/);
    expect(all.killed!.message).toMatch(/^the command was ended/);
    expect(all.group!.message).toMatch(/^the command was ended/);
    expect(built.events.find(e => e.type === 'failed' && e.node === 'code')).toMatchObject({
      log: expect.stringContaining('.finetune/logs/code.log'),
    });
    expect(p.read('.finetune/logs/code.log')).toMatch(/^\$ seq 20 >&2; exit 3\n1\n2\n/);
  });

  test('leaves nothing in the store’s folders, and neither does one that ends well', async () => {
    const p = commands({ bad: { run: 'echo x > y; false' }, good: { run: 'echo x > $OUT/y' } });
    await p.buildHere({ keepGoing: true });
    // A thread removes them, while the next node runs.
    const left = () => [...p.files('.finetune/work'), ...p.files('.finetune/scratch')];
    await until('nothing to be left', () => left().length === 0);
  });

  test('and its secrets stay where they are', async () => {
    const p = commands({
      good: { run: 'echo "token $TOKEN"; echo done > $OUT/x', env: { TOKEN: '${env:MY_TOKEN}' } },
      bad: { run: 'echo "token $TOKEN" >&2; exit 1', env: { TOKEN: '${env:MY_TOKEN}' } },
    });
    const secret = 'sesame-4711-open';
    const built = await p.build(['-k'], { env: { MY_TOKEN: secret } });
    expect(built.states).toEqual({ good: 'built', bad: 'failed' });
    expect(`${built.stdout}${built.stderr}`).not.toContain(secret);
    expect(p.read('.finetune/logs/good.log')).toContain('token ***');
    for (const file of p.files('.finetune')) expect(p.read(file), file).not.toContain(secret);
    expect((await p.build(['good'], { env: { MY_TOKEN: 'another-secret' } })).states).toEqual({ good: 'cached' });
  });
});

describe('what a command starts', () => {
  const WAIT = 'echo $$ > $AT/pid; touch $AT/arrived; while :; do sleep 0.05; done';
  const waiting = (run: string): Project => {
    const p = commands({ wait: { run, env: { AT: '' } } });
    p.edit('finetune.yaml', '"AT":""', `"AT":${JSON.stringify(p.folder)}`);
    return p;
  };
  const pid = (p: Project) => Number(p.read('pid'));

  test('in the background ends with it', async () => {
    const p = waiting(
      '(echo $$ > $AT/own; exec sh -c "echo \\$\\$ > $AT/pid; sleep 60") & while [ ! -s $AT/pid ]; do sleep 0.02; done; echo x > $OUT/x',
    );
    expect(await p.buildHere()).toMatchObject({ ok: true });
    await until('its end', () => !isAlive(pid(p)));
  });

  test('is told to end by an interrupt, and may finish what it does', async () => {
    const p = waiting(`trap 'touch $AT/saved; exit 1' TERM; ${WAIT}`);
    const running = p.startBuild();
    await until('the command', () => p.has('arrived'));
    running.kill('SIGINT');
    const built = await running.built;
    expect(built).toMatchObject({ code: 130, states: { wait: 'interrupted' }, stderr: '' });
    expect(p.has('saved')).toBe(true);
    await until('its end', () => !isAlive(pid(p)));
  });

  test('ends when the build is killed', async () => {
    const p = waiting(WAIT);
    const running = p.start(['build']);
    await until('the command', () => p.has('arrived'));
    running.kill('SIGKILL');
    await running.done;
    await until('its end', () => !isAlive(pid(p)));
    p.edit('finetune.yaml', 'while :', 'echo x > $OUT/x; while false');
    expect((await p.build()).states).toEqual({ wait: 'built' });
  });
});

describe('in a recipe', () => {
  const mistakes = async (p: Project): Promise<readonly string[]> => {
    try {
      (await p.open()).close();
      return [];
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      return error.failures.map(f => `${f.reason}: ${f.message}`);
    }
  };

  test('names of inputs and of variables are checked, and options that do not go together', async () => {
    const p = commands({
      a: { run: 'true', from: { 'x-y': 'c', x_y: 'c', 'X!': 'c', gone: 'nothing' } },
      b: { run: 'true', env: { 'a-b': '1', IN_x: '1' } },
      c: { run: 'true', key: 'q' },
      d: { run: 'true', output: 'rows', key: 'q', ids: true, mostly: 0.5 },
      e: { run: 'true', mostly: 0.5 },
      f: { run: [], output: 'tree' },
      g: { run: 'true', from: ['c', 'd'] },
    });
    expect(await mistakes(p)).toMatchInlineSnapshot(`
      [
        "invalid-name: "x-y" and "x_y" would both be IN_x_y in the environment",
        "invalid-name: "X!" is not a name: small letters, digits, "_" and "-", a letter first",
        "unknown-reference: there is no node "nothing"; there is a, b, c, d, e, f, g",
        "invalid-option: env cannot hold "a-b"",
        "invalid-option: env cannot hold "IN_x"",
        "invalid-option: command needs "output"",
        "invalid-option: command takes key or ids, not both",
        "unknown-key: "mostly" is not an option of command; there is run, files, env, output, key, ids",
        "invalid-option: run is []; it must be text, or a list",
        "invalid-option: output is "tree"; it must be one of "files", "rows", "metrics"",
        "wrong-type: a reference is the name of a node, or node.output; this input takes no list",
      ]
    `);
  });

  test('its result has the type that its options say', async () => {
    const p = project({
      'finetune.yaml': `version: 1
sources:
  rows: { uses: command, with: { run: "true", output: rows } }
  files: { uses: command, with: { run: "true" } }
transforms:
  one: { uses: sentences, from: rows }
  two: { uses: sentences, from: rows.rejects }
  three: { uses: sentences, from: files }
  four: { uses: command, from: files.rows, with: { run: "true" } }
`,
    });
    expect(await mistakes(p)).toMatchInlineSnapshot(`
      [
        "wrong-type: files is a folder of files, but this input takes rows",
        "unknown-output: files has no output "rows"; there is files",
      ]
    `);
  });
});
