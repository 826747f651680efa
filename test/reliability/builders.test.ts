/**
 * Several builders on one store, some of them killed with SIGKILL at random operations: each action succeeds once, whoever is
 * left comes to the end, and no lock stays behind.
 */
import { afterAll, expect, test } from 'vitest';
import { liveLeases } from '../../cache/lease.ts';
import { tryLock } from '../../cache/lock.ts';
import { often, SEED, within } from '../rig/effort.ts';
import { countOperations, startKilled } from '../rig/killed-builds.ts';
import { type Finished, Project, pages } from '../rig/project.ts';
import { random } from '../rig/random.ts';
import { shared } from '../rig/shared-memory.ts';

/** Notes when it begins and has done its work, and for which builder: a process of ours, whose child it is. */
const ACT = `
import { appendFileSync } from 'node:fs';
const builder = process.ppid;
const note = (what: string, name: string) => appendFileSync(new URL('actions.log', import.meta.url), what + ' ' + name + ' ' + builder + '\\n');
export const options = { type: 'object', properties: { name: { type: 'string' } } };
export default async function* (rows: AsyncIterable<{ fields: object }>, { options }: { options: { name: string } }) {
  note('begin', options.name);
  for await (const row of rows) yield { ...row.fields, by: options.name };
  note('end', options.name);
}
`;

const ACTIONS = ['one', 'two', 'three'];

const recipe = (round: number) => `version: 1
sources:
  docs:  { uses: files, with: { paths: "docs/*.md" } }
transforms:
  text:  { uses: plain-text, from: docs }
  one:   { uses: ./act.ts, from: text, with: { name: one-${round} } }
  lines: { uses: sentences, from: one }
  two:   { uses: ./act.ts, from: lines, with: { name: two-${round} } }
  three: { uses: ./act.ts, from: docs, with: { name: three-${round} } }
  last:  { uses: dedup, from: two }
`;

const files = { 'act.ts': ACT, ...pages(8, 6) };
const p = new Project({ ...files, 'finetune.yaml': recipe(0) }, shared());
afterAll(() => p.remove());

interface Builder extends Finished {
  readonly pid: number;
}

const start = async (when: string): Promise<Builder> => {
  const running = startKilled(p, when);
  return { pid: running.process.pid!, ...(await running.done) };
};

/** Builders that began (or ended) an action. */
const noted = (what: 'begin' | 'end', name: string): number[] =>
  p.has('actions.log')
    ? p
        .read('actions.log')
        .split('\n')
        .filter(line => line.startsWith(`${what} ${name} `))
        .map(line => Number(line.split(' ')[2]))
    : [];

const summaryOf = ({ stdout }: Builder): { nodes: { name: string; state: string }[] } =>
  JSON.parse(stdout.trim().split('\n').at(-1)!);

test(
  `each action succeeds once, however many builders are killed at it, seed ${SEED}`,
  async () => {
    const r = random(SEED);
    const count = await countOperations(p);
    for (let round = 1; round <= often(4); round++) {
      p.write({ 'finetune.yaml': recipe(round) });
      const all: Builder[] = [];
      for (let left = false; !left; left = all.some(b => b.signal === null)) {
        const moments = Array.from({ length: 3 }, () => (r.below(3) === 0 ? 'never' : `${1 + r.below(count)}`));
        all.push(...(await Promise.all(moments.map(start))));
      }
      const survivors = all.filter(b => b.signal === null);
      for (const { code, stdout, stderr } of survivors) expect(code, stdout + stderr).toBe(0);
      for (const action of ACTIONS) {
        const name = `${action}-${round}`;
        const ended = noted('end', name);
        expect(ended.filter(pid => survivors.some(s => s.pid === pid)).length, name).toBeLessThanOrEqual(1);
        // Once more for each builder that was killed before it could say so.
        const killed = new Set(noted('begin', name).filter(pid => !survivors.some(s => s.pid === pid)));
        expect(ended.length, name).toBeLessThanOrEqual(killed.size + 1);
        expect(ended.length, name).toBeGreaterThan(0);
      }
      for (const node of ['docs', 'text', 'lines', 'last', ...ACTIONS]) {
        const built = survivors.filter(s => summaryOf(s).nodes.some(n => n.name === node && n.state === 'built'));
        expect(built.length, `${node}, round ${round}`).toBeLessThanOrEqual(1);
      }
    }
    for (const name of p.files('.finetune/locks')) {
      const release = tryLock(p.path(name));
      expect(release, name).not.toBeNull();
      release?.();
    }
    expect(liveLeases(p.path('.finetune'))).toEqual([]);
    const here = await p.buildHere();
    expect(new Set(Object.values(here.states))).toEqual(new Set(['cached']));
    expect(p.files('.finetune/scratch')).toEqual([]);
    const clean = new Project({ ...files, 'finetune.yaml': p.read('finetune.yaml') }, shared());
    try {
      expect((await clean.buildHere()).digests).toEqual(here.digests);
    } finally {
      clean.remove();
    }
  },
  within(60),
);
