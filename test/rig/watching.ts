/** A running `finetune watch --json` on a test's project: its events as they come, and what the tests wait for. */
import { performance } from 'node:perf_hooks';
import { onTestFinished } from 'vitest';
import type { BuildEvent, WatchEvent } from '../../src/events.ts';
import type { Finished, Project, Running, RunOptions } from './project.ts';

/** Events of a build say which. */
export type Told = (BuildEvent | WatchEvent) & { readonly build?: number };
type Of<S extends WatchEvent['state']> = Extract<WatchEvent, { state: S }>;
export type Summary = Extract<BuildEvent, { type: 'summary' }> & { readonly build: number };

export class Watching {
  readonly running: Running;
  readonly events: Told[] = [];
  #rest = '';
  #waiting: (() => void)[] = [];
  #ended = false;

  constructor(p: Project, args: readonly string[] = [], options?: RunOptions) {
    this.running = p.start(['watch', '--json', ...args], options);
    this.running.process.stdout!.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop()!;
      for (const line of lines) this.events.push(JSON.parse(line) as Told);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    void this.running.done.then(() => {
      this.#ended = true;
      for (const wake of this.#waiting.splice(0)) wake();
    });
    onTestFinished(async () => {
      this.running.kill('SIGKILL');
      await this.running.done;
    });
  }

  /** How many events there are: a mark to wait from. */
  get mark(): number {
    return this.events.length;
  }

  /** The first event from `from` on that `find` accepts; the deadline only bounds a test that has gone wrong. */
  async event<T extends Told>(what: string, find: (e: Told) => e is T, from?: number, seconds?: number): Promise<T>;
  async event(what: string, find: (e: Told) => boolean, from?: number, seconds?: number): Promise<Told>;
  async event(what: string, find: (e: Told) => boolean, from = 0, seconds = 30): Promise<Told> {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const found = this.events.slice(from).find(find);
      if (found) return found;
      const left = end - performance.now();
      if (this.#ended || left <= 0)
        throw new Error(`${this.#ended ? 'it ended' : 'waited'} without ${what}\n${this.story(from)}`);
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  state<S extends WatchEvent['state']>(state: S, from = 0): Promise<Of<S>> {
    return this.event(state, (e): e is Of<S> => e.type === 'watch' && e.state === state, from);
  }

  /** The summary of the next build that was not superseded, once all is at rest after it. */
  async built(from = 0): Promise<Summary> {
    await this.event('a summary', e => e.type === 'summary', from);
    await this.idle(from);
    return this.summaries(from).at(-1)!;
  }

  /** Waits until a mistake with this reason has been told, and all is at rest. */
  async mistake(reason: string, from = 0): Promise<void> {
    await this.event(reason, e => e.type === 'mistakes' && e.failures.some(f => f.reason === reason), from);
    await this.idle(from);
  }

  /** Resolves when the last event is that nothing is left to do. */
  async idle(from = 0): Promise<void> {
    await this.event(
      'rest',
      () => {
        const last = this.events.slice(from).at(-1);
        return last?.type === 'watch' && last.state === 'idle';
      },
      from,
    );
  }

  summaries(from = 0): Summary[] {
    return this.events.slice(from).filter((e): e is Summary => e.type === 'summary');
  }

  of<S extends WatchEvent['state']>(state: S, from = 0): Of<S>[] {
    return this.events.slice(from).filter((e): e is Of<S> => e.type === 'watch' && e.state === state);
  }

  /** Digest by `node.output` as last told of each node. */
  digests(): Record<string, string> {
    const out: Record<string, string> = {};
    for (const e of this.events) {
      if (e.type === 'failed') for (const name of Object.keys(out)) if (name.startsWith(`${e.node}.`)) delete out[name];
      if (e.type !== 'done') continue;
      for (const [output, { digest }] of Object.entries(e.outputs)) out[`${e.node}.${output}`] = digest;
    }
    return out;
  }

  end(signal: NodeJS.Signals = 'SIGINT'): Promise<Finished> {
    this.running.kill(signal);
    return this.running.done;
  }

  /** The events in short, for a test that has gone wrong. */
  story(from = 0): string {
    return this.events
      .slice(from)
      .map(e => JSON.stringify(e).slice(0, 300))
      .join('\n');
  }
}

/** Starts to watch; resolves when the first build is done and all is at rest. */
export const watching = async (p: Project, args: readonly string[] = [], options?: RunOptions): Promise<Watching> => {
  const w = new Watching(p, args, options);
  await w.idle();
  return w;
};
