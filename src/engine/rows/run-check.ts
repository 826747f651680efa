/** Stages of kind check: findings of changed rows are made anew; what compares rows, and the sums, run over all findings. */
import { setImmediate } from 'node:timers/promises';
import type { Manifest } from '../../../cache/dataset.ts';
import { digest } from '../../../cache/digest.ts';
import type { CheckCounts, CheckStage, Fields } from '../../../stages/contract.ts';
import { HashTable, Repeats } from '../hash-table.ts';
import { CodeWriter, type Part } from './alignment.ts';
import { located } from './base.ts';
import { BROKEN, type CheckLayout, layoutOf, SILENT } from './check-layout.ts';
import { ask, goalFor, partsOf, type Ran, type RowsContext, stitch } from './context.ts';
import type { Sketched } from './deal.ts';
import { sketchAll } from './run-deal.ts';
import { segments } from './segments.ts';
import { words } from './words.ts';

/** Bit 0 of a row's mark: it is failing. The bits above it are of rules that compare rows, in their order. */
const FAILING = 1;
/** Chunks after which other work of this thread has its turn. */
const TURN = 512;

export const runCheck = async (
  c: RowsContext,
  stage: CheckStage,
  input: Manifest,
  metrics: (value: Fields) => void,
): Promise<Ran> => {
  const { options } = c.job;
  const { sketched, computed, close } = await sketchAll(c, false, input);
  try {
    const layout = layoutOf(stage.rules(options));
    const { marks, counts } = await judgeAll(sketched, layout);
    metrics(stage.report(counts, options));
    const keeps = stage.keeps(options);
    const codes = marks.map(m => codesOf(m, keeps));
    // Which of several rules a failing row has broken is in its reason only.
    const names = marks.map(m => (m.some(mark => mark > FAILING) ? markOf(m) : 0));
    const now = partsOf(input);
    const old = c.base && { parts: c.base.alignment.parts, index: c.base.index };
    const same = (i: number, o: number): boolean => {
      const part = old!.parts[o]!;
      return part.tallies[0] === names[i] && Buffer.compare(codes[i]!.finish(), part.codes) === 0;
    };
    const parts = await stitch<unknown>(c, segments(now, old, same, goalFor(c.pool, input.rows)), {
      rows: s => now.slice(s.from, s.to).reduce((n, p) => n + p.rows, 0),
      work: segment =>
        ask(c, {
          do: 'judge',
          streams: c.streams,
          chunks: input.chunks
            .slice(segment.from, segment.to)
            .map(({ digest: name }, k) => ({ at: located(c.store, name), marks: marks[segment.from + k]! })),
        }),
      parts: (_, segment) =>
        now.slice(segment.from, segment.to).map((p, k): Part => {
          const code = codes[segment.from + k]!;
          const own = { codes: code.finish(), totals: code.totals, tallies: [names[segment.from + k]!] };
          return { name: p.name, end: p.end, units: p.rows, reach: 0, file: 0, line: 0, ...own };
        }),
    });
    const alignment = { streams: c.streams, tallies: ['marks'], files: [], repeated: {}, parts };
    return { computed, seen: input.rows, tallies: talliesOf(counts), alignment };
  } finally {
    close();
  }
};

/** A number for the marks of a chunk. */
const markOf = (marks: Uint32Array): number => Number.parseInt(digest(Buffer.from(marks.buffer)).slice(0, 13), 16);

/** `rows`, then for a failing row `failing` (and `rows`, where they stay). */
const codesOf = (marks: Uint32Array, keeps: boolean): CodeWriter => {
  const writer = new CodeWriter(2);
  for (const mark of marks) {
    if ((mark & FAILING) === 0) writer.add([1, 0], false);
    else writer.add([keeps ? 1 : 0, 1], false);
  }
  return writer;
};

const judgeAll = async (
  chunks: readonly Sketched[],
  layout: CheckLayout,
): Promise<{ marks: Uint32Array[]; counts: CheckCounts }> => {
  const { rules, width } = layout;
  const marks = chunks.map(({ rows }) => new Uint32Array(rows));
  const seen = rules.map(() => 0);
  const broken = rules.map(() => 0);
  let compared = 0;
  for (const [i, rule] of rules.entries()) {
    const again = rule.compares ? await repeats(chunks, layout.keys[i]!, width) : null;
    const bit = rule.compares ? 1 << ++compared : 0;
    for (const [n, { rows, hot }] of chunks.entries()) {
      for (let row = 0; row < rows; row++) {
        const finding = hot[row * width + i]!;
        if (finding === SILENT) continue;
        seen[i]!++;
        if (again ? again[n]![row] === 0 : finding !== BROKEN) continue;
        broken[i]!++;
        if (rule.marks) marks[n]![row]! |= FAILING | bit;
      }
      if (n % TURN === TURN - 1) await setImmediate();
    }
  }
  const failing = marks.reduce((n, m) => n + m.reduce((k, mark) => k + (mark & FAILING), 0), 0);
  const rows = chunks.reduce((n, chunk) => n + chunk.rows, 0);
  return { marks, counts: { rows, failing, rules: rules.map((_, i) => ({ seen: seen[i]!, broken: broken[i]! })) } };
};

/** Of each row whether its key has come before. */
const repeats = async (chunks: readonly Sketched[], key: number, width: number): Promise<Uint8Array[]> => {
  const all = chunks.map(chunk => words(chunk.hot));
  const step = width / 4;
  const first = key / 4;
  const isNone = (w: Uint32Array, at: number): boolean => (w[at]! | w[at + 1]! | w[at + 2]! | w[at + 3]!) === 0;
  const maybe = new Repeats(chunks.reduce((n, chunk) => n + chunk.rows, 0));
  for (const w of all) for (let at = first; at < w.length; at += step) if (!isNone(w, at)) maybe.add(w[at]!);
  const known = new HashTable();
  const out: Uint8Array[] = [];
  for (const [n, w] of all.entries()) {
    const again = new Uint8Array(chunks[n]!.rows);
    for (let row = 0, at = first; row < again.length; row++, at += step) {
      if (isNone(w, at) || !maybe.has(w[at]!)) continue;
      if (known.getOrSetHash(w[at]!, w[at + 1]!, w[at + 2]!, w[at + 3]!, 0) !== -1) again[row] = 1;
    }
    out.push(again);
    if (n % TURN === TURN - 1) await setImmediate();
  }
  return out;
};

/** Names under which a record keeps the counts, so that they are judged again without the rows. */
const talliesOf = ({ rows, failing, rules }: CheckCounts): Record<string, number> => ({
  rows,
  failing,
  ...Object.fromEntries(rules.flatMap((r, i) => [[`${i} seen`, r.seen] as const, [`${i} broken`, r.broken] as const])),
});

export const countsOf = (tallies: Readonly<Record<string, number>>): CheckCounts => {
  const rules: CheckCounts['rules'][number][] = [];
  for (let i = 0; tallies[`${i} seen`] !== undefined; i++)
    rules.push({ seen: tallies[`${i} seen`]!, broken: tallies[`${i} broken`]! });
  return { rows: tallies.rows ?? 0, failing: tallies.failing ?? 0, rules };
};
