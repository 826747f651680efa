/**
 * Stages that deal with all rows at once (keyed, partition, index): each row is sketched once, the rule is applied anew to all
 * sketches, and only chunks whose rows are dealt otherwise than before are written again.
 */
import type { Manifest } from '../../../cache/dataset.ts';
import { disk } from '../../../cache/disk.ts';
import type { IndexStage, KeyedStage, PartitionStage } from '../../../stages/contract.ts';
import { HashTable } from '../hash-table.ts';
import { CodeWriter, MANY, type Part } from './alignment.ts';
import { located } from './base.ts';
import { ChunkLog } from './chunk-log.ts';
import { ask, counts, goalFor, logPath, partsOf, type Ran, type RowsContext, stitch } from './context.ts';
import { dealByGroup, dealByKey, dealBySimilarity, type Pairs, type Sketched } from './deal.ts';
import { inOrder } from './in-order.ts';
import { narrow } from './narrow.ts';
import { ONE, segments } from './segments.ts';
import type { SketchAnswer } from './tasks.ts';
import { bandWords, groupWords, keyWords } from './words.ts';

export const runDeal = async (
  c: RowsContext,
  stage: KeyedStage | PartitionStage | IndexStage,
  input: Manifest,
  shares: readonly number[],
): Promise<Ran> => {
  try {
    return await dealAll(c, stage, input, shares);
  } catch (error) {
    if (!(error instanceof SketchesLost)) throw error;
    // What is kept of sketches is only ever a shortcut; nothing has been written yet.
    disk.remove(logPath(c, 'cold'));
    const ran = await dealAll(c, stage, input, shares);
    return { ...ran, computed: ran.computed + error.computed };
  }
};

/** A sketch that was kept cannot be read any more. */
class SketchesLost extends Error {
  /** Rows that had been sketched by then. */
  readonly computed: number;
  constructor(computed: number) {
    super('what was kept of the rows before is damaged');
    this.computed = computed;
  }
}

const dealAll = async (
  c: RowsContext,
  stage: KeyedStage | PartitionStage | IndexStage,
  input: Manifest,
  shares: readonly number[],
): Promise<Ran> => {
  const { chunks } = input;
  const { options } = c.job;
  const sketches = await sketchAll(c, stage.kind === 'index', input);
  const { sketched, computed, close } = sketches;
  try {
    const rule = (some: readonly Sketched[], all: boolean): Promise<Uint8Array[]> =>
      stage.kind === 'keyed'
        ? dealByKey(some)
        : stage.kind === 'partition'
          ? dealByGroup(some, stage.seed(options), shares)
          : withPairs(c, all, pairs => dealBySimilarity(some, stage, options, pairs));
    const deals = (await dealFew(c, stage, input, sketches, rule)) ?? (await rule(sketched, true));
    const codes = deals.map(deal => codesOf(deal, c.streams.length));
    const now = partsOf(input);
    const old = c.base && { parts: c.base.alignment.parts, index: c.base.index };
    const same = (i: number, o: number): boolean => Buffer.compare(codes[i]!, old!.parts[o]!.codes) === 0;
    const parts = await stitch<unknown>(c, segments(now, old, same, goalFor(c.pool, input.rows)), {
      rows: s => now.slice(s.from, s.to).reduce((n, p) => n + p.rows, 0),
      work: segment =>
        ask(c, {
          do: 'deal',
          streams: c.streams,
          reason: stage.kind === 'partition' ? null : stage.reason,
          chunks: chunks
            .slice(segment.from, segment.to)
            .map(({ digest }, k) => ({ at: located(c.store, digest), deal: deals[segment.from + k]! })),
        }),
      parts: (_, segment) =>
        now.slice(segment.from, segment.to).map((p, k): Part => {
          const totals = c.streams.map(() => 0);
          for (const stream of deals[segment.from + k]!) totals[stream]!++;
          const units = p.rows;
          const own = codes[segment.from + k]!;
          return { name: p.name, end: p.end, units, reach: 0, file: 0, line: 0, codes: own, totals, tallies: [] };
        }),
    });
    const alignment = { streams: c.streams, tallies: [], files: [], repeated: {}, parts };
    return { computed, seen: input.rows, tallies: counts(c.streams, parts), alignment };
  } finally {
    close();
  }
};

