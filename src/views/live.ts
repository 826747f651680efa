/**
 * The live view: a listr2 task list on a terminal. listr2 keeps the tasks, their states and the terminal's streams; the
 * engine's events settle the tasks' promises. Its own drawing is not used: it redraws everything at each event, and its
 * cursor handling installs signal handlers, which are the command's alone.
 */
import type { ListrRenderer, ListrTask } from 'listr2';
import type { BuildEvent } from '../events.ts';
import { type NodeStatus, openBoard } from './board.ts';
import { openCanvas } from './canvas.ts';
import { renderFailure, renderFailures } from './failures.ts';
import { frameLines } from './frame.ts';
import { choosePalette } from './palette.ts';
import { visible, visibleLines } from './printable.ts';
import { openSink } from './sink.ts';
import { lockLines, renderEnd } from './table.ts';
import type { View, ViewStreams } from './view.ts';

const FRAME_MS = 80;

/** What the view needs of a list that is being drawn. */
interface Screen {
  redraw(): void;
  /** Takes the list away for a moment, writes, draws it again. */
  print(stream: 'stdout' | 'stderr', text: string): void;
  /** Takes the list away until what is returned is called. */
  pause(): () => void;
  end(): void;
}

export const openLive = ({ stdout, stderr, env }: ViewStreams): View => {
  const sinks = { stdout: openSink(stdout), stderr: openSink(stderr) };
  const palette = choosePalette(env, true);
  const errPalette = choosePalette(env, stderr.isTTY === true);
  const board = openBoard();
  const settled = new Map<string, PromiseWithResolvers<void>>();
  const began = performance.now();
  let opening: Promise<void> | null = null;
  let screen: Screen | null = null;
  let over = false;
  let paused = false;
  let resume: (() => void) | null = null;

  const print = (stream: 'stdout' | 'stderr', text: string): void => {
    if (text === '') return;
    if (screen === null) sinks[stream].write(text);
    else screen.print(stream, text);
  };

  const settle = (node: string): PromiseWithResolvers<void> => {
    const promise = settled.get(node) ?? Promise.withResolvers<void>();
    settled.set(node, promise);
    return promise;
  };

  const openScreen = async (): Promise<void> => {
    const { figures, Listr, ProcessOutput, Spinner } = await import('listr2');
    if (over) return;
    const still = { built: figures.tick, cached: figures.tick, failed: figures.cross, waiting: '·' } as const;
    const icons = { ...still, skipped: figures.arrowDown, interrupted: figures.circleSlash };
    const terminal = new ProcessOutput(stdout as NodeJS.WriteStream, stderr as NodeJS.WriteStream, {
      leaveEmptyLine: false,
    });
    const columns = (): number => stdout.columns || 80;

    class Renderer implements ListrRenderer {
      static nonTTY = true;
      static rendererOptions = {};
      static rendererTaskOptions = {};
      readonly #spinner = new Spinner();
      readonly #canvas = openCanvas(text => this.#write('stdout', text), columns);
      #timer: NodeJS.Timeout | null = null;
      #paused = false;

      render = (): void => {
        terminal.hijack();
        stdout.on('resize', this.redraw);
        process.on('exit', this.end);
        // The list must never be what keeps the process alive.
        this.#timer = setInterval(() => {
          this.#spinner.spin();
          this.redraw();
        }, FRAME_MS).unref();
        screen = this;
        if (paused) resume = this.pause();
        else this.redraw();
      };

      redraw = (): void => {
        if (this.#timer === null || this.#paused) return;
        const look = {
          palette,
          columns: columns(),
          rows: stdout.rows || 24,
          icons: { ...icons, running: this.#spinner.fetch() },
        };
        this.#canvas.draw(frameLines(board.nodes.values(), { ...look, began, now: performance.now() }));
      };

      print = (stream: 'stdout' | 'stderr', text: string): void => {
        this.#canvas.clear();
        this.#write(stream, text);
        this.redraw();
      };

      pause = (): (() => void) => {
        this.#canvas.clear();
        this.#paused = true;
        terminal.release();
        return () => {
          if (!this.#paused || this.#timer === null) return;
          this.#paused = false;
          terminal.hijack();
          this.redraw();
        };
      };

      end = (): void => {
        if (this.#timer === null) return;
        clearInterval(this.#timer);
        this.#timer = null;
        this.#canvas.clear();
        stdout.off('resize', this.redraw);
        process.off('exit', this.end);
        screen = null;
        if (sinks.stdout.broken) terminal.stream.stdout.release();
        else if (!this.#paused) terminal.release();
      };

      #write(stream: 'stdout' | 'stderr', text: string): void {
        if (!sinks[stream].broken) terminal.stream[stream].write(text);
      }
    }

    const tasks = [...board.nodes.keys()].map(
      (name): ListrTask => ({ title: visible(name), task: () => settle(name).promise }),
    );
    const options = { concurrent: true, exitOnError: false, registerSignalListeners: false } as const;
    await new Listr(tasks, { ...options, renderer: Renderer }).run();
  };

  const finish = (): void => {
    over = true;
    screen?.end();
    for (const name of board.nodes.keys()) settle(name).resolve();
  };

  const draw = (event: BuildEvent, node: NodeStatus | null): void => {
    switch (event.type) {
      case 'start':
        // Only now: a build that finds everything cached needs no list, and does not wait for listr2 to load.
        opening ??= openScreen();
        return;
      case 'done':
      case 'skipped':
        settle(event.node).resolve();
        return;
      case 'failed': {
        settle(event.node).resolve();
        if (node!.state === 'interrupted') return;
        const log = event.log === undefined ? '' : `  log: ${visible(event.log)}\n`;
        const head = errPalette('red', `${visible(event.node)} failed`);
        print('stderr', `${head}\n${renderFailure(event.failure, { palette: errPalette, ...size() })}${log}\n`);
        return;
      }
      case 'warn': {
        const words = visibleLines(event.message).join('\n  ');
        const about = event.node === null ? '' : `${visible(event.node)}: `;
        print('stderr', `${errPalette('yellow', 'warning')}: ${about}${words}\n`);
        return;
      }
      case 'lock':
        print(
          'stdout',
          lockLines(event)
            .map(line => `${line}\n`)
            .join(''),
        );
        return;
      case 'mistakes':
        print('stderr', renderFailures(event.failures, { palette: errPalette, ...size() }));
        return;
      case 'summary':
        finish();
        sinks.stdout.write(renderEnd(event, board.nodes, { palette, ...size() }));
    }
  };
  const size = () => (stdout.columns ? { columns: stdout.columns } : {});

  return {
    emit: event => {
      if (!over) draw(event, board.apply(event, performance.now()));
    },
    pause: () => {
      paused = true;
      resume = screen?.pause() ?? null;
      return () => {
        paused = false;
        resume?.();
        resume = null;
      };
    },
    close: async () => {
      if (!over) finish();
      await opening;
      await Promise.all([sinks.stdout.drained(), sinks.stderr.drained()]);
    },
  };
};
