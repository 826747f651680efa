/** Walks from rows forward: what each node that they went into made of them, and where they ended. */
import type { Stage } from '../../../stages/contract.ts';
import type { GraphNode } from '../../load/graph.ts';
import { type InputRows, primaryInput, type Result, type Results } from './results.ts';
import type { StoredRows } from './stored-rows.ts';
import type { Outcome, Traced } from './traced.ts';
import { groupAt, rowsOfUnit } from './units.ts';

/** Outputs of which nobody takes rows on, unless the recipe says so. */
const ENDS = new Set(['rejects', 'dropped']);

interface At {
  readonly result: Result;
  readonly output: string;
  readonly positions: ReadonlySet<number>;
}

/** In the graph's order, each node that rows at `start` went into, directly or through others. */
export const outcomes = async (
  results: Results,
  nodes: readonly GraphNode[],
  start: { readonly result: Result; readonly output: string; readonly positions: readonly number[] },
): Promise<Outcome[]> => {
  /** By node and output: the rows that are being followed. */
  const followed = new Map<string, At>();
  const { result, output, positions } = start;
  followed.set(`${result.node.name}.${output}`, { result, output, positions: new Set(positions) });
  const out: Outcome[] = [];
  for (const node of nodes) {
    const taken = Object.values(node.inputs)
      .flatMap(i => i.from)
      .flatMap(from => followed.get(`${from.node}.${from.output}`) ?? []);
    if (taken.length === 0) continue;
    const made = await results.of(node.name);
    const fed = taken.flatMap(at => {
      const digest = digestOf(at);
      const input = made?.inputs.find(
        i => i.digest === digest && i.from.node === at.result.node.name && i.from.output === at.output,
      );
      return input ? [{ at, input }] : [];
    });
    if (!made || fed.length === 0) {
      out.push({ node: node.name, stage: node.stage, outputs: {}, stale: true });
      continue;
    }
    const stage = await results.stage(node);
    const given = new Map<string, Set<number>>();
    for (const { at, input } of fed)
      for (const [stream, position] of rowsFrom(results, { made, stage, input }, at)) {
        const known = given.get(stream) ?? new Set();
        given.set(stream, known.add(position));
      }
    const outputs: Record<string, readonly Traced[]> = {};
    for (const [stream, all] of given) {
      const dataset = results.rows(made, stream);
      const sorted = [...all].sort((a, b) => a - b);
      outputs[stream] = sorted.map(p => ({ row: dataset.row(p), position: p, place: dataset.place(p) }));
      // What was removed is not followed: its fields are others.
      if (!ENDS.has(stream)) followed.set(`${node.name}.${stream}`, { result: made, output: stream, positions: all });
    }
    out.push({ node: node.name, stage: node.stage, outputs, stale: false });
  }
  return out;
};

const digestOf = ({ result, output }: At): string | null => {
  const stored = result.record.outputs[output];
  return stored?.type === 'rows' ? stored.digest : null;
};

interface Run {
  readonly made: Result;
  readonly stage: Stage;
  readonly input: InputRows;
}

/** Output and place of each row that came of the rows at `at`. */
function* rowsFrom(results: Results, run: Run, at: At): Generator<[stream: string, position: number]> {
  const { made, stage, input } = run;
  const { alignment } = made;
  const dataset = results.rows(at.result, at.output);
  // What rows are only compared with (an evaluation set) does not become rows.
  if (alignment && input.port !== primaryInput(made)?.port && stage.kind !== 'order') return;
  if (!alignment || stage.kind === 'order') {
    yield* byId(results, run, dataset, at);
    return;
  }
  for (const position of at.positions) {
    const { id } = dataset.row(position);
    const part = dataset.chunkOf(position);
    const unit = stage.kind === 'group' ? groupAt(dataset, position) : { part, unit: position - dataset.starts[part]! };
    if (alignment.parts[unit.part]?.name !== dataset.names[unit.part]) continue;
    for (const [stream, [from, to]] of rowsOfUnit(alignment, unit)) {
      const target = stage.kind === 'group' ? results.rows(made, stream) : null;
      for (let p = from; p < to; p++)
        if (!target || isOf(target, { position: p, id: input.prefix + id, ended: ENDS.has(stream) })) yield [stream, p];
    }
  }
}

/** Whether a row that a group gave came of its row `id`: where a stage does not say, those below its parent came of all. */
const isOf = (
  target: StoredRows,
  { position, id, ended }: { readonly position: number; readonly id: string; readonly ended: boolean },
): boolean => {
  const from = target.place(position)?.from;
  if (from) return from.includes(id);
  const row = target.row(position);
  return row.id === id || (!ended && row.parent !== null);
};

/** Of an order, or of a stage that sees everything at once: rows that bear the ids, or say that they came of them. */
function* byId(results: Results, { made, input }: Run, dataset: StoredRows, at: At): Generator<[string, number]> {
  for (const [stream, stored] of Object.entries(made.record.outputs)) {
    if (stored.type !== 'rows') continue;
    const target = results.rows(made, stream);
    for (const position of at.positions) {
      const id = input.prefix + dataset.row(position).id;
      const isRepeat = (other: string) => other.startsWith(`${id}~x`) && /^\d+$/.test(other.slice(id.length + 2));
      for (const p of target.having(id, (row, place) =>
        place?.from ? place.from.includes(id) : row.id === id || row.parent === id || isRepeat(row.id),
      ))
        yield [stream, p];
    }
  }
}
