/** The projects that build into a store: where their recipes and lock files are, which say what must stay in it. */
import type { DatabaseSync } from 'node:sqlite';

export const projects = (db: DatabaseSync): string[] =>
  (db.prepare('SELECT folder FROM projects ORDER BY folder').all() as { folder: string }[]).map(r => r.folder);

export const addProject = (db: DatabaseSync, folder: string): void => {
  if (db.prepare('SELECT 1 FROM projects WHERE folder = ?').get(folder)) return;
  db.prepare('INSERT OR IGNORE INTO projects VALUES (?)').run(folder);
};
