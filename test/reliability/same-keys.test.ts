/** Keys and results depend on what is built, and on nothing else: not where, when, in which language, or how it is written. */
import { expect, test } from 'vitest';
import { Pool } from '../../src/engine/pool.ts';
import { begin, put, type State } from '../rig/edits.ts';
import { often, SEED, within } from '../rig/effort.ts';
import { Project } from '../rig/project.ts';
import { random } from '../rig/random.ts';
import { shared } from '../rig/shared-memory.ts';

const turned = <T>(all: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(all).reverse());

/** The same recipe and files, written otherwise. */
const otherwise = (s: State, cosmetics: number): State => ({
  ...s,
  cosmetics,
  records: turned(s.records),
  pages: turned(s.pages),
});

test(
  `whatever the recipe: in another folder, files made in another order, the recipe written otherwise, seed ${SEED}`,
  async () => {
    const pools = [new Pool(1), new Pool(3)] as const;
    try {
      for (let i = 0; i < often(20); i++) {
        const r = random(SEED + i);
        const s = begin(r, { records: 40, pages: 4, nodes: 6 });
        const results = [];
        for (const [k, pool] of pools.entries()) {
          const p = new Project({ 'a/b/c/unread': '' }, shared());
          put(p, k === 0 ? s : otherwise(s, 1 + r.below(3)));
          const { nodes, digests } = await p.buildHere({ pool, keepGoing: true });
          results.push({ digests, keys: Object.fromEntries(Object.values(nodes).map(n => [n.name, n.key])) });
          p.remove();
        }
        expect(results[1], `seed ${SEED + i}`).toEqual(results[0]);
      }
    } finally {
      await Promise.all(pools.map(p => p.terminate()));
    }
  },
  within(20),
);

const PLACES = [
  { TZ: 'UTC', LANG: 'C.UTF-8' },
  { TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' },
  { TZ: 'America/St_Johns', LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8', LC_COLLATE: 'sv_SE.UTF-8' },
];

test(
  `whatever the time zone and the language, seed ${SEED}`,
  async () => {
    const s = begin(random(SEED), { records: 60, pages: 6, nodes: 6 });
    // Letters that languages order and turn to capitals each in their own way.
    const letters = ['I', 'ı', 'i', 'İ', 'ä', 'z', 'Ö', 'ß', 'å'].map(c =>
      JSON.stringify({ text: `${c} is a letter ${c}.` }),
    );
    const pages = Object.fromEntries(
      ['I', 'ı', 'ä', 'z', 'B', 'a'].map(c => [`docs/${c}.md`, `# ${c}\n\nThis is page ${c}.`]),
    );
    const sources = { ...s.sources, key: false };
    const state = {
      ...s,
      sources,
      records: { ...s.records, 'data/letters.jsonl': letters },
      pages: { ...s.pages, ...pages },
    };
    const results = await Promise.all(
      PLACES.map(async env => {
        const p = new Project({}, shared());
        put(p, state);
        const built = await p.build(['--keep-going'], { env });
        p.remove();
        return built.events.flatMap(e => (e.type === 'done' ? [[e.node, e.key, e.outputs]] : [])).sort();
      }),
    );
    expect(results[0]!.length).toBeGreaterThan(4);
    for (const other of results.slice(1)) expect(other).toEqual(results[0]);
  },
  within(10),
);
