/**
 * Keeps a recipe's nodes up to date while people edit: looks at everything after each burst of changes, and builds what
 * differs. Two lanes: what is cheap follows every change at once; what takes long and was asked for comes after it, is
 * never stopped by a change, and runs again when it has ended if what it was built of has changed meanwhile.
 *
 *   change -> settled -> look -> mistakes   told
 *                             -> as before  nothing
 *                             -> new        cheap lane (a build there that came too early is stopped) -> asked lane
 */
import { secretValues } from '../engine/secrets.ts';
import { FailureError } from '../failure.ts';
import { Bell } from './bell.ts';
import { openEcho, type Span } from './echo.ts';
import { type Ended, Lane, type UnderWay } from './lane.ts';
import { type Found, Looker, type LookerOptions } from './looker.ts';
import { openSettling } from './settling.ts';
import { changedFiles, type Snapshot } from './snapshot.ts';
import { type Tell, Teller } from './teller.ts';
import { Tidying } from './tidying.ts';
import { type Left, leaveDear, type Wishes } from './wishes.ts';

export interface WatchOptions extends LookerOptions, Wishes {
  readonly jobs: number;
  readonly signal: AbortSignal;
  readonly tell: Tell;
}

/** Builds in a row that came to nothing, since files changed, after which one is let finish. */
const IN_A_ROW = 3;
/** Paths that are kept of those that were signalled. */
const SIGNALS = 40;
/** Mistakes of the command line or the store when they stand there at the start: nothing that is saved would mend them. */
const AT_START = new Set([
  ...['recipe-missing', 'usage', 'unknown-node', 'unknown-profile'],
  ...['store-version', 'store-corrupt', 'read-only'],
]);

/**
 * Resolves when `signal` has aborted and everything has ended in order, with whether something was interrupted. Throws
 * FailureError when there is nothing to watch.
 */
export const watch = (options: WatchOptions): Promise<boolean> => new Watch(options).run();

class Watch {
  readonly #o: WatchOptions;
  readonly #teller: Teller;
  readonly #looker: Looker;
  /** Calls for a look. */
  readonly #bell = new Bell();
  readonly #settling = openSettling(() => this.#bell.ring());
  readonly #tidying = new Tidying(() => this.#bell.ring());
  readonly #echo = openEcho();
  readonly #cheap: Lane;
  readonly #asked: Lane;
  /** What was last found in the files. */
  #found: Snapshot | null = null;
  /** Ids of what the lanes have been through last, however it ended. */
  #cheapDone: string | null = null;
  #askedDone: string | null = null;
  #ok = { cheap: true, asked: true };
  /** Nodes asked for that the cheap lane has left. */
  #toAsk: readonly string[] = [];
  /** Paths that a signal came for since the last look. */
  #signals = new Set<string>();
  /** Files changed since the last build. */
  #changed = new Set<string>();
  /** When the cheap lane was last at work. */
  #span: Span = { from: 0, to: 0 };
  #stoppedInARow = 0;
  #movedInARow = 0;
  /** Id of what has to wait, and until when on the clock of `performance`. */
  #held: string | null = null;
  #heldUntil = -Infinity;

