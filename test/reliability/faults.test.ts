/**
 * A disk that fails at any operation of the store, in the middle of a build that goes on from an earlier one: what is told is
 * an expected failure, nothing wrong is ever given out, and the next build needs no command to come to the right end.
 */
import '../rig/fine-grain.ts';
import { cpSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Between, interpose, type Operation } from '../../cache/disk.ts';
import { Pool } from '../../src/engine/pool.ts';
import { FailureError } from '../../src/failure.ts';
import { EFFORT, often, SEED, within } from '../rig/effort.ts';
import { EARLIER, LATER } from '../rig/every-kind.ts';
import { Project } from '../rig/project.ts';
import { random } from '../rig/random.ts';
import { shared } from '../rig/shared-memory.ts';

const pool = new Pool(1);
const prepared = new Project(EARLIER, shared());
let wanted: Readonly<Record<string, string>>;
/** Operations of the build without a fault. */
let count = 0;

beforeAll(async () => {
  const clean = new Project({ ...EARLIER, ...LATER }, shared());
  wanted = (await clean.buildHere({ pool })).digests;
  clean.remove();
  expect((await prepared.buildHere({ pool })).ok).toBe(true);
  prepared.write(LATER);
  await withFault((_operation, args, run) => {
    count++;
    return run(...args);
  });
  expect(count).toBeGreaterThan(100);
});

afterAll(async () => {
  prepared.remove();
  await pool.terminate();
});

/** Builds with the fault, looks at what came of it, and builds again without. */
const withFault = async (fault: Between): Promise<void> => {
  const p = new Project({}, shared());
  try {
    cpSync(prepared.folder, p.folder, { recursive: true });
    const stop = interpose(fault);
    try {
      const { events } = await p.buildHere({ pool, keepGoing: true });
      for (const e of events) {
        if (e.type === 'failed') expect(e.failure.reason).toMatch(/^(disk-full|file-unreadable|store-corrupt)$/);
        if (e.type === 'done')
          for (const [o, { digest }] of Object.entries(e.outputs)) expect(digest).toBe(wanted[`${e.node}.${o}`]);
      }
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
    } finally {
      stop();
    }
    const next = await p.buildHere({ pool });
    expect(next.events.filter(e => e.type === 'failed')).toEqual([]);
    expect(next.digests).toEqual(wanted);
    const last = await p.buildHere({ pool });
    expect(last.digests).toEqual(wanted);
    expect(new Set(Object.values(last.states))).toEqual(new Set(['cached']));
  } finally {
    p.remove();
  }
};

/** Which operations fail: in the long form all of them. */
const drawn = (some: number): number[] => {
  const all = Array.from({ length: count }, (_, i) => i + 1);
  return EFFORT > 5
    ? all
    : random(SEED)
        .shuffle(all)
        .slice(0, often(some))
        .sort((a, b) => a - b);
};

const failed = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });

const GROWS: ReadonlySet<Operation> = new Set([
  'open',
  'write',
  'append',
  'copy',
  'makeFolder',
  'sync',
  'syncData',
  'commit',
]);

const FAULTS: Readonly<Record<string, (n: number) => Between>> = {
  'a full disk, from there on': n => {
    let at = 0;
    return (operation, args, run) => {
      if (++at >= n && GROWS.has(operation)) throw failed('ENOSPC');
      return run(...args);
    };
  },
  'an error of the disk': n => {
    let at = 0;
    return (_, args, run) => {
      if (++at === n) throw failed('EIO');
      return run(...args);
    };
  },
  'a write that takes but a part': n => {
    let at = 0;
    return (operation, args, run) => {
      const short = ++at >= n && operation === 'write';
      return short ? run(...args.with(3, Math.max(1, (args[3] as number) >> 1))) : run(...args);
    };
  },
};

for (const [what, fault] of Object.entries(FAULTS)) {
  test(
    `${what}, at operations of a build, seed ${SEED}`,
    async () => {
      for (const n of drawn(60)) {
        try {
          await withFault(fault(n));
        } catch (error) {
          (error as Error).message = `operation ${n}: ${(error as Error).message}`;
          throw error;
        }
      }
    },
    within(30),
  );
}
