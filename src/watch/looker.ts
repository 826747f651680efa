/** Looks at a recipe and at everything that it reads, which is watched by then: nothing slips through in between. */
import { resolve } from 'node:path';
import { type Engine, type EngineOptions, openEngine, selectNodes } from '../engine/engine.ts';
import { readLockFile } from '../engine/lock/lock-file.ts';
import type { BuildRun } from '../engine/run-build.ts';
import { type Failure, FailureError, systemFailure } from '../failure.ts';
import { Cover, type CoverEvents } from './cover.ts';
import { type Reads, readsOf, readsOfBroken } from './reads.ts';
import { type Snapshot, takeSnapshot } from './snapshot.ts';

/** Looks that find something new to watch, after which one counts all the same: somebody may never stop. */
const MOST = 3;

/** Enough for one build. */
export interface Found {
  /** The caller's to close. */
  readonly engine: Engine;
  readonly lock: NonNullable<BuildRun['lock']>;
  readonly snapshot: Snapshot;
}

export type LookerOptions = EngineOptions & { readonly names: readonly string[] };

export class Looker {
  readonly #options: LookerOptions;
  readonly #cover: Cover;
  readonly #onChange: CoverEvents['onChange'];
  /** Of the last recipe that could be loaded. */
  #reads: Reads | null = null;

  constructor(options: LookerOptions, events: CoverEvents) {
    this.#options = options;
    this.#onChange = events.onChange;
    this.#cover = new Cover(events);
  }

  /** Everything that a build needs, or the mistakes that stand there instead. */
  async look(): Promise<Found | readonly Failure[]> {
    for (let n = 1; ; n++) {
      const look = await this.#once(n === MOST);
      if (look) return look;
    }
  }

  close(): Promise<void> {
    return this.#cover.close();
  }

  /** Null when what it reads was not watched while it was looked at; where that has to do (`last`), a change is feigned. */
  async #once(last: boolean): Promise<Found | readonly Failure[] | null> {
    const { names, profiles, set } = this.#options;
    let engine: Engine | null = null;
    let reads: Reads | null = null;
    try {
      engine = await openEngine(this.#options);
      const nodes = selectNodes(engine.graph, names);
      reads = readsOf(engine.graph, nodes, engine.project);
      this.#reads = reads;
      if (await this.#cover.over(reads)) {
        if (last) this.#onChange(null);
        else {
          engine.close();
          return null;
        }
      }
      const lock = { file: readLockFile(engine.graph.path), profiles, set, locked: false };
      return { engine, lock, snapshot: takeSnapshot(engine, nodes, reads.written) };
    } catch (error) {
      engine?.close();
      const failures = expected(error);
      reads ??= readsOfBroken(resolve(this.#options.recipe), this.#reads);
      if (!(await this.#cover.over(reads))) return failures;
      if (last) this.#onChange(null);
      return last ? failures : null;
    }
  }
}

/** Throws what nobody expects. */
const expected = (error: unknown): readonly Failure[] => {
  if (error instanceof FailureError) return error.failures;
  const failure = systemFailure(error, 'looking at the recipe');
  if (!failure) throw error;
  return [failure];
};
