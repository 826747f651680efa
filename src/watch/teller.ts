/** Says what happens while a recipe is watched: numbers the builds, names a few of many files, and says nothing twice. */
import { relative } from 'node:path';
import type { BuildEvent, Emit, WatchEvent } from '../events.ts';
import type { Failure } from '../failure.ts';
import type { Left } from './wishes.ts';

/** `build` is the number of the build that an event belongs to; `secrets` are values to keep out of it. */
export type Tell = (event: BuildEvent | WatchEvent, build: number | null, secrets: readonly string[]) => void;

/** Files that an event names; the rest are counted. */
const NAMED = 20;

export class Teller {
  readonly #tell: Tell;
  #builds = 0;
  #mistakes: string | null = null;
  readonly #left = new Set<string>();
  #isIdle = false;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  /** Whether mistakes stand there that have been told. */
  get hasMistakes(): boolean {
    return this.#mistakes !== null;
  }

  watching(recipe: string, nodes: number, files: number): void {
    this.#say({ type: 'watch', state: 'watching', recipe: relative(process.cwd(), recipe), nodes, files });
  }

  /** Returns the build's number. */
  build(why: 'first' | 'changed' | 'asked', changed: Iterable<string>, asked: readonly string[] = []): number {
    const build = ++this.#builds;
    this.#say({ type: 'watch', state: 'build', build, why, ...named(changed), asked }, build);
    return build;
  }

  /** What a build has to say, its values of secrets taken out by whoever listens. */
  inBuild(build: number, secrets: readonly string[]): Emit {
    return event => this.#tell(event, build, secrets);
  }

  superseded(build: number): void {
    this.#say({ type: 'watch', state: 'superseded', build }, build);
  }

  ended(summary: Extract<BuildEvent, { type: 'summary' }>, build: number): void {
    this.#tell(summary, build, []);
  }

  /** The same again is no news. */
  mistakes(failures: readonly Failure[]): void {
    const text = JSON.stringify(failures);
    if (text === this.#mistakes) return;
    this.#mistakes = text;
    const build = ++this.#builds;
    this.#tell({ type: 'mistakes', failures }, build, []);
    this.ended({ type: 'summary', ok: false, seconds: 0, nodes: [] }, build);
  }

  mended(): void {
    this.#mistakes = null;
  }

  unchanged(paths: Iterable<string>): void {
    this.#say({ type: 'watch', state: 'unchanged', ...named(paths) });
  }

  noted(paths: Iterable<string>): void {
    this.#say({ type: 'watch', state: 'noted', ...named(paths) });
  }

  echo(paths: Iterable<string>, milliseconds: number): void {
    this.#say({ type: 'watch', state: 'echo', seconds: milliseconds / 1000, ...named(paths) });
  }

  warn(message: string): void {
    this.#say({ type: 'watch', state: 'warn', message });
  }

  /** Once what no save builds, and again when it is something else. */
  left(left: readonly Left[]): void {
    const text = left.map(l => l.name).join(' ');
    if (text === '' || this.#left.has(text)) return;
    this.#left.add(text);
    this.#say({ type: 'watch', state: 'left', nodes: left.map(({ name, because }) => ({ name, because })) });
  }

  idle(ok: boolean): void {
    if (this.#isIdle) return;
    this.#isIdle = true;
    this.#say({ type: 'watch', state: 'idle', ok });
  }

  /** Somebody has done something: the next rest is told again. */
  stirred(): void {
    this.#isIdle = false;
  }

  #say(event: WatchEvent, build: number | null = null): void {
    this.#tell(event, build, []);
  }
}

/** The first few of the files, as people name them. */
const named = (paths: Iterable<string>): { changed: string[]; more: number } => {
  const all = [...paths].map(path => relative(process.cwd(), path));
  return { changed: all.slice(0, NAMED), more: Math.max(0, all.length - NAMED) };
};
