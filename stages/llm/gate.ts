/**
 * The gate before a server: how many may be asked for at a time, how many requests and tokens a minute, and nobody at all
 * while it says to wait or does not answer. One gate serves all nodes of this process that ask the same model there.
 */

/** What one asker holds itself to. */
export interface Limits {
  readonly concurrency: number;
  readonly requests_per_minute?: number;
  readonly tokens_per_minute?: number;
}

/** Time, where tests come between. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Calls back once; what is returned calls it off. */
  after(ms: number, call: () => void): () => void;
  /** In [0, 1). */
  random(): number;
}

export const clock: Clock = {
  now: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

/** The server cannot be asked now; another build may find it well. */
export class Unavailable extends Error {}

/** A request that has been let in. */
export interface Pass {
  /** What it has really cost. */
  used(tokens: number): void;
  leave(): void;
}

interface Waiting {
  readonly limits: Limits;
  readonly tokens: number;
  go(pass: Pass): void;
  refuse(error: Error): void;
}

const MINUTE = 60_000;
/**
 * When as many requests fail one after another as may be under way at a time (five at least), it is the server: all wait,
 * twice as long after each such round. After the last round nobody is let in any more.
 */
const LEAST_ROUND = 5;
const FIRST_PAUSE = 500;
const ROUNDS = 5;
/** Milliseconds for which the gate stays shut then: the rows of this build are told at once, the next build tries again. */
const SHUT = 30_000;

export class Gate {
  readonly #clock: Clock;
  #inside = 0;
  /** Requests of the last minute, the oldest first. */
  #started: { readonly at: number; tokens: number }[] = [];
  readonly #queue: Waiting[] = [];
  #pausedUntil = 0;
  #failures = 0;
  /** The most that anybody lets in at a time. */
  #concurrency = 1;
  #shut: { readonly until: number; readonly why: string } | null = null;
  #callOff: (() => void) | null = null;

  constructor(time: Clock = clock) {
    this.#clock = time;
  }

  /** In order. Rejects with Unavailable while the gate is shut, and with the signal's reason. */
  enter(limits: Limits, tokens: number, signal: AbortSignal): Promise<Pass> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const refused = this.#refusal();
      if (refused) throw refused;
      this.#concurrency = Math.max(this.#concurrency, limits.concurrency);
      const leave = (): void => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1);
        reject(signal.reason as Error);
        this.#serve();
      };
      const waiting: Waiting = {
        limits,
        tokens,
        go: pass => {
          signal.removeEventListener('abort', leave);
          resolve(pass);
        },
        refuse: error => {
          signal.removeEventListener('abort', leave);
          reject(error);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#queue.push(waiting);
      this.#serve();
    });
  }

  /** The server asks for a rest. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#clock.now() + ms);
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /** It did not answer, or said that it cannot. */
  failed(why: string): void {
    this.#failures++;
    const round = this.#failures / Math.max(LEAST_ROUND, this.#concurrency);
    if (!Number.isInteger(round) || this.#refusal()) return;
    if (round < ROUNDS) {
      this.pause(FIRST_PAUSE * 2 ** (round - 1));
      return;
    }
    this.#shut = { until: this.#clock.now() + SHUT, why: `after ${this.#failures} failures in a row: ${why}` };
    this.#failures = 0;
    const refusal = this.#refusal()!;
    for (const waiting of this.#queue.splice(0)) waiting.refuse(refusal);
  }

  #refusal(): Unavailable | null {
    if (!this.#shut || this.#clock.now() >= this.#shut.until) return null;
    return new Unavailable(`the server is left alone ${this.#shut.why}`);
  }

  #serve(): void {
    this.#callOff?.();
    this.#callOff = null;
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      const wait = this.#wait(first);
      // Until somebody leaves.
      if (wait === null) return;
      if (wait > 0) {
        this.#callOff = this.#clock.after(wait, () => this.#serve());
        return;
      }
      this.#queue.shift();
      first.go(this.#admit(first.tokens));
    }
  }

  #admit(tokens: number): Pass {
    const entry = { at: this.#clock.now(), tokens };
    this.#started.push(entry);
    this.#inside++;
    let left = false;
    return {
      used: n => {
        entry.tokens = n;
      },
      leave: () => {
        if (left) return;
        left = true;
        this.#inside--;
        this.#serve();
      },
    };
  }

  /** Milliseconds until it may go in; null until somebody leaves. */
  #wait({ limits, tokens }: Waiting): number | null {
    if (this.#inside >= limits.concurrency) return null;
    const now = this.#clock.now();
    while (this.#started[0] && this.#started[0].at <= now - MINUTE) this.#started.shift();
    let until = this.#pausedUntil;
    const { requests_per_minute: requests, tokens_per_minute: most } = limits;
    if (requests !== undefined && this.#started.length >= requests)
      until = Math.max(until, this.#started[this.#started.length - requests]!.at + MINUTE);
    if (most !== undefined) {
      // What alone is more than a minute may hold goes when nothing else does.
      let sum = this.#started.reduce((n, s) => n + s.tokens, 0);
      for (const { at, tokens: theirs } of this.#started) {
        if (sum + tokens <= most) break;
        sum -= theirs;
        until = Math.max(until, at + MINUTE);
      }
    }
    return Math.max(0, until - now);
  }
}

const gates = new Map<string, Gate>();

/** The gate of all who ask this model there. */
export const gateOf = (url: URL, model: string): Gate => {
  const name = `${url.href} ${model}`;
  let gate = gates.get(name);
  if (!gate) gates.set(name, (gate = new Gate()));
  return gate;
};
