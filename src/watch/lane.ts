/** A lane: builds one after another in this process, at most one at a time, by workers that stay warm between them. */
import type { Engine } from '../engine/engine.ts';
import { Pool } from '../engine/pool.ts';
import { type BuildRun, runBuild, type Summary } from '../engine/run-build.ts';
import type { BuildEvent, Emit } from '../events.ts';
import { systemFailure } from '../failure.ts';
import { type Snapshot, staleNodes } from './snapshot.ts';

/** Milliseconds: starting workers anew costs more than letting them finish what takes no longer. */
const FINISH = 150;

export interface Ended {
  readonly summary: Summary;
  /** Input files changed while they were read, so that what was asked for has not been built. */
  readonly moved: boolean;
}

/** A build that is under way. */
export interface UnderWay {
  readonly number: number;
  readonly snapshot: Snapshot;
  /** Nodes at work, and since when on the clock of `performance`. */
  readonly running: ReadonlyMap<string, number>;
  readonly stopped: boolean;
  /** Never rejects for what can be expected to go wrong. */
  readonly ended: Promise<Ended>;
}

export interface Start extends Pick<BuildRun, 'env'> {
  readonly number: number;
  readonly snapshot: Snapshot;
  /** Closed when the build has ended. */
  readonly engine: Engine;
  readonly lock: NonNullable<BuildRun['lock']>;
  readonly settles: boolean;
  readonly leave: NonNullable<BuildRun['leave']>;
  readonly emit: Emit;
  /** Called before what follows the node begins. */
  onNodeEnd(): void;
}

export class Lane {
  readonly #jobs: number;
  #pool: Pool;
  #under: (UnderWay & { stopped: boolean }) | null = null;
  #abort = new AbortController();
  #patience: NodeJS.Timeout | null = null;

  constructor(jobs: number) {
    this.#jobs = jobs;
    this.#pool = new Pool(jobs);
  }

  get under(): UnderWay | null {
    return this.#under;
  }

  start({ number, snapshot, engine, emit, onNodeEnd, ...rest }: Start): UnderWay {
    const running = new Map<string, number>();
    const moved: BuildEvent[] = [];
    this.#abort = new AbortController();
    const told = (event: BuildEvent): void => {
      if (event.type === 'start') running.set(event.node, performance.now());
      const ends = (event.type === 'done' || event.type === 'failed') && running.delete(event.node);
      // Not the user's mistake: it is built again.
      if (event.type === 'failed' && event.failure.reason === 'input-changed') moved.push(event);
      else if (event.type !== 'summary') emit(event);
      if (ends) onNodeEnd();
    };
    const ended = runBuild({
      ...rest,
      engine,
      nodes: snapshot.nodes,
      pool: this.#pool,
      jobs: this.#jobs,
      keepGoing: true,
      force: new Set(),
      signal: this.#abort.signal,
      emit: told,
      begun: performance.now(),
    })
      .catch((error: unknown): Summary => {
        const failure = systemFailure(error, 'building');
        if (!failure) throw error;
        emit({ type: 'mistakes', failures: [failure] });
        return { type: 'summary', ok: false, seconds: 0, nodes: [] };
      })
      .finally(() => {
        this.#under = null;
        this.#rest();
        engine.close();
      })
      .then((summary): Ended => {
        // What was left on purpose is no failure.
        const ok =
          summary.nodes.length > 0 && summary.nodes.every(n => n.state !== 'failed' && n.state !== 'interrupted');
        return { summary: { ...summary, ok }, moved: moved.length > 0 };
      });
    this.#under = { number, snapshot, running, stopped: false, ended };
    return this.#under;
  }

  /**
   * Stops the build under way, which is no longer of `now`, as soon as that pays: work that is still needed is waited for,
   * though no longer than it has already taken. `onStop` is called first.
   */
  supersede(now: Snapshot, onStop: (under: UnderWay) => void): void {
    const under = this.#under;
    if (!under || under.stopped) return;
    if (now.id === under.snapshot.id) {
      this.#rest();
      return;
    }
    const stop = () => {
      if (this.#under !== under || under.stopped) return;
      onStop(under);
      this.stop();
    };
    const stale = staleNodes(under.snapshot, now);
    const needed = [...under.running].filter(([name]) => !stale.has(name)).map(([, since]) => since);
    if (needed.length === 0) stop();
    else this.#patience ??= setTimeout(stop, performance.now() - Math.min(...needed));
  }

  /** Ends the build under way, in order where that is quick; what it has finished stays. */
  stop(finish = FINISH): void {
    const under = this.#under;
    if (!under || under.stopped) return;
    under.stopped = true;
    this.#abort.abort(new Error('superseded'));
    const kill = setTimeout(() => {
      if (this.#under !== under) return;
      void this.#pool.terminate();
      this.#pool = new Pool(this.#jobs);
    }, finish);
    under.ended.catch(() => {}).finally(() => clearTimeout(kill));
  }

  #rest(): void {
    if (this.#patience) clearTimeout(this.#patience);
    this.#patience = null;
  }

  async close(): Promise<void> {
    this.stop(0);
    await this.#under?.ended;
    await this.#pool.terminate();
  }
}
