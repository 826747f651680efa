import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BuildEvent } from '../../src/events.ts';
import { openView } from '../../src/views/view.ts';
import { allCached, build, done, failed, LOSS_METRICS, summary } from './builds.ts';
import { expectGolden } from './golden.ts';
import { Broken, Collected } from './streams.ts';

const open = (env: Record<string, string> = {}) => {
  // One stream for both, as in `2>&1`: the order is part of what people read.
  const both = new Collected();
  return { both, view: openView({ mode: 'plain', stdout: both, stderr: both, env }) };
};

const steps = (
  n: number,
  milliseconds: number,
  step: (i: number) => readonly BuildEvent[],
): readonly [number, BuildEvent][] =>
  Array.from({ length: n }, (_, i) =>
    step(i + 1).map((e, j): [number, BuildEvent] => [j === 0 ? milliseconds : 0, e]),
  ).flat();

describe('plain lines', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  test('what the lock file now pins, and no longer', () => {
    const { both, view } = open();
    view.emit(build('a'));
    view.emit({ type: 'lock', path: 'finetune.lock', pinned: ['adapter', 'base'], released: ['docs'] });
    const many = Array.from({ length: 12 }, (_, i) => `r${i}`);
    view.emit({ type: 'lock', path: 'x.lock', pinned: many, released: [] });
    expect(both.text).toBe(
      'pinned   adapter, base in finetune.lock\nreleased docs from finetune.lock\npinned   r0, r1, r2, r3, r4, r5 and 6 more in x.lock\n',
    );
  });

  test('a build that trains and fails in one branch', () => {
    const { both, view } = open();
    const events: readonly [number, BuildEvent][] = [
      [0, build('docs', 'base', 'text', 'pairs', 'unique', 'adapter', 'loss')],
      [5, done('docs', 'cached', { rows: 12, computed: 0, seconds: 0.004 })],
      [5, done('base', 'cached')],
      [0, { type: 'start', node: 'text', why: 'stage version: 1 -> 2' }],
      [1400, done('text', 'built', { rows: 1204, computed: 1204, seconds: 1.4, note: '12 rejects' })],
      [0, { type: 'warn', node: 'text', message: 'only 1,204 rows: technical tasks want 3,000 or more' }],
      [0, { type: 'start', node: 'pairs', why: 'input text changed' }],
      [0, { type: 'start', node: 'adapter', why: 'option steps: 60 -> 120' }],
      ...steps(60, 200, i => [
        { type: 'progress', node: 'adapter', done: i, total: 120, unit: 'steps' },
        { type: 'measure', node: 'adapter', values: { step: i, loss: 4.2 - i / 100, tokens: 640 } },
      ]),
      [0, failed('pairs', { log: '.finetune/logs/pairs.log', seconds: 12 })],
      [0, { type: 'skipped', node: 'unique', because: 'pairs failed' }],
      ...steps(60, 200, i => [{ type: 'progress', node: 'adapter', done: 60 + i, total: 120, unit: 'steps' }]),
      [100, done('adapter', 'built', { seconds: 24.1, out: 'out/adapter', note: '41 % of 12,345 tokens trained' })],
      [400, done('loss', 'built', { seconds: 0.4, metrics: LOSS_METRICS })],
    ];
    for (const [wait, event] of events) {
      vi.advanceTimersByTime(wait);
      view.emit(event);
    }
    view.emit(
      summary(
        events.map(([, event]) => event),
        26.31,
      ),
    );
    expectGolden('plain-failed.txt', both.text);
  });

  test('a build without any work is one line and its results', () => {
    const { both, view } = open();
    for (const event of [...allCached, summary(allCached, 0.214)]) view.emit(event);
    expectGolden('plain-cached.txt', both.text);
  });

  test('mistakes are all there is to say', () => {
    const { both, view } = open();
    view.emit({ type: 'mistakes', failures: [{ reason: 'usage', message: 'unknown option --frobnicate' }] });
    view.emit({ type: 'summary', ok: false, seconds: 0.01, nodes: [] });
    expect(both.text).toBe('usage: unknown option --frobnicate\n');
  });

  test('a node that says nothing for long is still reported', () => {
    const { both, view } = open();
    view.emit(build('docs'));
    view.emit({ type: 'start', node: 'docs', why: 'never built' });
    vi.advanceTimersByTime(65_000);
    expect(both.text.split('\n')).toEqual([
      '…        docs  running, 2 s',
      '…        docs  running, 32 s',
      '…        docs  running, 1 min 02 s',
      '',
    ]);
  });

  test('progress is told at most every five seconds a node', () => {
    const { both, view } = open();
    view.emit(build('docs'));
    view.emit({ type: 'start', node: 'docs', why: '' });
    for (let i = 0; i < 20_000; i++) {
      vi.advanceTimersByTime(1);
      view.emit({ type: 'progress', node: 'docs', done: i, total: null, unit: 'pages' });
    }
    expect(both.text.trimEnd().split('\n')).toHaveLength(4);
  });

  test('nothing is coloured unless FORCE_COLOR asks for it', () => {
    const events = [build('text'), done('text', 'built', { seconds: 1 })];
    const coloured = [{}, { FORCE_COLOR: '1' }, { FORCE_COLOR: '0' }, { NO_COLOR: '1' }].map(env => {
      const { both, view } = open(env);
      for (const event of [...events, summary(events, 1)]) view.emit(event);
      return both.text.includes('\x1b[');
    });
    expect(coloured).toEqual([false, true, false, false]);
  });

  test('names and notes cannot drive the terminal', () => {
    const { both, view } = open();
    const evil = '\x1b]0;owned\x07\x1b[2J\u009b31m\u202egnp';
    const events: BuildEvent[] = [
      build(evil),
      { type: 'warn', node: evil, message: evil },
      done(evil, 'built', { note: evil, out: evil }),
    ];
    for (const event of [...events, { ...failed(evil), log: evil } as BuildEvent, summary(events, 1)]) view.emit(event);
    expect(both.text).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
  });

  test('a reader that goes away does not stop the build', async () => {
    vi.useRealTimers();
    const view = openView({ mode: 'plain', stdout: new Broken(), stderr: new Broken(), env: {} });
    for (const event of [...allCached, summary(allCached, 0.2)]) view.emit(event);
    await view.close();
    await view.close();
  });
});