type Rule = (chunks: readonly Sketched[], all: boolean) => Promise<Uint8Array[]>;

/** As the base dealt them, but for those that a change can reach; null where these are many. */
const dealFew = async (
  c: RowsContext,
  stage: KeyedStage | PartitionStage | IndexStage,
  input: Manifest,
  { sketched, sketchOf }: Pick<Awaited<ReturnType<typeof sketchAll>>, 'sketched' | 'sketchOf'>,
  rule: Rule,
): Promise<Uint8Array[] | null> => {
  if (!c.base || c.fresh || c.streams.length > MANY) return null;
  const { parts } = c.base.alignment;
  const words =
    stage.kind === 'keyed'
      ? keyWords
      : stage.kind === 'partition'
        ? groupWords()
        : bandWords(stage.shape(c.job.options).bands);
  const old = { parts, index: c.base.index };
  const few = narrow({ now: partsOf(input), old, sketched, words, sketchOf, rowsOf: part => parts[part]!.units });
  if (!few) return null;
  const [anew] = await rule([words.gather(sketched, few.rows)], false);
  let at = 0;
  return few.rows.map((rows, i) => {
    const part = few.from[i]!;
    if (rows.length === 0 && part !== -1) return parts[part]!.codes;
    const deal = part === -1 ? new Uint8Array(sketched[i]!.rows) : new Uint8Array(parts[part]!.codes);
    for (const row of rows) deal[row] = anew![at++]!;
    return deal;
  });
};

const PAIRS = '0'.repeat(64);

/**
 * Pairs of sketches, compared once: three words each, of which the last says whether they are similar. `all`: all rows are looked
 * at, so that pairs which nobody asks for are of no more use.
 */
const withPairs = async <T>(c: RowsContext, all: boolean, use: (pairs: Pairs) => Promise<T>): Promise<T> => {
  const log = new ChunkLog(logPath(c, 'pairs'), true, c.fresh);
  try {
    const kept = log.get(PAIRS) ?? new Uint8Array(0);
    const known = new HashTable();
    const view = new DataView(kept.buffer, kept.byteOffset, kept.length);
    for (let at = 0; at + 12 <= kept.length; at += 12)
      known.getOrSetHash(view.getUint32(at, true), view.getUint32(at + 4, true), 0, 0, view.getUint32(at + 8, true));
    /** Those that are to be kept. */
    const asked: number[] = all
      ? []
      : [...new Uint32Array(new Uint8Array(kept).buffer, 0, Math.floor(kept.length / 12) * 3)];
    let fresh = 0;
    const result = await use({
      get: (a, b) => {
        const value = known.get(a, b, 0, 0);
        if (value === -1) return null;
        if (all) asked.push(a, b, value);
        return value === 1;
      },
      set: (a, b, similar) => {
        known.getOrSetHash(a, b, 0, 0, similar ? 1 : 0);
        asked.push(a, b, similar ? 1 : 0);
        fresh++;
      },
    });
    if (fresh > 0) {
      log.add(PAIRS, new Uint8Array(Uint32Array.from(asked).buffer));
      log.save(new Set([PAIRS]));
    }
    return result;
  } finally {
    log.close();
  }
};

const codesOf = (deal: Uint8Array, streams: number): Uint8Array => {
  if (streams <= MANY) return deal;
  const writer = new CodeWriter(streams);
  const row = new Array<number>(streams).fill(0);
  for (const stream of deal) {
    row[stream] = 1;
    writer.add(row, false);
    row[stream] = 0;
  }
  return writer.finish();
};

