import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BuildEvent, WatchEvent } from '../../src/events.ts';
import { openWatchView } from '../../src/views/watch.ts';
import { openWatchJson } from '../../src/views/watch-json.ts';
import { build, done, failed, LOSS_METRICS, summary } from './builds.ts';
import { expectGolden } from './golden.ts';
import { Collected, Terminal } from './streams.ts';

type Told = BuildEvent | Begun | Exclude<WatchEvent, { state: 'build' }>;
/** A build begins: what it says until its summary belongs to it. */
type Begun = Partial<Extract<WatchEvent, { state: 'build' }>> &
  Pick<Extract<WatchEvent, { state: 'build' }>, 'type' | 'state' | 'build' | 'why'>;

const begun = (number: number, why: 'first' | 'changed' | 'asked', more: Partial<Begun> = {}): Begun => ({
  ...{ type: 'watch', state: 'build', build: number, why },
  ...more,
});

const skipped = (node: string, because: string): BuildEvent => ({ type: 'skipped', node, because });

/** The summary of the events since the last one began, with nodes that were skipped. */
const ended = (events: readonly BuildEvent[], seconds: number): BuildEvent => {
  const last = summary(events, seconds) as Extract<BuildEvent, { type: 'summary' }>;
  const behind = events.flatMap(e =>
    e.type === 'skipped'
      ? [{ name: e.node, state: 'skipped' as const, key: null, seconds: 0, rows: null, computed: null }]
      : [],
  );
  return { ...last, nodes: [...last.nodes.filter(n => !behind.some(b => b.name === n.name)), ...behind] };
};

const NODES = ['docs', 'base', 'text', 'pairs', 'chat', 'adapter', 'loss'];

/** A morning with `finetune watch`, and the seconds that pass before each event. */
const MORNING = (): (readonly [number, Told, number | null])[] => {
  const out: [number, Told, number | null][] = [];
  const say = (event: Told, wait = 0, number: number | null = null) => void out.push([wait, event, number]);
  const whole = (number: number, wait: number, begin: Begun, events: readonly BuildEvent[], seconds: number) => {
    say(begin, wait, number);
    for (const e of [build(...NODES), ...events]) say(e, 0, number);
    say(ended(events, seconds), 0, number);
  };
  const left = [skipped('adapter', 'a training'), skipped('loss', 'adapter was skipped')];
  say({ type: 'watch', state: 'watching', recipe: 'finetune.yaml', nodes: 7, files: 31 });
  const first = [
    done('docs', 'built', { rows: 12, computed: 12, seconds: 0.1 }),
    done('base', 'built', { seconds: 0.1 }),
    done('text', 'built', { rows: 12, computed: 12 }),
    done('pairs', 'built', { rows: 1204, computed: 12 }),
    done('chat', 'built', { rows: 1204, computed: 1204, seconds: 0.4 }),
  ];
  whole(1, 0, begun(1, 'first'), [...first, ...left], 0.71);
  say({ type: 'watch', state: 'left', nodes: [{ name: 'adapter', because: 'a training' }] });
  say({ type: 'watch', state: 'idle', ok: true });
  const cached = first.map(e => ({ ...e, state: 'cached' as const, computed: e.computed === null ? null : 0 }));
  const again = [
    done('docs', 'built', { rows: 12, computed: 1 }),
    done('base', 'cached'),
    done('text', 'built', { rows: 12, computed: 1 }),
    ...cached.slice(3),
    { type: 'warn', node: 'text', message: 'only 12 rows: technical tasks want 3,000 or more' } as const,
  ];
  whole(2, 60, begun(2, 'changed', { changed: ['docs/a.md'], more: 0 }), [...again, ...left], 0.04);
  // The same warning again, a failure, the same failure again, then it is gone.
  const broken = [...again.slice(0, 3), failed('pairs', { log: '.finetune/logs/pairs.log' })];
  const behind = [
    skipped('chat', 'pairs failed'),
    skipped('adapter', 'chat was skipped'),
    skipped('loss', 'adapter was skipped'),
  ];
  const many = Array.from({ length: 20 }, (_, i) => `docs/${i}.md`);
  whole(3, 5, begun(3, 'changed', { changed: many, more: 1980 }), [...again.slice(5), ...broken, ...behind], 0.05);
  whole(4, 5, begun(4, 'changed', { changed: ['docs/a.md', 'docs/b.md'], more: 0 }), [...broken, ...behind], 0.05);
  whole(5, 5, begun(5, 'changed', { changed: ['docs/a.md'], more: 0 }), [...cached, ...left], 0.01);
  // A recipe that is broken, and as it was before again.
  const mistakes: BuildEvent = {
    type: 'mistakes',
    failures: [
      {
        reason: 'unknown-stage',
        message: 'transforms have no stage "dedupe"; did you mean "dedup"?',
        place: {
          path: 'finetune.yaml',
          line: 9,
          column: 18,
          length: 6,
          source: '  unique: { uses: dedupe, from: pairs }',
        },
      },
    ],
  };
  say(mistakes, 30, 6);
  say({ type: 'summary', ok: false, seconds: 0, nodes: [] }, 0, 6);
  say({ type: 'watch', state: 'idle', ok: false });
  say({ type: 'watch', state: 'unchanged', changed: ['finetune.yaml'], more: 0 }, 10);
  say({ type: 'watch', state: 'unchanged', changed: ['finetune.yaml'], more: 0 }, 10);
  // A build that comes to nothing is not worth a line.
  say(begun(7, 'changed', { changed: ['docs/a.md'], more: 0 }), 10, 7);
  for (const e of [build(...NODES), { type: 'start', node: 'docs', why: 'docs/a.md changed' } as const]) say(e, 0, 7);
  say({ type: 'watch', state: 'superseded', build: 7 }, 0, 7);
  say({ type: 'summary', ok: false, seconds: 0.1, nodes: [] }, 0, 7);
  say({ type: 'watch', state: 'echo', changed: ['docs/gen.md'], more: 0, seconds: 5 }, 10);
  // A training that was asked for, with a save beside it.
  say(begun(8, 'asked', { asked: ['adapter'] }), 10, 8);
  for (const e of [build(...NODES), { type: 'start', node: 'adapter', why: 'never built' } as const]) say(e, 0, 8);
  for (let step = 10; step <= 40; step += 10) {
    say({ type: 'progress', node: 'adapter', done: step, total: 120, unit: 'steps' }, 3, 8);
    say({ type: 'measure', node: 'adapter', values: { loss: 4 - step / 40 } }, 0, 8);
  }
  whole(9, 1, begun(9, 'changed', { changed: ['docs/a.md'], more: 0 }), [...again, ...left], 0.04);
  const trained = [
    ...cached,
    done('adapter', 'built', { seconds: 36, out: 'out/adapter' }),
    done('loss', 'built', { seconds: 0.4, metrics: LOSS_METRICS }),
  ];
  for (const e of trained) say(e, 1, 8);
  say({ type: 'lock', path: 'finetune.lock', pinned: ['adapter'], released: [] }, 0, 8);
  say(ended(trained, 40.2), 0, 8);
  return out;
};

