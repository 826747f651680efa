/**
 * Records: what each key's result was, and what each node of a recipe last built. They are a table of the store's database;
 * a team shares those of keys by URL besides (`team.ts`). A record is only ever written after the blobs that it names are
 * durable.
 *
 *   get ──> here? ──> yes                            publish ──> to the team, if nobody was first ──> here
 *            └> the team's? ──> its blobs brought here             └> else theirs is taken, and ours dropped
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type BaseOf, setBase } from './bases.ts';
import { type NodeHistory, type NodeRecord, recordOf, seal, stageOf, unseal } from './node-record.ts';
import { prepared, transaction } from './schema.ts';

export type { NodeHistory, NodeRecord, StoredOutput } from './node-record.ts';

/** What a team shares: records by URL, and where their blobs can be had. Opened when it is first needed. */
export interface Team {
  /** The record of a key, as published. */
  get(key: string): Promise<string | null>;
  /** Keeps the first that is published under a key; returns the one that counts. */
  publish(key: string, sealed: string): Promise<string>;
  /** Whether there is somewhere to have blobs from. */
  readonly hasBlobs: boolean;
  /** Brings the blobs of a record here that are missing; whether all of them are here then. */
  obtain(record: NodeRecord): Promise<boolean>;
  close(): void;
}

/** A record as somebody keeps it, with what is known of its use. */
export interface KeptRecord {
  readonly key: string;
  readonly record: NodeRecord;
  /** When it was last looked up, Unix seconds; no more exact than a day. */
  readonly used: number;
  /** The node that it was last made or looked up for. */
  readonly recipe: string | null;
  readonly node: string | null;
}

const DAY = 86_400;

export class Records {
  readonly #db: DatabaseSync;
  readonly #team: Team | null;
  readonly #get: StatementSync;
  /** Keys looked up here whose last use is more than a day ago. */
  readonly #touched = new Set<string>();
  /** Keys of which the team has a record whose blobs cannot be had: what is made of them here stays here. */
  readonly #passed = new Set<string>();
  #caughtUp = false;
  /** Hears what people should know about records of the team. */
  onWarning: (message: string) => void = () => {};

