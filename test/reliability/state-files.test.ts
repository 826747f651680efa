/**
 * Every file in which a build keeps something for the next one, cut short at any length and with any bit turned over: the next
 * build makes again what it must, and gives what a clean build gives.
 */
import '../rig/fine-grain.ts';
import { cpSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Pool } from '../../src/engine/pool.ts';
import { often, SEED, within } from '../rig/effort.ts';
import { EARLIER, LATER } from '../rig/every-kind.ts';
import { Project } from '../rig/project.ts';
import { type Random, random } from '../rig/random.ts';
import { shared } from '../rig/shared-memory.ts';

const INDEX = '.finetune/store.db';
const DEAD = 'm1-00000000dead';

const pool = new Pool(1);
const prepared = new Project(EARLIER, shared());
/** What builds give of the state that the files were kept from, and of one after an edit. */
let same: Readonly<Record<string, string>>;
let edited: Readonly<Record<string, string>>;

beforeAll(async () => {
  same = (await prepared.buildHere({ pool })).digests;
  prepared.write({ [`.finetune/leases/${DEAD}.lock`]: '', [`.finetune/leases/${DEAD}`]: `key ${'ab'.repeat(32)}\n` });
  const clean = new Project({ ...EARLIER, ...LATER }, shared());
  edited = (await clean.buildHere({ pool })).digests;
  clean.remove();
});

afterAll(async () => {
  prepared.remove();
  await pool.terminate();
});

/** Damages a file of a copy of the store, and builds: as things are, or after an edit. */
const withDamage = async (file: string, edit: boolean, damage: (path: string) => void): Promise<void> => {
  const wanted = edit ? edited : same;
  const p = new Project({}, shared());
  try {
    cpSync(prepared.folder, p.folder, { recursive: true, preserveTimestamps: true });
    if (edit) p.write(LATER);
    damage(p.path(file));
    // Nothing is claimed that need not be made.
    if (file.startsWith('.finetune/leases/')) claimAll(p.path(INDEX));
    for (let bad = 0, left = file === INDEX ? 5 : 2; ; left--) {
      const here = await p.buildHere({ pool, keepGoing: true });
      for (const [output, digest] of Object.entries(here.digests)) expect(digest, output).toBe(wanted[output]);
      const failed = here.events.flatMap(e => (e.type === 'failed' ? [e.failure.reason] : []));
      if (file === INDEX && failed.length > 0) {
        // A page of the index proves bad on the way, once: the command then builds once more by itself.
        expect(new Set(failed)).toEqual(new Set(['store-corrupt']));
        expect(++bad).toBe(1);
        continue;
      }
      expect(failed).toEqual([]);
      expect(here.digests).toEqual(wanted);
      if (Object.values(here.states).every(state => state === 'cached')) break;
      expect(left, 'builds until there is nothing left to do').toBeGreaterThan(0);
    }
  } finally {
    p.remove();
  }
};

/** As a process leaves it that was killed while it made everything. */
const claimAll = (index: string): void => {
  const db = new DatabaseSync(index);
  db.exec(`INSERT INTO claims SELECT substr(key, 6), '${DEAD}' FROM records WHERE key LIKE 'node:%'`);
  db.exec("DELETE FROM records WHERE key LIKE 'node:%'");
  db.close();
};

const flip = (path: string, at: number, bit: number): void => {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1 << bit;
  writeFileSync(path, bytes);
};

/** What may come upon a file of so many bytes, `some` of each kind. */
const damages = (r: Random, length: number, some: number): [what: string, damage: (path: string) => void][] => {
  const draw = () => r.shuffle(Array.from({ length }, (_, i) => i)).slice(0, often(some));
  return [
    ...draw().map((at): [string, (path: string) => void] => [`cut at ${at}`, path => truncateSync(path, at)]),
    ...draw().map((at): [string, (path: string) => void] => {
      const bit = r.below(8);
      return [`bit ${bit} of byte ${at}`, path => flip(path, at, bit)];
    }),
    ['something else', path => writeFileSync(path, Buffer.from(Array.from({ length: 200 }, () => r.below(256))))],
    ['nothing', path => rmSync(path)],
  ];
};

/** So many cuts and bits of each file. */
const KINDS: Readonly<Record<string, number>> = {
  'store.db': 50,
  'packs/': 40,
  'files.bin': 15,
  'graphs/': 15,
  'rows/': 4,
  'leases/': 0,
};

for (const [kind, some] of Object.entries(KINDS)) {
  test(
    `${kind} cut short, with a bit turned over, gone, or something else, seed ${SEED}`,
    async () => {
      const r = random(SEED);
      const files = prepared.files('.finetune').filter(f => f.startsWith(`.finetune/${kind}`));
      expect(files).not.toEqual([]);
      for (const file of files) {
        for (const [what, damage] of damages(r, sizeOf(file), some)) {
          const edit = r.below(2) === 0;
          try {
            await withDamage(file, edit, damage);
          } catch (error) {
            (error as Error).message = `${file}: ${what}${edit ? ', after an edit' : ''}: ${(error as Error).message}`;
            throw error;
          }
        }
      }
    },
    within(20),
  );
}

test(
  `bits of everything that was kept of rows, seed ${SEED}`,
  async () => {
    const r = random(SEED);
    const logs = prepared.files('.finetune/rows');
    for (const kind of ['hot', 'cold', 'pairs', 'scan', 'fold'])
      expect(
        logs.some(f => f.endsWith(`.${kind}`)),
        kind,
      ).toBe(true);
    for (let i = 0; i < often(25); i++) {
      await withDamage('.finetune/rows', true, folder => {
        for (const log of logs) {
          const path = join(folder, basename(log));
          // Each is of use only together with others: pairs that are known ask for no sketch.
          const what = r.below(3);
          if (what === 0) rmSync(path);
          else if (what === 1) for (let n = 1 + r.below(3); n > 0; n--) flip(path, r.below(sizeOf(log)), r.below(8));
        }
      });
    }
  },
  within(10),
);

const sizeOf = (file: string): number => statSync(prepared.path(file)).size;
