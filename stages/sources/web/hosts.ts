/** Turns at hosts: how many are asked at once, how long to wait between two questions, and when a host is let alone. */
import { setTimeout as pause } from 'node:timers/promises';
import { isSilence, Trouble } from './trouble.ts';

export interface Manners {
  /** Questions to one host at once. */
  readonly concurrency: number;
  /** Seconds between the starts of two questions to one host. */
  readonly delay: number;
}

interface Host {
  active: number;
  readonly waiting: (() => void)[];
  concurrency: number;
  delay: number;
  /** On the clock of `performance.now`: when the next question may start. */
  next: number;
  /** Questions in a row that nobody answered. */
  silent: number;
  /** Why it is asked no more. */
  closed: string | null;
}

/** Questions to all hosts together. */
const AT_ONCE = 32;
/** So many questions in a row without any answer: the rest would only wait, too. */
const SILENT = 8;
/** A host that wants to be left alone for longer, in seconds, is asked by the next build. */
const LONGEST_PAUSE = 120;

export class Hosts {
  readonly #manners: Manners;
  readonly #hosts = new Map<string, Host>();
  readonly #waiting: (() => void)[] = [];
  #active = 0;
  #heard = false;

  constructor(manners: Manners) {
    this.#manners = manners;
  }

  /** Does a piece of work when it is the host's turn. Rejects with Trouble when the host is let alone, or as the work does. */
  async turn<T>(origin: string, work: () => Promise<T>): Promise<T> {
    const host = this.#of(origin);
    while (host.active >= host.concurrency) await new Promise<void>(go => host.waiting.push(go));
    host.active++;
    try {
      await this.#start(host);
      while (this.#active >= AT_ONCE) await new Promise<void>(go => this.#waiting.push(go));
      this.#active++;
      try {
        const answer = await work();
        host.silent = 0;
        this.#heard = true;
        return answer;
      } catch (error) {
        if (error instanceof Trouble) {
          hear(host, error);
          this.#heard ||= !isSilence(error);
        }
        throw error;
      } finally {
        this.#active--;
        this.#waiting.shift()?.();
      }
    } finally {
      host.active--;
      host.waiting.shift()?.();
    }
  }

  /** As robots.txt asks: one question at a time, so many seconds apart. */
  slow(origin: string, seconds: number): void {
    const host = this.#of(origin);
    host.delay = Math.max(host.delay, seconds);
    host.concurrency = 1;
  }

  /** Lets a host alone for the rest of the build. */
  close(origin: string, why: string): void {
    this.#of(origin).closed ??= why;
  }

  /** Whether anybody has answered: then it is not this machine that is off the net. */
  get heard(): boolean {
    return this.#heard;
  }

  /** Whether it makes sense to ask again in this build. */
  isOpen(origin: string): boolean {
    return this.#of(origin).closed === null;
  }

  /** Whoever comes first when the time is up makes the others wait again. */
  async #start(host: Host): Promise<void> {
    for (;;) {
      if (host.closed !== null) throw new Trouble('transient', host.closed);
      const wait = host.next - performance.now();
      if (wait <= 0) break;
      await pause(wait);
    }
    host.next = performance.now() + host.delay * 1000;
  }

  #of(origin: string): Host {
    let host = this.#hosts.get(origin);
    if (!host) {
      const { concurrency, delay } = this.#manners;
      host = { active: 0, waiting: [], concurrency, delay, next: 0, silent: 0, closed: null };
      this.#hosts.set(origin, host);
    }
    return host;
  }
}

/** What a failed question says of its host. */
const hear = (host: Host, trouble: Trouble): void => {
  host.silent = isSilence(trouble) ? host.silent + 1 : 0;
  if (host.silent >= SILENT)
    host.closed = `its host gave no answer ${SILENT} times in a row, and is not asked any more`;
  if (trouble.after === null) return;
  if (trouble.after > LONGEST_PAUSE)
    host.closed = `its host asks to be left alone for ${Math.ceil(trouble.after / 60)} minutes`;
  else host.next = Math.max(host.next, performance.now() + trouble.after * 1000);
};
