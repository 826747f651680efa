import { execFileSync } from 'node:child_process';
import { describe, expect, test, vi } from 'vitest';
import { redactor } from '../../src/views/redact.ts';
import { openView } from '../../src/views/view.ts';
import { allCached, build, done, failed, LOSS_METRICS, summary } from './builds.ts';
import { Collected, Terminal } from './streams.ts';

const open = (terminal = new Terminal(), env: Record<string, string> = { TERM: 'xterm' }) => ({
  terminal,
  view: openView({ mode: 'auto', stdout: terminal, stderr: terminal, env, redact: redactor(['hunter22']) }),
});

const shows = (terminal: Terminal, text: string | RegExp) =>
  vi.waitFor(() => expect(terminal.screen).toMatch(text), { timeout: 5000, interval: 10 });

describe('the live view', () => {
  test('shows nodes in the order of the recipe and ends in the table alone', async () => {
    const { terminal, view } = open();
    const names = ['docs', 'text', 'adapter', 'loss'];
    view.emit(build(...names));
    const events = [
      done('docs', 'cached', { rows: 12, computed: 0 }),
      done('adapter', 'built', { seconds: 3, out: 'out/adapter' }),
      done('text', 'built', { rows: 5, computed: 5, seconds: 0.1 }),
      done('loss', 'built', { seconds: 0.4, metrics: LOSS_METRICS }),
    ] as const;
    view.emit(events[0]);
    view.emit({ type: 'start', node: 'adapter', why: 'never built' });
    view.emit({ type: 'start', node: 'text', why: 'input docs changed, hunter22' });
    view.emit({ type: 'progress', node: 'adapter', done: 30, total: 120, unit: 'steps' });
    view.emit({ type: 'measure', node: 'adapter', values: { loss: 3.2141 } });
    await shows(
      terminal,
      /docs +cached {2}12 rows\n.*text +input docs changed, \*\*\*\n.*adapter +━{5}─{15} {2}30\/120 steps {2}loss 3\.214\n· loss\n/,
    );
    for (const event of events.slice(1)) view.emit(event);
    const last = summary(events, 3.5);
    view.emit({ ...last, nodes: names.map(name => last.nodes.find(n => n.name === name)!) });
    await view.close();
    expect(terminal.screen).toMatch(
      /^node +state +rows +time\ndocs .*\ntext .*\nadapter .*\nloss .*\n\nadapter {2}out\/adapter\nloss {5}4\.213 .*\n {9}rows 61, tokens 2,310\n\ndone: /,
    );
    expect(terminal.cursorShown).toBe(true);
  });

  test('a failure stands above the list at once, and stays', async () => {
    const { terminal, view } = open();
    view.emit(build('pairs', 'text'));
    view.emit({ type: 'start', node: 'pairs', why: '' });
    view.emit({ type: 'start', node: 'text', why: '' });
    await shows(terminal, /text/);
    view.emit(failed('pairs', { log: 'pairs.log' }));
    await shows(
      terminal,
      /^pairs failed\nfinetune\.yaml:14:12 {2}rejects: [\s\S]*log: pairs\.log\n\n✖ pairs[\s\S]*text/,
    );
    await view.close();
    expect(terminal.screen).toMatch(/^pairs failed\n[\s\S]*log: pairs\.log$/);
  });

  test('makes way for a question, with the cursor, and comes back after the answer', async () => {
    const { terminal, view } = open();
    view.emit(build('text', 'adapter'));
    view.emit({ type: 'start', node: 'text', why: '' });
    await shows(terminal, /text/);
    const resume = view.pause();
    expect(terminal).toMatchObject({ screen: '', cursorShown: true });
    terminal.write('again? ');
    view.emit({ type: 'start', node: 'adapter', why: '' });
    terminal.write('y\n');
    resume();
    await shows(terminal, /^again\? y\n.*text\n.*adapter/);
    expect(terminal.cursorShown).toBe(false);
    await view.close();
    expect(terminal).toMatchObject({ screen: 'again? y', cursorShown: true });
  });

  test('is not drawn while a question stands that came before it', async () => {
    const { terminal, view } = open();
    view.emit(build('text'));
    const resume = view.pause();
    view.emit({ type: 'start', node: 'text', why: '' });
    terminal.write('again? y\n');
    await import('listr2');
    await new Promise(setImmediate);
    expect(terminal.screen).toBe('again? y');
    resume();
    await shows(terminal, /^again\? y\n.*text/);
    await view.close();
  });

  test('a thousand nodes never take more than the screen', async () => {
    const { terminal, view } = open(new Terminal(60, 12));
    const names = Array.from({ length: 1000 }, (_, i) => `a-node-with-a-rather-long-name-${i}`);
    view.emit(build(...names));
    for (const name of names.slice(0, 700)) view.emit(done(name, 'cached'));
    for (const name of names.slice(700)) view.emit({ type: 'start', node: name, why: '' });
    await shows(terminal, /700 of 1,000 nodes {2}700 cached {2}291 more running/);
    expect(terminal.screen.split('\n').length).toBeLessThan(12);
    await view.close();
    expect(terminal).toMatchObject({ screen: '', wrapped: false });
  });

  test('a resized terminal keeps one list, without leftovers', async () => {
    const { terminal, view } = open(new Terminal(120, 30));
    view.emit(build('text', 'adapter'));
    view.emit({ type: 'start', node: 'text', why: 'w'.repeat(200) });
    view.emit({ type: 'start', node: 'adapter', why: '' });
    await shows(terminal, /adapter/);
    for (const columns of [50, 30, 100, 200, 41]) {
      terminal.resize(columns);
      expect(terminal.screen.match(/text {2,}/g)).toHaveLength(1);
      expect(terminal.screen.split('\n')).toHaveLength(3);
    }
    await view.close();
    expect(terminal).toMatchObject({ screen: '', wrapped: false });
  });

  test('what others print meanwhile does not tear the list and is not lost', async () => {
    const { terminal, view } = open();
    view.emit(build('text'));
    view.emit({ type: 'start', node: 'text', why: '' });
    await shows(terminal, /text/);
    terminal.write('printed by a stage\n');
    expect(terminal.screen).not.toContain('printed');
    await view.close();
    expect(terminal.screen).toBe('printed by a stage');
  });

  test('fast events are drawn a few times only', async () => {
    const { terminal, view } = open();
    view.emit(build('text'));
    view.emit({ type: 'start', node: 'text', why: '' });
    await shows(terminal, /text/);
    const before = terminal.raw.length;
    for (let i = 0; i < 100_000; i++)
      view.emit({ type: 'progress', node: 'text', done: i, total: 100_000, unit: 'rows' });
    expect(terminal.raw.length - before).toBeLessThan(2000);
    await view.close();
  });

  test('signals stay with the command', async () => {
    const count = () => ['SIGINT', 'SIGTERM', 'SIGHUP'].map(signal => process.listenerCount(signal));
    const before = count();
    const { terminal, view } = open();
    view.emit(build('text'));
    view.emit({ type: 'start', node: 'text', why: '' });
    await shows(terminal, /text/);
    expect(count()).toEqual(before);
    await view.close();
  });

  test('a build without work draws no list', async () => {
    const { terminal, view } = open();
    for (const event of [...allCached, summary(allCached, 0.2)]) view.emit(event);
    await view.close();
    expect(terminal.screen).toMatch(/^5 nodes cached, 0\.20 s\n/);
    expect(terminal.raw).not.toMatch(/\x1b\[\?25l/);
  });

  test('listr2 is loaded by the first node that starts, not before', () => {
    const script = `
      import { registerHooks } from 'node:module';
      import { PassThrough } from 'node:stream';
      const seen = [];
      registerHooks({ resolve: (name, context, next) => (seen.push(name), next(name, context)) });
      const { openView } = await import('./src/views/view.ts');
      const stdout = Object.assign(new PassThrough().resume(), { isTTY: true });
      const view = openView({ mode: 'auto', stdout, stderr: stdout, env: { TERM: 'xterm' } });
      view.emit({ type: 'build', recipe: 'r', name: 'n', jobs: 1, nodes: [{ name: 'a', section: 's', stage: 's' }] });
      const before = seen.includes('listr2');
      view.emit({ type: 'start', node: 'a', why: '' });
      await new Promise(setImmediate);
      await view.close();
      console.log(before, seen.includes('listr2'));`;
    const run = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(run).toBe('false true\n');
  });

  test.each([
    [{ TERM: 'xterm' }, true],
    [{ TERM: 'xterm', CI: 'false' }, true],
    [{ TERM: 'xterm', CI: '1' }, false],
    [{ TERM: 'dumb' }, false],
    [{ TERM: 'xterm', NO_COLOR: '1' }, false],
  ])('with %j a list is drawn: %s', async (env, live) => {
    const { terminal, view } = open(new Terminal(), env);
    view.emit(build('text'));
    view.emit({ type: 'start', node: 'text', why: '' });
    if (live) await shows(terminal, /text/);
    view.emit(done('text', 'built'));
    view.emit(summary([done('text', 'built')], 1));
    await view.close();
    expect(terminal.raw.includes('\x1b[')).toBe(live);
  });

  test('a pipe gets plain lines', async () => {
    const stdout = new Collected();
    const view = openView({ mode: 'auto', stdout, stderr: stdout, env: {} });
    view.emit(build('text'));
    view.emit(done('text', 'built'));
    await view.close();
    expect(stdout.text).toMatch(/^built +text/);
  });
});
