/** Stages of kind rows and group: only changed rows, or groups with one, are given to the stage. */
import type { Manifest } from '../../../cache/dataset.ts';
import type { GroupStage, RowsStage } from '../../../stages/contract.ts';
import { AGAIN, eachUnit, type Part } from './alignment.ts';
import { located, oldParts } from './base.ts';
import { ask, counts, goalFor, partsOf, type Ran, type RowsContext, stitch } from './context.ts';
import { addUp } from './map.ts';
import { type Segment, segments } from './segments.ts';
import type { MapAnswer } from './tasks.ts';

/** Chunks after a task's own that a group may reach into, before more are asked for. */
const AFTER = 4;

export const runMap = async (c: RowsContext, stage: RowsStage | GroupStage, input: Manifest): Promise<Ran> => {
  const { chunks } = input;
  const now = partsOf(input);
  const old = c.base?.alignment.parts ?? [];
  const group = stage.kind === 'group';
  const same = (i: number, o: number): boolean => {
    const part = old[o]!;
    if (part.codes.includes(AGAIN)) return false;
    if (!group) return true;
    // A group that begins here depends on the row before it, and on all chunks that it reached into.
    if (now[i - 1]?.name !== old[o - 1]?.name) return false;
    for (let k = 1; k <= part.reach; k++) if (now[i + k]?.name !== old[o + k]?.name) return false;
    return true;
  };
  const known = c.base && { parts: old, index: c.base.index };
  let computed = 0;
  const work = async (segment: Extract<Segment, { do: 'work' }>) => {
    for (let reach = AFTER; ; reach *= 8) {
      const after = group ? chunks.slice(segment.to, segment.to + reach) : [];
      const done = await ask<MapAnswer>(c, {
        do: 'map',
        streams: c.streams,
        window: {
          before: group && segment.from > 0 ? located(c.store, chunks[segment.from - 1]!.digest) : null,
          own: chunks
            .slice(segment.from, segment.to)
            .map(({ digest, rows, end }) => ({ at: located(c.store, digest), rows, end })),
          after: after.map(a => located(c.store, a.digest)),
          whole: segment.to + after.length === chunks.length,
        },
        old: c.base && segment.old.length > 0 ? oldParts(c.store, c.base, segment.old, { neighbours: group }) : null,
      });
      if (done.answer.parts) return done;
    }
  };
  const names = new Set(c.base?.alignment.tallies);
  const fresh: { at: number; tallies: Readonly<Record<string, number>> }[] = [];
  let parts: Part[] = [];
  parts = await stitch<MapAnswer>(c, segments(now, known, same, goalFor(c.pool, input.rows)), {
    work,
    rows: s => now.slice(s.from, s.to).reduce((n, p) => n + p.rows, 0),
    parts: (answer, segment) => {
      computed += answer.computed;
      return answer.parts!.map((p, k): Part => {
        for (const name of Object.keys(p.tallies)) names.add(name);
        const { name, end } = now[segment.from + k]!;
        fresh.push({ at: segment.from + k, tallies: p.tallies });
        return { ...p, name, end, file: 0, line: 0, tallies: [] };
      });
    },
  });
  // A part's tallies stand in the order of the names, which are known only now.
  const tallies = [...names].sort();
  const before = c.base?.alignment.tallies ?? [];
  const given = new Map(fresh.map(f => [f.at, f.tallies]));
  const all: Part[] = parts.map((p, i) => {
    const own = given.get(i);
    return { ...p, tallies: tallies.map(n => (own ? own[n] : p.tallies[before.indexOf(n)]) ?? 0) };
  });
  const sums: Record<string, number> = counts(c.streams, all);
  for (const [k, name] of tallies.entries()) addUp(sums, { [name]: all.reduce((n, p) => n + p.tallies[k]!, 0) });
  let again = 0;
  for (const p of all) {
    // Nearly always none: then no unit is looked at.
    if (p.codes.includes(AGAIN)) eachUnit(p.codes, c.streams.length, (_, tryAgain) => (again += tryAgain ? 1 : 0));
  }
  if (again > 0) sums.again = again;
  return {
    computed,
    seen: input.rows,
    tallies: sums,
    alignment: { streams: c.streams, tallies, files: [], repeated: {}, parts: all },
  };
};