  constructor(options: WatchOptions) {
    this.#o = options;
    this.#teller = new Teller(options.tell);
    this.#cheap = new Lane(options.jobs);
    this.#asked = new Lane(options.jobs);
    this.#looker = new Looker(options, {
      onChange: path => this.#onSignal(path),
      onWarn: message => this.#teller.warn(message),
    });
  }

  async run(): Promise<boolean> {
    const { signal } = this.#o;
    signal.addEventListener('abort', () => this.#bell.ring());
    this.#bell.ring();
    try {
      for (let first = true; ; first = false) {
        await this.#bell.wait();
        const look = signal.aborted ? [] : await this.#looker.look();
        if (signal.aborted) {
          if ('engine' in look) look.engine.close();
          return this.#isBusy;
        }
        if ('engine' in look) this.#onFound(look);
        else if (first && look.some(f => AT_START.has(f.reason))) throw new FailureError(look);
        else {
          this.#signals.clear();
          this.#teller.mistakes(look);
        }
        this.#rest();
      }
    } finally {
      this.#settling.close();
      await Promise.all([this.#looker.close(), this.#cheap.close(), this.#asked.close()]);
    }
  }

  get #isBusy(): boolean {
    return this.#cheap.under !== null || this.#asked.under !== null;
  }

  #onSignal(path: string | null): void {
    if (path !== null && this.#signals.size < SIGNALS) this.#signals.add(path);
    this.#stir();
    this.#settling.note();
  }

  #onFound(found: Found): void {
    const { engine, lock, snapshot } = found;
    const { id } = snapshot;
    if (!this.#found) this.#teller.watching(engine.graph.path, snapshot.nodes.length, snapshot.files.size);
    this.#signals.delete(lock.file.path);
    const isNew = this.#compare(snapshot);
    if (this.#cheap.under) {
      this.#supersede();
      if (isNew && !this.#cheap.under.stopped) this.#teller.noted(this.#changed);
    } else if (id !== this.#cheapDone) {
      if (this.#mayStart(id)) {
        this.#startCheap(found);
        return;
      }
    } else if (this.#toAsk.length > 0 && !this.#asked.under && this.#askedDone !== id) {
      this.#startAsked(found);
      return;
    }
    const message = this.#isBusy ? null : this.#tidying.tidy(engine, this.#o.env);
    if (message) this.#teller.warn(message);
    engine.close();
  }

  /** Takes note of what differs from the last look; whether anything does. */
  #compare(snapshot: Snapshot): boolean {
    const signals = this.#signals;
    const last = this.#found;
    this.#signals = new Set();
    this.#found = snapshot;
    this.#teller.mended();
    if (last?.id === snapshot.id && signals.size > 0) this.#teller.unchanged(signals);
    if (!last || last.id === snapshot.id) return false;
    for (const path of changedFiles(last, snapshot)) this.#changed.add(path);
    return true;
  }

  /** Not yet, where what has changed looks like the work of the last build. */
  #mayStart(id: string): boolean {
    if (this.#stoppedInARow > 0) return true;
    if (this.#held === id) return performance.now() >= this.#heldUntil;
    const delay = this.#echo.delay([...this.#changed], this.#span);
    if (delay === 0) return true;
    this.#held = id;
    this.#heldUntil = performance.now() + delay;
    setTimeout(() => this.#bell.ring(), delay + 1).unref();
    this.#teller.echo(this.#changed, delay);
    return false;
  }

  #startCheap(found: Found): void {
    const { id } = found.snapshot;
    const changed = this.#changed;
    const build = this.#teller.build(this.#cheapDone === null && changed.size === 0 ? 'first' : 'changed', changed);
    this.#changed = new Set();
    this.#span = { from: Date.now(), to: Infinity };
    const left: Left[] = [];
    const under = this.#start(this.#cheap, build, found, l => left.push(l));
    void this.#ended(under, ({ summary, moved }) => {
      const again = moved && !under.stopped && this.#movedInARow < IN_A_ROW;
      this.#span = { ...this.#span, to: Date.now() };
      this.#movedInARow = again ? this.#movedInARow + 1 : 0;
      this.#stoppedInARow = under.stopped ? this.#stoppedInARow + 1 : 0;
      if (again) this.#teller.superseded(build);
      this.#teller.ended(summary, build);
      if (again || under.stopped) {
        // What was not built is told with what comes instead.
        for (const path of changed) this.#changed.add(path);
        return;
      }
      this.#cheapDone = id;
      this.#ok.cheap = summary.ok;
      if (summary.nodes.some(n => n.state === 'built')) this.#tidying.made();
      this.#toAsk = left.filter(l => l.asked).map(l => l.name);
      this.#teller.left(left.filter(l => !l.asked));
    });
  }

  #startAsked(found: Found): void {
    const build = this.#teller.build('asked', [], this.#toAsk);
    const under = this.#start(this.#asked, build, found, null);
    void this.#ended(under, ({ summary }) => {
      this.#teller.ended(summary, build);
      this.#askedDone = found.snapshot.id;
      this.#ok.asked = summary.ok;
    });
  }

  /** `onLeft` is told of dear nodes, which are left; null where those that were asked for are built. */
  #start(lane: Lane, build: number, found: Found, onLeft: ((left: Left) => void) | null): UnderWay {
    const { env } = this.#o;
    const secrets = found.snapshot.nodes.flatMap(n => secretValues(n, env));
    this.#stir();
    return lane.start({
      ...found,
      number: build,
      env,
      // A training's result is pinned; the rest of what is saved on the way is not worth a line in git.
      settles: onLeft === null,
      leave: leaveDear(found.engine, this.#o, onLeft),
      emit: this.#teller.inBuild(build, secrets),
      onNodeEnd: () => {
        if (lane === this.#cheap) this.#supersede();
      },
    });
  }

  async #ended(under: UnderWay, then: (ended: Ended) => void): Promise<void> {
    const ended = await under.ended;
    then(ended);
    // What has changed meanwhile is looked at again, and so is what nobody told us of.
    this.#bell.ring();
  }

  #supersede(): void {
    // For somebody who never stops typing, too, there has to be a result at times.
    if (!this.#found || this.#teller.hasMistakes || this.#stoppedInARow >= IN_A_ROW) return;
    this.#cheap.supersede(this.#found, ({ number }) => this.#teller.superseded(number));
  }

  #stir(): void {
    this.#teller.stirred();
    this.#tidying.stirred();
  }

  #rest(): void {
    if (this.#isBusy || this.#bell.isRung || this.#settling.pending || performance.now() < this.#heldUntil) return;
    this.#tidying.rest();
    this.#teller.idle(!this.#teller.hasMistakes && this.#ok.cheap && this.#ok.asked);
  }
}
