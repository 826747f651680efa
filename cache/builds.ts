/**
 * The builds of each recipe, newest first, and what runs of each node have cost: for `plan`, `diff` and `explain`. Tables of
 * the store's own database: other machines that share its records have histories of their own.
 */
import type { DatabaseSync } from 'node:sqlite';

/** What the nodes of a recipe were when a build had ended. */
export interface PastBuild {
  /** Counts from 1 for each recipe. */
  readonly number: number;
  /** Unix seconds. */
  readonly at: number;
  /** Profiles and `--set`, in words; empty for the recipe as it stands. */
  readonly settings: string;
  /** Key by node: of those that it did not build, their key before. */
  readonly keys: Readonly<Record<string, string>>;
  /** What each node read, as `rows=text`. */
  readonly wiring: Readonly<Record<string, string>>;
}

/** What is looked at to know that nothing has changed since. */
export interface BuildMark {
  readonly number: number;
  /** Of the keys and all else that followed from the build. */
  readonly stamp: string;
}

/** What the largest of a node's last runs took. */
export interface Cost {
  readonly seconds: number;
  /** Rows that it computed; null where rows are not the unit. */
  readonly rows: number | null;
}

/** Builds kept of a recipe, and bytes of their keys beyond which older ones go sooner. */
const KEPT = 50;
const KEPT_BYTES = 16 << 20;

const TABLES = `
  CREATE TABLE IF NOT EXISTS builds (
    recipe TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, settings TEXT NOT NULL,
    stamp TEXT NOT NULL, keys TEXT NOT NULL, wiring TEXT NOT NULL, PRIMARY KEY (recipe, number)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS costs (
    recipe TEXT NOT NULL, node TEXT NOT NULL, seconds REAL NOT NULL, rows INTEGER, PRIMARY KEY (recipe, node)
  ) WITHOUT ROWID;
`;

interface BuildRow {
  readonly number: number;
  readonly at: number;
  readonly settings: string;
  readonly keys: string;
  readonly wiring: string;
}

export class Builds {
  readonly #db: DatabaseSync;
  #made: boolean | null = null;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** The newest build with these settings. */
  mark(recipe: string, settings: string): BuildMark | null {
    if (!this.#hasTables()) return null;
    const row = this.#db
      .prepare('SELECT number, stamp FROM builds WHERE recipe = ? AND settings = ? ORDER BY number DESC LIMIT 1')
      .get(recipe, settings) as { number: number; stamp: string } | undefined;
    return row ?? null;
  }

  /** Numbers of the builds that are kept, newest first. */
  numbers(recipe: string): number[] {
    if (!this.#hasTables()) return [];
    return this.#db
      .prepare('SELECT number FROM builds WHERE recipe = ? ORDER BY number DESC')
      .all(recipe)
      .map(row => (row as { number: number }).number);
  }

  recipes(): string[] {
    if (!this.#hasTables()) return [];
    const rows = this.#db.prepare('SELECT DISTINCT recipe FROM builds ORDER BY recipe').all();
    return (rows as { recipe: string }[]).map(r => r.recipe);
  }

  get(recipe: string, number: number): PastBuild | null {
    if (!this.#hasTables()) return null;
    const row = this.#db
      .prepare('SELECT number, at, settings, keys, wiring FROM builds WHERE recipe = ? AND number = ?')
      .get(recipe, number) as BuildRow | undefined;
    return row ? { ...row, keys: parsed(row.keys), wiring: parsed(row.wiring) } : null;
  }

  /** Adds a build and lets the oldest go. */
  add(recipe: string, build: Omit<PastBuild, 'number'>, stamp: string): void {
    this.#make();
    const keys = JSON.stringify(build.keys);
    const wiring = JSON.stringify(build.wiring);
    this.#db
      .prepare('INSERT INTO builds SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, ?, ? FROM builds WHERE recipe = ?')
      .run(recipe, build.at, build.settings, stamp, keys, wiring, recipe);
    const kept = Math.max(2, Math.min(KEPT, Math.floor(KEPT_BYTES / (keys.length + wiring.length))));
    this.#db
      .prepare(
        'DELETE FROM builds WHERE recipe = ? AND number <= (SELECT max(number) FROM builds WHERE recipe = ?) - ?',
      )
      .run(recipe, recipe, kept);
  }

  /** The same build, with something else beside its keys. */
  restamp(recipe: string, number: number, stamp: string): void {
    this.#db.prepare('UPDATE builds SET stamp = ? WHERE recipe = ? AND number = ?').run(stamp, recipe, number);
  }

  /** The keys of the newest `most` builds of every recipe: what must not be collected as garbage. */
  keys(most: number): Set<string> {
    const out = new Set<string>();
    if (!this.#hasTables()) return out;
    const rows = this.#db
      .prepare(
        'SELECT keys FROM builds AS b WHERE number > (SELECT max(number) FROM builds WHERE recipe = b.recipe) - ?',
      )
      .iterate(most);
    for (const row of rows) for (const key of Object.values(parsed((row as { keys: string }).keys))) out.add(key);
    return out;
  }

  cost(recipe: string, node: string): Cost | null {
    if (!this.#hasTables()) return null;
    const row = this.#db.prepare('SELECT seconds, rows FROM costs WHERE recipe = ? AND node = ?').get(recipe, node) as
      | Cost
      | undefined;
    return row ?? null;
  }

  /** Takes note of a run; one of far fewer rows than the last says little about a whole one, and is left out. */
  spent(recipe: string, runs: readonly (Cost & { readonly node: string })[]): void {
    if (runs.length === 0) return;
    this.#make();
    const set = this.#db.prepare(
      `INSERT INTO costs VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET seconds = excluded.seconds, rows = excluded.rows
       WHERE rows IS NULL OR excluded.rows IS NULL OR excluded.rows * 2 >= rows`,
    );
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const { node, seconds, rows } of runs) set.run(recipe, node, seconds, rows);
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #hasTables(): boolean {
    if (this.#made !== true) {
      const found = this.#db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name IN ('builds', 'costs')").get();
      this.#made = (found as { n: number }).n === 2;
    }
    return this.#made;
  }

  /** Not before something is to be written: a store that is only read may be read-only. */
  #make(): void {
    if (!this.#hasTables()) this.#db.exec(TABLES);
    this.#made = true;
  }
}

const parsed = (text: string): Record<string, string> => {
  try {
    return JSON.parse(text) as Record<string, string>;
  } catch {
    // A damaged page of the database: the history is only for people to look at.
    return {};
  }
};
