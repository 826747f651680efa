/** Real builds that are killed with SIGKILL at operations of the store: the next needs no command, and finds nothing wrong. */
import '../rig/fine-grain.ts';
import { cpSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tryLock } from '../../cache/lock.ts';
import { Store } from '../../cache/store.ts';
import { verify } from '../../cache/verify.ts';
import { Pool } from '../../src/engine/pool.ts';
import { EFFORT, often, SEED, within } from '../rig/effort.ts';
import { EARLIER, LATER } from '../rig/every-kind.ts';
import { countOperations, startKilled } from '../rig/killed-builds.ts';
import { Project } from '../rig/project.ts';
import { random } from '../rig/random.ts';
import { shared } from '../rig/shared-memory.ts';

const pool = new Pool(1);
const prepared = new Project(EARLIER, shared());
let wanted: Readonly<Record<string, string>>;
let count: number;

beforeAll(async () => {
  expect((await prepared.buildHere({ pool })).ok).toBe(true);
  prepared.write(LATER);
  const clean = copy();
  count = await countOperations(clean);
  clean.remove();
  const anew = new Project({ ...EARLIER, ...LATER }, shared());
  wanted = (await anew.buildHere({ pool })).digests;
  anew.remove();
});

afterAll(async () => {
  prepared.remove();
  await pool.terminate();
});

const copy = (): Project => {
  const p = new Project({}, shared());
  cpSync(prepared.folder, p.folder, { recursive: true });
  return p;
};

/** Which moments: in the long form, all of them. */
const moments = (some: number): string[] => {
  const all = Array.from({ length: count }, (_, i) => [`${i + 1}`, `${i + 1}+`]).flat();
  return EFFORT > 5 ? all : random(SEED).shuffle(all).slice(0, often(some));
};

/** Everything that is locked is locked by a process that lives. */
const expectNoLocks = (p: Project): void => {
  for (const name of p.files('.finetune/locks')) {
    const release = tryLock(p.path(name));
    expect(release, name).not.toBeNull();
    release?.();
  }
};

test(
  `a build killed at any operation, seed ${SEED}`,
  async () => {
    expect(count).toBeGreaterThan(100);
    const all = moments(14);
    let killed = 0;
    for (const when of all) {
      const p = copy();
      try {
        const { signal, code, stdout, stderr } = await startKilled(p, when).done;
        // How many operations there are depends a little on the time that they take.
        if (signal === null) expect(code, stdout + stderr).toBe(0);
        else killed++;
        expectNoLocks(p);
        const next = await p.buildHere({ pool });
        expect(
          next.events.filter(e => e.type === 'failed' || (e.type === 'warn' && /waiting/.test(e.message))),
        ).toEqual([]);
        expect(next.digests).toEqual(wanted);
        const last = await p.buildHere({ pool });
        expect(new Set(Object.values(last.states))).toEqual(new Set(['cached']));
        const store = new Store(p.path('.finetune'));
        expect(verify(store).wrong).toEqual([]);
        store.close();
      } catch (error) {
        (error as Error).message = `killed at ${when}: ${(error as Error).message}`;
        throw error;
      } finally {
        p.remove();
      }
    }
    expect(killed).toBeGreaterThan(all.length / 2);
  },
  within(60),
);