/** The sketches of all chunks: those kept from runs before, and what workers make of the others. */
export const sketchAll = async (
  c: RowsContext,
  cold: boolean,
  input: Manifest,
): Promise<{
  sketched: readonly Sketched[];
  computed: number;
  /** The hot sketch of any chunk, of a run before, too; null if it is not known any more. */
  sketchOf(name: string): Uint8Array | null;
  close(): void;
}> => {
  const hot = new ChunkLog(logPath(c, 'hot'), true, c.fresh);
  const beside = cold ? new ChunkLog(logPath(c, 'cold'), false, c.fresh) : null;
  const close = () => {
    hot.close();
    beside?.close();
  };
  try {
    const now = partsOf(input);
    const found = now.map(p => (beside && !beside.has(p.name) ? null : hot.get(p.name)));
    const old = c.base && { parts: c.base.alignment.parts, index: c.base.index };
    // Chunks that the base does not have, each with those of it that their rows may have been in.
    const near = new Map<number, readonly number[]>();
    for (const s of segments(now, old, () => true, ONE))
      if (s.do === 'work') for (let i = s.from; i < s.to; i++) near.set(i, s.old);
    const work = toSketch(now, found, near, goalFor(c.pool, input.rows).rows);
    c.expect?.(work.reduce((n, { at }) => n + at.reduce((rows, i) => rows + now[i]!.rows, 0), 0));
    let computed = 0;
    await inOrder(
      work.map(({ at, near: beforeThem }) => async () => {
        const known = [...beforeThem].flatMap(o => {
          const name = old!.parts[o]!.name;
          const where = c.store.locate(name);
          const sketch = hot.get(name);
          const rest = beside ? beside.get(name) : new Uint8Array(0);
          // With buffers of their own: of a view, all that it looks at would be sent along.
          return where && sketch && rest
            ? [{ at: where, sketch: new Uint8Array(sketch), cold: new Uint8Array(rest) }]
            : [];
        });
        const chunks = at.map(i => located(c.store, now[i]!.name));
        return (await ask<SketchAnswer>(c, { do: 'sketch', chunks, old: known })).answer;
      }),
      c.pool.size,
      (answer, index) => {
        computed += answer.computed;
        for (const [k, sketch] of answer.sketches.entries()) {
          const i = work[index]!.at[k]!;
          found[i] = sketch.hot;
          hot.add(now[i]!.name, sketch.hot);
          beside?.add(now[i]!.name, sketch.cold);
        }
        c.progress(index + 1, work.length, 'parts');
      },
    );
    const live = new Set(now.map(p => p.name));
    for (const p of old?.parts ?? []) live.add(p.name);
    hot.save(live);
    beside?.save(live);
    const sketched = now.map((p, i) => ({
      rows: p.rows,
      hot: found[i]!,
      cold: () => {
        const bytes = beside?.get(p.name);
        if (!bytes) throw new SketchesLost(computed);
        return bytes;
      },
    }));
    return { sketched, computed, sketchOf: name => hot.get(name), close };
  } catch (error) {
    close();
    throw error;
  }
};

/** The chunks to sketch, in tasks of about `goal` rows. */
const toSketch = (
  now: readonly { readonly rows: number }[],
  found: readonly (Uint8Array | null)[],
  near: ReadonlyMap<number, readonly number[]>,
  goal: number,
): { at: number[]; near: Set<number> }[] => {
  const out: { at: number[]; near: Set<number> }[] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const [i, part] of now.entries()) {
    if (found[i]) continue;
    if (rows >= goal) {
      out.push({ at: [], near: new Set() });
      rows = 0;
    }
    const task = out.at(-1)!;
    task.at.push(i);
    rows += part.rows;
    for (const o of near.get(i) ?? []) task.near.add(o);
  }
  return out;
};
