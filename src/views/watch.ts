/** What `watch` tells people: a line for each build, failures and warnings when they are new, one line of progress. */
import type { BuildEvent, WatchEvent } from '../events.ts';
import { type Board, type NodeStatus, openBoard, progressParts } from './board.ts';
import { openCanvas } from './canvas.ts';
import { renderFailure, renderFailures } from './failures.ts';
import { clock, counted } from './numbers.ts';
import { choosePalette, colourWish } from './palette.ts';
import { cut, visible, visibleLines } from './printable.ts';
import { resultLines } from './results.ts';
import { openSink } from './sink.ts';
import { lockLines } from './table.ts';
import type { ViewStreams } from './view.ts';
import { buildLine, filesInWords, leftLine } from './watch-lines.ts';

export interface WatchView {
  /** `build` is the number of the build that the event belongs to. */
  tell(event: BuildEvent | WatchEvent, build: number | null): void;
  close(): Promise<void>;
}

export interface WatchViewOptions extends ViewStreams {
  /** Lines only, even on a terminal. */
  readonly plain: boolean;
  /** The time of day. */
  readonly now?: () => string;
}

type Begun = Extract<WatchEvent, { state: 'build' }>;

interface Shown {
  readonly begun: Begun | null;
  readonly board: Board;
  superseded: boolean;
}

/** Milliseconds: between two pictures of the progress; a node that takes longer is shown; a line of it without a terminal. */
const TICK = 100;
const LONG = 300;
const AGAIN = 5000;
const MOST_WARNINGS = 1000;

const timeOfDay = (): string => new Date().toTimeString().slice(0, 8);

export const openWatchView = ({ stdout, stderr, env, plain, now = timeOfDay }: WatchViewOptions): WatchView => {
  const out = openSink(stdout);
  const err = openSink(stderr);
  const live = !plain && stdout.isTTY === true && env.TERM !== 'dumb' && colourWish(env) !== false;
  const palette = choosePalette(env, live);
  const errPalette = choosePalette(env, live && stderr.isTTY === true);
  const columns = (): number => stdout.columns || 80;
  const width = (): { columns?: number } => (live ? { columns: columns() } : {});
  const canvas = openCanvas(text => out.write(text), columns);
  const builds = new Map<number, Shown>();
  /** By node, as last told. */
  const failures = new Map<string, string>();
  const warnings = new Set<string>();
  const told = new Map<string, number>();
  const asked = new Set<string>();
  let broken = false;
  let timer: NodeJS.Timeout | null = null;

  const print = (stream: 'out' | 'err', text: string): void => {
    if (live) canvas.clear();
    (stream === 'out' ? out : err).write(text);
  };

  const progress = (): void => {
    const at = performance.now();
    const nodes = [...builds.values()].flatMap(b => [...b.board.nodes.values()]);
    const long = nodes.filter(n => n.state === 'running' && at - (n.started ?? at) > LONG);
    const words = (n: NodeStatus) => {
      const parts = progressParts(n, at);
      return `${n.name}  ${parts.length > 0 ? parts.join('  ') : clock((at - n.started!) / 1000)}`;
    };
    if (live) {
      const line = cut(long.map(n => visible(words(n))).join('   '), columns() - 1);
      canvas.draw(line === '' ? [] : [palette('dim', line)]);
      return;
    }
    for (const node of long) {
      if (at - Math.max(node.started!, told.get(node.name) ?? 0) < AGAIN) continue;
      told.set(node.name, at);
      out.write(`${now()}  … ${visible(words(node))}\n`);
    }
  };

  const clockwork = (): void => {
    if (builds.size > 0) timer ??= setInterval(progress, TICK).unref();
    else if (timer) {
      clearInterval(timer);
      timer = null;
      if (live) canvas.clear();
    }
  };

  const warn = (text: string): void => print('err', `${errPalette('yellow', 'warning')}: ${text}\n`);

  const onWatch = (event: WatchEvent): void => {
    switch (event.state) {
      case 'watching':
        print('out', `watching ${visible(event.recipe)}: ${event.nodes} nodes, ${event.files} files; Ctrl-C ends\n`);
        return;
      case 'build':
        for (const name of event.asked) asked.add(name);
        if (event.why === 'asked')
          print(
            'out',
            `${now()}  ${event.asked.map(visible).join(', ')}: begun; what you save meanwhile is built beside it\n`,
          );
        return;
      case 'unchanged':
        if (broken) print('out', `${now()}  ${filesInWords(event)}: as before again\n`);
        broken = false;
        return;
      case 'left':
        print('out', `${palette('dim', leftLine(event.nodes))}\n`);
        return;
      case 'echo':
        warn(
          `${filesInWords(event)} changed again while a build ran: if a node writes there, let it write elsewhere; the next build waits ${event.seconds} s`,
        );
        return;
      case 'warn':
        warn(visible(event.message));
    }
  };

  const onFailed = (event: Extract<BuildEvent, { type: 'failed' }>, status: NodeStatus): void => {
    if (status.state === 'interrupted') return;
    const text = renderFailure(event.failure, { palette: errPalette, ...width() });
    // A failure that stands from one save to the next is read once.
    if (failures.get(event.node) === text) return;
    failures.set(event.node, text);
    const log = event.log === undefined ? '' : `  log: ${visible(event.log)}\n`;
    print('err', `${errPalette('red', `${visible(event.node)} failed`)}\n${text}${log}`);
  };

  const onBuild = (event: BuildEvent, shown: Shown): void => {
    const status = shown.board.apply(event, performance.now());
    switch (event.type) {
      case 'done':
        failures.delete(event.node);
        return;
      case 'failed':
        onFailed(event, status!);
        return;
      case 'warn': {
        const about = event.node === null ? '' : `${visible(event.node)}: `;
        const text = `${about}${visibleLines(event.message).join('\n  ')}`;
        // What is cached says again what it said when it was made.
        if (!warnings.has(text)) warn(text);
        if (warnings.size > MOST_WARNINGS) warnings.clear();
        warnings.add(text);
        return;
      }
      case 'lock':
        for (const line of lockLines(event)) print('out', `          ${palette('dim', line)}\n`);
        return;
      case 'mistakes':
        broken = true;
        print('err', renderFailures(event.failures, { palette: errPalette, ...width() }));
        print('out', `${now()}  ${counted(event.failures.length, 'mistake')}: built when mended\n`);
        return;
      case 'summary': {
        if (shown.superseded || shown.begun === null) return;
        broken = false;
        const built = event.nodes.filter(n => n.state === 'built');
        const results = resultLines(built, shown.board.nodes, { palette, columns: columns() - 10 });
        const line = buildLine(event, shown.begun, shown.board.nodes, { palette, asked });
        print('out', [`${now()}  ${line}`, ...results.map(r => `          ${r}`)].map(l => `${l}\n`).join(''));
      }
    }
  };

  return {
    tell: (event, build) => {
      const known = build === null ? undefined : builds.get(build);
      if (event.type === 'watch') {
        if (event.state === 'build') builds.set(event.build, { begun: event, board: openBoard(), superseded: false });
        if (event.state === 'superseded' && known) known.superseded = true;
        onWatch(event);
      } else {
        onBuild(event, known ?? { begun: null, board: openBoard(), superseded: false });
        if (event.type === 'summary' && build !== null) builds.delete(build);
      }
      clockwork();
    },
    close: async () => {
      builds.clear();
      clockwork();
      await Promise.all([out.drained(), err.drained()]);
    },
  };
};
