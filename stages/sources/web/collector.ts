/** Brings many pages: those that are kept are not asked for, the others in turn, host by host; what cannot be had is noted. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Answers, Head } from './answers.ts';
import { type Content, read } from './content.ts';
import type { Fetch } from './fetch.ts';
import { BACK_OFF, Trouble, UNKNOWN_HOST } from './trouble.ts';

/** What became of an address. */
export type Outcome = { readonly page: Head; readonly content: Content } | { readonly trouble: Trouble };

/**
 * Brings many pages at once into `answers`. Returns what it could not bring: those troubled stay so; with null the page is
 * asked for on its own.
 */
export type Batch = (addresses: readonly string[]) => Promise<ReadonlyMap<string, Trouble | null>>;

export interface CollectorTools {
  readonly answers: Answers;
  /** Null where there is only the batch. */
  readonly fetch: Fetch | null;
  readonly batch: Batch | null;
  /** Questions to one host at once. */
  readonly concurrency: number;
  /** How often a page is asked for again in the same build. */
  readonly retries: number;
  /** The origin whose turns an address takes: its own, or that of the service that brings it. */
  readonly turnOf: (address: string) => string;
  /** Whether asking again may help. */
  isOpen(origin: string): boolean;
  /** Whether anybody at all has answered. */
  isOnline(): boolean;
  /** Called after each page. */
  progress(done: number, total: number): void;
}

export class Collector {
  readonly #tools: CollectorTools;
  readonly #troubles = new Map<string, Trouble>();
  /** Set by an error that ends everything. */
  #failed = false;
  #done = 0;
  #total = 0;

  constructor(tools: CollectorTools) {
    this.#tools = tools;
  }

  /** Resolves when each of them has an outcome. Rejects with what ends the whole node: StageError, a full disk. */
  async collect(addresses: readonly string[]): Promise<void> {
    const { answers, batch, fetch, turnOf, concurrency } = this.#tools;
    let missing = addresses.filter(address => !answers.find(address)?.holds);
    this.#total += addresses.length;
    this.#done += addresses.length - missing.length;
    this.#told();
    if (batch && missing.length > 0) {
      const left = await batch(missing);
      for (const [address, trouble] of left) if (trouble) this.#troubles.set(address, trouble);
      const alone = missing.filter(address => left.get(address) === null);
      this.#done += missing.length - alone.length;
      this.#told();
      missing = alone;
    }
    if (!fetch) return;
    const hosts = new Map<string, string[]>();
    for (const address of missing.toReversed()) {
      const turn = turnOf(address);
      const queue = hosts.get(turn);
      if (queue) queue.push(address);
      else hosts.set(turn, [address]);
    }
    const loops = [...hosts.values()].flatMap(queue =>
      Array.from({ length: Math.min(concurrency, queue.length) }, () => this.#work(queue, fetch)),
    );
    await Promise.all(loops);
    this.#judgeNames();
  }

  /** The page of an address, unread, or why there is none. */
  page(address: string): { readonly page: Head } | { readonly trouble: Trouble } {
    const trouble = this.#troubles.get(address);
    if (trouble) return { trouble };
    const found = this.#tools.answers.find(address);
    if (!found) throw new Error(`${address} was never asked for`);
    if ('page' in found.answer) return found.answer;
    const { kind, reason, status } = found.answer.refusal;
    return { trouble: new Trouble(kind, reason, { status }) };
  }

  outcome(address: string): Outcome {
    const { answers } = this.#tools;
    const found = this.page(address);
    if ('trouble' in found) return found;
    const { page } = found;
    const kept = answers.content(address);
    if (kept) return { page, content: kept };
    try {
      const content = read({ ...page, body: answers.body(address) });
      answers.reread(address, content);
      return { page, content };
    } catch (error) {
      if (error instanceof Trouble) return { trouble: error };
      throw error;
    }
  }

  /** Takes addresses from the end of a queue until it is empty. */
  async #work(queue: string[], fetch: Fetch): Promise<void> {
    for (let address = queue.pop(); address !== undefined && !this.#failed; address = queue.pop()) {
      try {
        await this.#bring(address, fetch);
      } catch (error) {
        this.#failed = true;
        throw error;
      }
      this.#done++;
      this.#told();
    }
  }

  async #bring(address: string, fetch: Fetch): Promise<void> {
    const { answers, retries, isOpen, turnOf } = this.#tools;
    const known = answers.find(address)?.answer;
    const before = known && 'page' in known ? known.page : null;
    for (let attempt = 0; ; attempt++) {
      try {
        const fetched = await fetch(address, before);
        if (fetched) answers.keep(address, fetched.page, fetched.content);
        else answers.hold(address);
        this.#troubles.delete(address);
        return;
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        const { kind, message: reason, status } = error;
        if (kind !== 'transient') {
          this.#troubles.delete(address);
          return answers.refuse(address, { kind, reason, status });
        }
        this.#troubles.set(address, error);
        if (attempt >= retries || !isOpen(turnOf(address))) return;
        // Where the server has said how long, its host's next turn is no sooner.
        if (error.after === null) await pause(BACK_OFF * 2 ** attempt * 1000);
      }
    }
  }

  /** A name that nobody knows is dead, once it is clear that other names are known here. */
  #judgeNames(): void {
    if (!this.#tools.isOnline()) return;
    for (const [address, { message, status }] of this.#troubles) {
      if (message !== UNKNOWN_HOST) continue;
      this.#troubles.delete(address);
      this.#tools.answers.refuse(address, { kind: 'dead', reason: message, status });
    }
  }

  #told(): void {
    this.#tools.progress(this.#done, this.#total);
  }
}
