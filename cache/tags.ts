/** Names that people give to results, so that they stay: each a set of keys. */
import type { DatabaseSync } from 'node:sqlite';
import { transaction } from './schema.ts';

/** Keys by name. */
export const tags = (db: DatabaseSync): Map<string, string[]> => {
  const out = new Map<string, string[]>();
  const rows = db.prepare('SELECT name, key FROM tags ORDER BY name, key').all() as { name: string; key: string }[];
  for (const { name, key } of rows) out.set(name, [...(out.get(name) ?? []), key]);
  return out;
};

/** Gives the name to these keys, and to no others. */
export const setTag = (db: DatabaseSync, name: string, keys: Iterable<string>): void =>
  transaction(db, () => {
    db.prepare('DELETE FROM tags WHERE name = ?').run(name);
    const insert = db.prepare('INSERT OR IGNORE INTO tags VALUES (?, ?)');
    for (const key of keys) insert.run(name, key);
  });

/** Whether there was one. */
export const removeTag = (db: DatabaseSync, name: string): boolean =>
  db.prepare('DELETE FROM tags WHERE name = ?').run(name).changes > 0;
