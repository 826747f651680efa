/** Walks from rows back to what they were made of, node by node, to the files that the first of them were read from. */
import type { Lineage, Row } from '../../../stages/contract.ts';
import { type InputRows, primaryInput, type Result, type Results } from './results.ts';
import type { Origin, Relation, Traced } from './traced.ts';
import { rowsOfGroup, unitOf } from './units.ts';

/** Rows that went into a run. */
interface Source {
  readonly input: InputRows;
  readonly positions: readonly number[];
}

/** What one row came from. */
interface Found {
  readonly sources: readonly Source[];
  /** Of a row that was read. */
  readonly place?: Lineage | null;
  readonly told: boolean;
}

/** A run on the way, and the places of its rows that are on it. */
interface Stop {
  readonly result: Result;
  readonly output: string;
  readonly positions: Set<number>;
}

/** A step, and the run that it went through. */
export interface Walked {
  readonly origin: Origin;
  readonly result: Result;
}

/** The rows' own node comes first, then every node before it on the way; a node that two of them share stands once. */
export const origins = async (
  results: Results,
  from: Omit<Stop, 'positions'>,
  positions: readonly number[],
): Promise<Walked[]> => {
  const stops = new Map<string, Stop>([['', { ...from, positions: new Set(positions) }]]);
  const out: Walked[] = [];
  while (stops.size > 0) {
    const [key, stop] = furthest(results, stops);
    stops.delete(key);
    const { result, output } = stop;
    const dataset = results.rows(result, output);
    const rows: Traced[] = [];
    const relations = new Set<Relation>();
    for (const position of [...stop.positions].sort((a, b) => a - b)) {
      const row = dataset.row(position);
      const place = dataset.place(position);
      const found = await sourcesOf(results, result, { output, position, row, place });
      rows.push({ row, position, place: found.place === undefined ? place : found.place });
      relations.add(relationOf(results, row, found));
      for (const { input, positions: all } of found.sources) {
        const next = `${input.from.node}.${input.from.output}@${input.digest}`;
        let before = stops.get(next);
        if (!before) {
          const made = await results.of(input.from.node, { output: input.from.output, digest: input.digest });
          if (!made) continue;
          stops.set(next, (before = { result: made, output: input.from.output, positions: new Set() }));
        }
        for (const p of all) before.positions.add(p);
      }
    }
    const relation = ORDER.find(r => relations.has(r))!;
    out.push({ origin: { node: result.node.name, output, stage: result.node.stage, relation, rows }, result });
  }
  return out;
};

/** Of several rows of one node, the relation that says most. */
const ORDER: readonly Relation[] = ['made', 'cut', 'changed', 'unchanged', 'read', 'untold'];

/** The stop whose node depends on all others: nothing more can be added to it. */
const furthest = (results: Results, stops: ReadonlyMap<string, Stop>): [string, Stop] =>
  [...stops].reduce((a, b) => (results.order(b[1].result.node) > results.order(a[1].result.node) ? b : a));

const relationOf = (results: Results, row: Row, { sources, told }: Found): Relation => {
  if (!told) return 'untold';
  const all = sources.flatMap(s => s.positions.map(p => ({ input: s.input, p })));
  if (all.length === 0) return 'read';
  if (all.length > 1) return 'made';
  const [{ input, p }] = all as [(typeof all)[0]];
  const source = results.open(input.from.node, input.digest, null).row(p);
  if (row.id !== input.prefix + source.id && !isRepeat(row.id, input.prefix + source.id)) return 'cut';
  return JSON.stringify(source.fields) === JSON.stringify(row.fields) ? 'unchanged' : 'changed';
};

/** `a~x3`: the third time that an order gives a row. */
const isRepeat = (id: string, of: string): boolean => id.startsWith(`${of}~x`) && /^\d+$/.test(id.slice(of.length + 2));

interface Asked extends Traced {
  readonly output: string;
}

const sourcesOf = async (results: Results, result: Result, asked: Asked): Promise<Found> => {
  const { alignment, inputs, node } = result;
  const { kind } = await results.stage(node);
  if (kind === 'read') return { sources: [], place: readPlace(result, asked), told: true };
  if (!alignment || kind === 'order') return byId(results, inputs, asked);
  const input = primaryInput(result);
  if (!input) return { sources: [], told: false };
  const at = unitOf(alignment, asked.output, asked.position);
  if (!at) return byId(results, inputs, asked);
  const dataset = results.open(input.from.node, input.digest, null);
  if (kind !== 'group') return { sources: [{ input, positions: [dataset.starts[at.part]! + at.unit] }], told: true };
  const [first, after] = rowsOfGroup(dataset, at);
  const group = Array.from({ length: after - first }, (_, i) => first + i);
  const same = group.filter(p => dataset.row(p).id === asked.row.id);
  const named = group.filter(p => asked.place?.from?.includes(dataset.row(p).id));
  const positions = named.length > 0 ? named : same.length > 0 ? same : group;
  return { sources: [{ input, positions }], told: true };
};

/** The place that a row was read from: of lines it follows from the alignment. */
const readPlace = ({ alignment }: Result, { output, position, place }: Asked): Lineage | null => {
  if (place?.path !== undefined || !alignment) return place;
  const at = unitOf(alignment, output, position);
  const part = at && alignment.parts[at.part];
  if (!at || !part) return place;
  const path = alignment.files[part.file];
  return path === undefined ? place : { ...place, path, line: part.line + at.unit + 1 };
};

/** A stage that sees everything at once, or an order: its rows are known by the ids of those that they came from. */
const byId = (results: Results, inputs: readonly InputRows[], { row, place }: Asked): Found => {
  const plain = row.id.replace(/~x\d+$/, '');
  const candidates = place?.from ?? [row.id, plain, ...(row.parent === null ? [] : [row.parent])];
  const sources: Source[] = [];
  for (const input of inputs) {
    const mine = candidates.filter(id => id.startsWith(input.prefix)).map(id => id.slice(input.prefix.length));
    if (mine.length === 0) continue;
    const found = results.open(input.from.node, input.digest, null).find(new Set(mine));
    const chosen = place?.from ? mine : mine.filter(id => found.has(id)).slice(0, 1);
    const positions = chosen.flatMap(id => found.get(id) ?? []);
    if (positions.length > 0) sources.push({ input, positions });
  }
  return { sources, told: sources.length > 0 || inputs.length === 0 };
};
