/** Stages of kind fold: partial results of chunks, kept; merged in blocks, so that one changed chunk merges few again. */
import type { Manifest } from '../../../cache/dataset.ts';
import { digest } from '../../../cache/digest.ts';
import type { Fields, FoldStage, Json } from '../../../stages/contract.ts';
import { located } from './base.ts';
import { ChunkLog } from './chunk-log.ts';
import { ask, goalFor, logPath, partsOf, type Ran, type RowsContext } from './context.ts';
import { inOrder } from './in-order.ts';
import type { FoldAnswer } from './tasks.ts';

/** A block ends after a chunk whose last row hashes so: about 64 chunks, whatever lies before them. */
const endsBlock = (end: number): boolean => ((end >>> 7) & 63) === 0;

export const runFold = async (
  c: RowsContext,
  stage: FoldStage,
  input: Manifest,
  metrics: (value: Fields) => void,
): Promise<Ran> => {
  const now = partsOf(input);
  const log = new ChunkLog(logPath(c, 'fold'), false, c.fresh);
  try {
    const blocks: { name: string; from: number; to: number }[] = [];
    for (let from = 0; from < now.length; ) {
      let to = from + 1;
      while (to < now.length && !endsBlock(now[to - 1]!.end)) to++;
      blocks.push({
        name: digest(
          now
            .slice(from, to)
            .map(p => p.name)
            .join('\n'),
        ),
        from,
        to,
      });
      from = to;
    }
    const open = blocks.filter(b => !log.get(b.name));
    const missing = open.flatMap(b => now.slice(b.from, b.to)).filter(p => !log.get(p.name));
    const goal = goalFor(c.pool, input.rows).rows;
    const tasks: (typeof missing)[] = [];
    let rows = Number.POSITIVE_INFINITY;
    for (const p of missing) {
      if (rows >= goal) {
        tasks.push([]);
        rows = 0;
      }
      tasks.at(-1)!.push(p);
      rows += p.rows;
    }
    let computed = 0;
    await inOrder(
      tasks.map(
        t => async () =>
          (await ask<FoldAnswer>(c, { do: 'fold', chunks: t.map(p => located(c.store, p.name)) })).answer,
      ),
      c.pool.size,
      (answer, index) => {
        computed += answer.computed;
        for (const [k, part] of answer.parts.entries()) log.add(tasks[index]![k]!.name, encode(part));
        c.progress(index + 1, tasks.length, 'parts');
      },
    );
    const { options } = c.job;
    for (const b of open) {
      const parts = now.slice(b.from, b.to).map(p => decode(log.get(p.name)!));
      log.add(b.name, encode(mergeAll(stage, parts, options)));
    }
    const all = blocks.map(b => decode(log.get(b.name)!));
    metrics(stage.finish(all.length === 0 ? null : mergeAll(stage, all, options), options));
    log.save(new Set([...now.map(p => p.name), ...blocks.map(b => b.name)]));
    return { computed, seen: input.rows, tallies: {}, alignment: null };
  } finally {
    log.close();
  }
};

/** Two neighbours at a time: what grows with the rows is copied as often as there are levels, not as often as there are parts. */
const mergeAll = (stage: FoldStage, parts: readonly Json[], options: unknown): Json => {
  let level = parts;
  while (level.length > 1) {
    const next: Json[] = [];
    for (let i = 0; i < level.length; i += 2)
      next.push(i + 1 < level.length ? stage.merge(level[i]!, level[i + 1]!, options) : level[i]!);
    level = next;
  }
  return level[0]!;
};

const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

const decode = (bytes: Uint8Array): Json => JSON.parse(Buffer.from(bytes).toString()) as Json;
