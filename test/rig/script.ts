/** Scripts of edits: after each few a build, and in the end a clean build elsewhere, which must give the same results. */
import { expect } from 'vitest';
import type { NodeRecord } from '../../cache/records.ts';
import { Pool } from '../../src/engine/pool.ts';
import type { NodeSummary } from '../../src/events.ts';
import { calls, setDown, startCounting } from './counted/calls.ts';
import { begin, countedNodes, edit, put, type Size, type State } from './edits.ts';
import { Project } from './project.ts';
import { random } from './random.ts';
import { shared } from './shared-memory.ts';

/** What many scripts had to do. */
export interface Sums {
  /** Results that were compared, and nodes that failed: some edits leave nothing to go on with. */
  compared: number;
  failed: number;
  /** Of builds after edits of a few records: these records, the calls of the counted stage, and the rows before it. */
  fresh: number;
  called: number;
  rows: number;
}

/** Builds; `computed` must count true. */
const build = async (p: Project, s: State, pool: Pool) => {
  const counted: Record<string, object> = countedNodes(s.version);
  put(p, s);
  setDown(s.down);
  calls('cut');
  calls('join');
  const { nodes, events } = await p.buildHere({ keepGoing: true, pool, alter: n => ({ ...n, ...counted[n.uses] }) });
  const cut = calls('cut');
  const given = cut + calls('join');
  const ours = s.nodes.flatMap(n => (n.uses in counted ? [nodes[n.name]!] : []));
  // What a node that fails has computed is said by nobody.
  if (ours.every(n => n.state !== 'failed'))
    expect(
      ours.reduce((sum, n) => sum + (n.computed ?? 0), 0),
      'rows computed, as told and as given to the stages',
    ).toBe(given);
  const failures = events.flatMap(e => (e.type === 'failed' ? [[e.node, e.failure.reason, e.failure.message]] : []));
  return { nodes, cut, failures: failures.sort() };
};

type Outcome = Pick<NodeRecord, 'outputs' | 'alignment' | 'tallies'>;

/** The results of nodes, with all that is kept beside the rows. */
const outcomes = async (p: Project, nodes: Readonly<Record<string, NodeSummary>>): Promise<Record<string, Outcome>> => {
  const { records, close } = await p.open();
  try {
    const out: Record<string, Outcome> = {};
    for (const { name, state, key } of Object.values(nodes)) {
      if (state !== 'built' && state !== 'cached') continue;
      const { outputs, alignment, tallies } = (await records.get(key!))!;
      out[name] = { outputs, alignment, tallies };
    }
    return out;
  } finally {
    close();
  }
};

export const runScript = async (seed: number, size: Size, pool: Pool, sums: Sums): Promise<void> => {
  const r = random(seed);
  const p = new Project({}, shared());
  const clean = new Project({}, shared());
  const words: string[] = [];
  try {
    let state = begin(r, size);
    const earlier = [state];
    await build(p, state, pool);
    for (let step = r.below(3); step >= 0; step--) {
      let fresh = 0;
      let wide = state.down;
      for (let n = r.below(3); n >= 0; n--) {
        const done = edit(state, r, earlier);
        words.push(done.words);
        state = done.state;
        fresh += done.fresh;
        wide ||= done.wide;
      }
      if (step === 0 && state.down) {
        state = { ...state, down: false };
        words.push('all rows get their answer');
        wide = true;
      }
      words.push('build');
      earlier.push(state);
      const { nodes, cut, failures } = await build(p, state, pool);
      if (!wide && nodes.cut?.computed != null) {
        sums.fresh += fresh;
        sums.called += cut;
        sums.rows += nodes.text!.rows!;
      }
      if (step > 0) continue;
      const anew = await build(clean, state, pool);
      const wanted = await outcomes(clean, anew.nodes);
      expect({ results: await outcomes(p, nodes), failures }).toEqual({ results: wanted, failures: anew.failures });
      sums.compared += Object.keys(wanted).length;
      sums.failed += failures.length;
    }
  } catch (error) {
    (error as Error).message = `seed ${seed}: ${words.join('; ')}\n${(error as Error).message}`;
    throw error;
  } finally {
    p.remove();
    clean.remove();
  }
};

/** One of ten with three workers, the others with one. */
export const runScripts = async (count: number, seed: number, size: Size): Promise<Sums> => {
  const sums: Sums = { compared: 0, failed: 0, fresh: 0, called: 0, rows: 0 };
  const stop = startCounting();
  const [one, several] = [new Pool(1), new Pool(3)];
  try {
    for (let i = 0; i < count; i++) await runScript(seed + i, size, i % 10 === 0 ? several : one, sums);
    return sums;
  } finally {
    await Promise.all([one.terminate(), several.terminate()]);
    stop();
  }
};