const play = (view: ReturnType<typeof openWatchView>): void => {
  for (const [wait, event, number] of MORNING()) {
    vi.advanceTimersByTime(wait * 1000);
    const e = event.type === 'watch' && event.state === 'build' ? { changed: [], more: 0, asked: [], ...event } : event;
    view.tell(e as BuildEvent | WatchEvent, number);
  }
};

describe('what watch tells', () => {
  beforeEach(() => vi.useFakeTimers({ now: Date.UTC(2026, 10, 20, 9) }));
  afterEach(() => vi.useRealTimers());
  const now = () => new Date().toISOString().slice(11, 19);

  test('is a line for each build, and what is new', () => {
    const both = new Collected();
    play(openWatchView({ stdout: both, stderr: both, env: {}, plain: false, now }));
    expectGolden('watch.txt', both.text);
  });

  test('stands on a terminal with one line of progress below it, which goes away', () => {
    const terminal = new Terminal(100, 30);
    const view = openWatchView({ stdout: terminal, stderr: terminal, env: { TERM: 'xterm' }, plain: false, now });
    const seen: string[] = [];
    for (const [wait, event, number] of MORNING()) {
      vi.advanceTimersByTime(wait * 1000);
      const e =
        event.type === 'watch' && event.state === 'build' ? { changed: [], more: 0, asked: [], ...event } : event;
      view.tell(e as BuildEvent | WatchEvent, number);
      seen.push(terminal.screen.split('\n').at(-1)!);
    }
    expect(seen.filter(line => line.startsWith('adapter  20/120 steps'))).not.toEqual([]);
    expect(terminal.screen).not.toContain('/120 steps');
    expectGolden('watch-terminal.txt', `${terminal.screen}\n`);
  });

  test('is without colours and progress where somebody wants calm', () => {
    for (const more of [{ plain: true }, { env: { NO_COLOR: '1', TERM: 'xterm' } }, { env: { TERM: 'dumb' } }]) {
      const terminal = new Terminal(100, 30);
      play(openWatchView({ stdout: terminal, stderr: terminal, env: { TERM: 'xterm' }, plain: false, now, ...more }));
      expect(terminal.raw).not.toContain('\x1b');
    }
  });

  test('is for programs the events of every build with its number, each with one summary', () => {
    const stdout = new Collected();
    const view = openWatchJson({ stdout });
    play(view);
    const events = stdout.text
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line) as { type: string; state?: string; build?: number });
    expect(events[0]).toEqual({ type: 'watch', state: 'watching', recipe: 'finetune.yaml', nodes: 7, files: 31 });
    expect(events.filter(e => e.type === 'summary').map(e => e.build)).toEqual([1, 2, 3, 4, 5, 6, 7, 9, 8]);
    expect(events.filter(e => e.type !== 'watch' && e.build === undefined)).toEqual([]);
    expect(events.filter(e => e.type === 'progress' && e.build !== 8)).toEqual([]);
    // The listeners of a stream do not grow with the builds.
    expect(stdout.listenerCount('error')).toBe(1);
  });
});
