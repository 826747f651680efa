/**
 * Which run a new one can go on from: by what both depend on besides their rows (`print`), the key of the last one. That of
 * the same node comes first: two recipes with equal stages on other rows must not take turns. A shortcut only.
 */
import type { DatabaseSync } from 'node:sqlite';
import { prepared } from './schema.ts';

export interface BaseOf {
  readonly print: string;
  readonly recipe: string;
  readonly node: string;
}

const own = ({ print, recipe, node }: BaseOf): string => `base:${print}:${recipe}:${node}`;
const any = ({ print }: BaseOf): string => `base:${print}`;

export const baseKey = (db: DatabaseSync, of: BaseOf): string | null => {
  const find = prepared(db, 'SELECT value FROM records WHERE key = ?');
  for (const name of [own(of), any(of)]) {
    const row = find.get(name) as { value: string } | undefined;
    if (row) return row.value;
  }
  return null;
};

export const setBase = (db: DatabaseSync, of: BaseOf, key: string): void => {
  const set = prepared(db, 'INSERT OR REPLACE INTO records VALUES (?, ?)');
  for (const name of [own(of), any(of)]) set.run(name, key);
};
