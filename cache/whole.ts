/**
 * What has been seen whole, so that it need not be looked up blob by blob again: true until a blob is taken out of the
 * store or found lost, which begins a new generation.
 *
 *   generation A    whole: x, y        a mark counts only in the generation
 *   forget(blob)    -> generation B    in which its look-up began: whatever was
 *   whole: (none)                      lost since may belong to what it marks
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Look } from './packs.ts';
import { newGeneration, prepared, transaction } from './schema.ts';
import type { IndexRow } from './writing.ts';

export class Whole {
  readonly #db: DatabaseSync;
  readonly #generation: StatementSync;
  readonly #find: StatementSync;
  /** The generation in which each look-up that is under way began. */
  readonly #asked = new Map<string, string>();
  readonly #first: string;
  #marks: { readonly name: string; readonly loose: readonly string[]; readonly generation: string }[] = [];

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#generation = db.prepare('SELECT generation FROM meta');
    this.#find = db.prepare('SELECT loose FROM whole WHERE name = ?');
    this.#first = this.generation();
  }

  generation(): string {
    return (this.#generation.get() as { generation: string }).generation;
  }

  /** The loose blobs of something known to be whole but for them, or null. */
  known(name: string): readonly string[] | null {
    const row = this.#find.get(Buffer.from(name, 'hex')) as { loose: string } | undefined;
    if (row) return row.loose === '' ? [] : row.loose.split(' ');
    // The older one, if it is asked for twice: what was lost in between may have been looked up already.
    if (!this.#asked.has(name)) this.#asked.set(name, this.generation());
    return null;
  }

  /** Takes note that everything of `name` is there; kept with the next `save`. */
  mark(name: string, loose: readonly string[]): void {
    this.#marks.push({ name, loose, generation: this.#asked.get(name) ?? this.#first });
    this.#asked.delete(name);
  }

  /** `least`: fewer are left for later. */
  save(least = 1): void {
    if (this.#marks.length < least) return;
    const marks = this.#marks;
    this.#marks = [];
    transaction(this.#db, () => {
      const now = this.generation();
      const insert = prepared(this.#db, 'INSERT OR REPLACE INTO whole VALUES (?, ?)');
      for (const { name, loose, generation } of marks)
        if (generation === now) insert.run(Buffer.from(name, 'hex'), loose.join(' '));
    });
  }
}

/** To be called in the transaction that takes blobs out of the index, or finds that some have gone. */
export const beginGeneration = (db: DatabaseSync): void => {
  db.exec('DELETE FROM whole');
  db.prepare('UPDATE meta SET generation = ?').run(newGeneration());
};

/** To be called where a blob of something that had been seen whole is not even in the index, which must be damaged. */
export const forgetAllWhole = (db: DatabaseSync): void => transaction(db, () => beginGeneration(db));

/** Takes a blob out of the index, unless somebody else has put it in order meanwhile. */
export const forgetBlob = (db: DatabaseSync, digest: string, { pack, offset }: IndexRow): void =>
  transaction(db, () => {
    db.prepare('DELETE FROM blobs WHERE digest = ? AND pack = ? AND offset = ?').run(
      Buffer.from(digest, 'hex'),
      pack,
      offset,
    );
    beginGeneration(db);
  });

/** Keeps what a look at the packs has found to be gone, or there again. */
export const noteLosses = (db: DatabaseSync, { changed, isLess }: Look): void => {
  if (changed.length === 0) return;
  transaction(db, () => {
    const set = db.prepare('UPDATE packs SET found = ? WHERE id = ?');
    for (const { id, found } of changed) set.run(found, id);
    if (isLess) beginGeneration(db);
  });
};
