/** Blobs that are lost or damaged at any moment of a build: what made them is made again, by the same build. */
import '../rig/fine-grain.ts';
import { cpSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Pool } from '../../src/engine/pool.ts';
import { often, SEED, within } from '../rig/effort.ts';
import { EARLIER, EVERY_NODE, LATER } from '../rig/every-kind.ts';
import { Project } from '../rig/project.ts';
import { type Random, random } from '../rig/random.ts';
import { shared } from '../rig/shared-memory.ts';

const pool = new Pool(2);
const prepared = new Project(EARLIER, shared());
let wanted: Readonly<Record<string, string>>;
/** Events of a build that nothing happens to. */
let events: number;

beforeAll(async () => {
  expect((await prepared.buildHere({ pool })).ok).toBe(true);
  prepared.write(LATER);
  const clean = new Project({ ...EARLIER, ...LATER }, shared());
  const here = await clean.buildHere({ pool });
  wanted = here.digests;
  events = here.events.length;
  clean.remove();
});

afterAll(async () => {
  prepared.remove();
  await pool.terminate();
});

/** One of the things that happen to disks and to people who clear them, in words and done. */
const mishap = (p: Project, r: Random): string => {
  const packs = p.files('.finetune/packs');
  if (packs.length === 0) return 'nothing is left';
  const pack = r.pick(packs);
  const path = p.path(pack);
  switch (r.below(5)) {
    case 0:
      rmSync(path);
      return `${pack} deleted`;
    case 1:
      rmSync(p.path('.finetune/packs'), { recursive: true });
      return 'all packs deleted';
    case 2: {
      const length = r.below(statSync(path).size + 1);
      truncateSync(path, length);
      return `${pack} cut at ${length}`;
    }
    default: {
      const bytes = readFileSync(path);
      const flips = 1 + r.below(4);
      for (let i = 0; i < flips && bytes.length > 0; i++) bytes[r.below(bytes.length)]! ^= 1 << r.below(8);
      writeFileSync(path, bytes);
      return `${flips} bits of ${pack}`;
    }
  }
};

test(
  `whatever is lost while a build runs, its results are right, seed ${SEED}`,
  async () => {
    for (let i = 0; i < often(60); i++) {
      const r = random(SEED + i);
      const p = new Project({}, shared());
      const words: string[] = [];
      try {
        cpSync(prepared.folder, p.folder, { recursive: true });
        const moments = Array.from({ length: 1 + r.below(2) }, () => r.below(events));
        let n = 0;
        const onEvent = () => {
          if (moments.includes(n++) && p.has('.finetune/packs')) words.push(`at event ${n}: ${mishap(p, r)}`);
        };
        const here = await p.buildHere({ pool, onEvent });
        expect(here.events.flatMap(e => (e.type === 'failed' ? [e.failure] : []))).toEqual([]);
        expect(here.digests).toEqual(wanted);
        // What nobody has read so far may still be wrong.
        const forced = await p.buildHere({ pool, force: EVERY_NODE });
        expect(forced.events.flatMap(e => (e.type === 'failed' ? [e.failure] : []))).toEqual([]);
        expect(forced.digests).toEqual(wanted);
      } catch (error) {
        (error as Error).message = `seed ${SEED + i}: ${words.join('; ')}: ${(error as Error).message}`;
        throw error;
      } finally {
        p.remove();
      }
    }
  },
  within(30),
);