  constructor(db: DatabaseSync, team: Team | null = null) {
    this.#db = db;
    this.#team = team;
    this.#get = prepared(
      db,
      'SELECT value, (SELECT used FROM uses WHERE key = ?1) AS used FROM records WHERE key = ?2',
    );
  }

  /** The record of a key, or null: also when what is stored cannot be read back whole. */
  async get(key: string): Promise<NodeRecord | null> {
    const row = this.#get.get(key, `node:${key}`) as { value: string; used: number | null } | undefined;
    const record = row ? unseal<NodeRecord>(row.value) : null;
    if (record) {
      if (Math.abs(now() - (row!.used ?? 0)) > DAY) this.#touched.add(key);
      if (this.#team?.hasBlobs) await this.#team.obtain(record);
      return record;
    }
    return this.#team && (await this.#theirs(key, this.#team));
  }

  /**
   * Keeps the first record published under a key, and returns the one that counts. With `over`, it takes the place of one
   * that is here; `forced` says that the user asked for it, whatever the team has. `of` is the node that it was made for.
   */
  async publish(key: string, record: NodeRecord, over: boolean | 'forced' = false, of?: BaseOf): Promise<NodeRecord> {
    const first = over ? null : await this.get(key);
    if (first) return first;
    const counts = this.#team && over !== 'forced' ? await this.#share(key, record, this.#team) : record;
    transaction(this.#db, () => {
      this.#keep(key, counts);
      if (!of) return;
      this.#remember(of.recipe, of.node, key);
      if (counts.alignment !== null) setBase(this.#db, of, key);
    });
    return counts;
  }

  async forget(key: string): Promise<void> {
    prepared(this.#db, 'DELETE FROM records WHERE key = ?').run(`node:${key}`);
  }

  /** `recipe` is the recipe's path relative to the project. */
  async history(recipe: string, node: string): Promise<NodeHistory | null> {
    return this.#history(recipe, node);
  }

  #history(recipe: string, node: string): NodeHistory | null {
    const row = this.#get.get('', `last:${recipe}:${node}`) as { value: string } | undefined;
    return row ? unseal<NodeHistory>(row.value) : null;
  }

  /** What a node of a recipe is from now on. */
  async remember(recipe: string, node: string, key: string): Promise<void> {
    this.#remember(recipe, node, key);
  }

  #remember(recipe: string, node: string, key: string): void {
    const last = this.#history(recipe, node);
    if (last?.key === key) return;
    const value = seal({ key, previous: last?.key ?? null } satisfies NodeHistory);
    transaction(this.#db, () => {
      this.#set(`last:${recipe}:${node}`, value);
      prepared(
        this.#db,
        `INSERT INTO uses VALUES (?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET used = excluded.used, recipe = excluded.recipe, node = excluded.node`,
      ).run(key, now(), recipe, node);
    });
    this.#touched.delete(key);
  }

  /** Every record that can be read. */
  *all(): Generator<KeptRecord> {
    const rows = this.#db
      .prepare(
        `SELECT substr(r.key, 6) AS key, value, used, recipe, node FROM records AS r
         LEFT JOIN uses ON uses.key = substr(r.key, 6) WHERE r.key >= 'node:' AND r.key < 'node;'`,
      )
      .iterate();
    for (const row of rows) {
      const { value, used, ...rest } = row as unknown as Omit<KeptRecord, 'record'> & { value: string };
      const record = unseal<NodeRecord>(value);
      if (record) yield { ...rest, used: used ?? record.made, record };
    }
  }

  /** What each node of each recipe was at its last two builds. */
  histories(): { readonly recipe: string; readonly node: string; readonly history: NodeHistory }[] {
    const rows = prepared(this.#db, "SELECT key, value FROM records WHERE key >= 'last:' AND key < 'last;'").all();
    return (rows as { key: string; value: string }[]).flatMap(({ key, value }) => {
      const history = unseal<NodeHistory>(value);
      const [, recipe, node] = /^last:(.*):([^:]*)$/.exec(key) ?? [];
      return history && recipe !== undefined && node !== undefined ? [{ recipe, node, history }] : [];
    });
  }

  /** Takes note of what was looked up. */
  save(): void {
    if (this.#touched.size === 0) return;
    const touch = prepared(
      this.#db,
      'INSERT INTO uses VALUES (?, ?, NULL, NULL) ON CONFLICT DO UPDATE SET used = excluded.used',
    );
    transaction(this.#db, () => {
      for (const key of this.#touched) touch.run(key, now());
    });
    this.#touched.clear();
  }

  close(): void {
    this.#team?.close();
  }

  async #theirs(key: string, team: Team): Promise<NodeRecord | null> {
    if (this.#passed.has(key)) return null;
    await this.#catchUp(team);
    const sealed = await team.get(key);
    const record = sealed === null ? null : recordOf(key, sealed);
    if (!record) return null;
    if (await team.obtain(record)) {
      this.#keep(key, record);
      return record;
    }
    this.#passed.add(key);
    this.onWarning(
      `${stageOf(record)} has been made by somebody else (in ${Math.round(record.seconds)} s), but its result is neither here nor at FINETUNE_BLOBS: it is made again`,
    );
    return null;
  }

  /** Tells the team of what it could not be told when it was made. */
  async #catchUp(team: Team): Promise<void> {
    if (this.#caughtUp) return;
    const keys = prepared(this.#db, "SELECT key FROM records WHERE key >= 'unshared:' AND key < 'unshared;'").all();
    for (const { key: mark } of keys as { key: string }[]) {
      const key = mark.slice('unshared:'.length);
      const row = this.#get.get(key, `node:${key}`) as { value: string } | undefined;
      if (row) await team.publish(key, row.value);
      prepared(this.#db, 'DELETE FROM records WHERE key = ?').run(mark);
    }
    this.#caughtUp = true;
  }

  /** The record that counts, of ours and one that the team may have had before. */
  async #share(key: string, ours: NodeRecord, team: Team): Promise<NodeRecord> {
    // Rows that failed for a while are tried again: nobody else should have to live with them.
    if (this.#passed.has(key) || (ours.tallies.again ?? 0) > 0) return ours;
    let winner: string;
    try {
      await this.#catchUp(team);
      const sealed = seal(ours);
      winner = await team.publish(key, sealed);
      if (winner === sealed) return ours;
    } catch (error) {
      // It has been made, perhaps at a great price: it counts here, and for the team as soon as it can be told.
      this.#set(`unshared:${key}`, '');
      this.onWarning(`the record of ${stageOf(ours)} is kept here only: ${(error as Error).message}`);
      return ours;
    }
    const theirs = recordOf(key, winner);
    return theirs && (await team.obtain(theirs)) ? theirs : ours;
  }

  #keep(key: string, record: NodeRecord): void {
    transaction(this.#db, () => {
      this.#set(`node:${key}`, seal(record));
      prepared(
        this.#db,
        'INSERT INTO uses VALUES (?, ?, NULL, NULL) ON CONFLICT DO UPDATE SET used = excluded.used',
      ).run(key, now());
    });
  }

  #set(key: string, value: string): void {
    prepared(this.#db, 'INSERT OR REPLACE INTO records VALUES (?, ?)').run(key, value);
  }
}

const now = (): number => Math.floor(Date.now() / 1000);
