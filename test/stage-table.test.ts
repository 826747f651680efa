/** The README's table of stages: one line each, and no link that leads nowhere. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { firstSentence, readme } from '../schemas/stage-table.ts';
import { SECTIONS, stageNames } from '../src/stages.ts';

const root = new URL('../', import.meta.url);
const table = readme().split('<!-- stages')[1]!.split('<!-- /stages')[0]!;

describe('the table of stages', () => {
  test('has every stage of every section, once', () => {
    const found = [...table.matchAll(/\| \[`([a-z0-9-]+)`\]/g)].map(m => m[1]);
    expect(found).toEqual(SECTIONS.flatMap(stageNames));
  });

  test('links to parts of the guide that are there', () => {
    const links = [...table.matchAll(/\]\((docs\/[^#)]+)(?:#([^)]+))?\)/g)];
    expect(links.length).toBeGreaterThan(10);
    for (const [, path, anchor] of links) {
      expect(existsSync(new URL(path!, root)), path).toBe(true);
      const slugs = [...readFileSync(new URL(path!, root), 'utf8').matchAll(/^#+ (.+)$/gm)].map(m =>
        m[1]!
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      );
      if (anchor !== undefined) expect(slugs, path).toContain(anchor);
    }
  });

  test('says of each the first sentence, of a long one what stands before its colon', () => {
    expect(firstSentence('Reads files, e.g. pages. More.')).toBe('Reads files, e.g. pages');
    expect(firstSentence('Rows by DuckDB. `from: a` names.')).toBe('Rows by DuckDB');
    expect(firstSentence(`Short head: ${'and very much more of it '.repeat(6)}. Next.`)).toBe('Short head');
  });
});
