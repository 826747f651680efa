/**
 * Expands entries to their variants. A node has those of its own matrix, joined with those of everything that it is made
 * from: on equal values where an axis comes twice, else each with each. Axes stand in the order in which the recipe first
 * names them.
 */
import type { Failure } from '../failure.ts';
import { type AxisOrder, axisOrder } from './axis-order.ts';
import { fromAt, inDependencyOrder, references } from './dependencies.ts';
import type { Entry, LoadContext } from './entry.ts';
import { axesIn } from './interpolate.ts';
import { type Bound, join } from './join.ts';
import { type AxisValue, countPoints, MOST_NODES, MOST_VARIANTS, type Point, points, variantName } from './matrix.ts';
import { type KnownAxes, listed, parseReference, parseSelection } from './selection.ts';
import type { Value } from './value.ts';

/** Which nodes a reference means to one variant: several where it collects (`@*`), none where it is a mistake. */
export interface Target {
  readonly nodes: readonly string[];
  readonly output: string | null;
}

export interface Variant {
  readonly name: string;
  readonly point: Point;
  readonly from: Value | undefined;
  /** By the reference as written. */
  readonly targets: ReadonlyMap<string, Target>;
}

export interface Expanded {
  readonly entry: Entry;
  readonly variants: readonly Variant[];
  /** False after a mistake in its matrix or in one before it. */
  readonly sure: boolean;
}

/** In the order of the entries; every entry has at least one variant. */
export const expand = (entries: readonly Entry[], context: LoadContext): readonly Expanded[] => {
  const order = axisOrder(entries);
  const done = new Map<string, Expanded>();
  let total = 0;
  for (const { entry, cyclic } of inDependencyOrder(entries, context)) {
    const all = cyclic ? only(entry, context) : expandEntry(entry, done, order, context);
    const before = total;
    total += all.variants.length;
    if (total > MOST_NODES && before <= MOST_NODES) {
      context.fail({
        reason: 'too-many-nodes',
        message: `with the variants of ${entry.name} the recipe has more than ${MOST_NODES} nodes`,
        place: context.place([entry.section, entry.name], true),
        advice: 'give its matrices fewer values, or choose among variants: from: node@axis=value',
      });
    }
    done.set(entry.name, total > MOST_NODES ? only(entry, context) : all);
  }
  return entries.map(e => done.get(e.name)!);
};

/** One variant that stands for all: after a mistake. */
const only = (entry: Entry, context: LoadContext): Expanded => {
  const from = fromAt(entry, new Map(), false, context);
  return { entry, variants: [{ name: entry.name, point: new Map(), from, targets: new Map() }], sure: false };
};

const expandEntry = (
  entry: Entry,
  done: ReadonlyMap<string, Expanded>,
  order: AxisOrder,
  context: LoadContext,
): Expanded => {
  const { name, section, axes } = entry;
  const { place, fail } = context;
  const at = [section, name];
  const tooMany = (): Expanded => {
    const message = `${name} has more than ${MOST_VARIANTS} variants`;
    const advice = 'give its matrix, or those before it, fewer values, or choose among variants: from: node@axis=value';
    fail({ reason: 'invalid-matrix', message, place: place(axes.length > 0 ? [...at, 'matrix'] : at, true), advice });
    return only(entry, context);
  };
  if (countPoints(axes) > MOST_VARIANTS) return tooMany();
  let sure = entry.sure;
  let right = true;
  let conflict: Failure | null = null;
  const shared = new Set<string>();
  const variants: { point: Point; from: Value | undefined; targets: Map<string, Target> }[] = [];
  for (const own of points(axes)) {
    const from = fromAt(entry, own, entry.sure, context);
    let rows: Bound<Target>[] = [{ point: own, targets: new Map() }];
    for (const [text, path] of references(from, [...at, 'from'])) {
      const { node, rest, output } = parseReference(text);
      const before = done.get(node);
      if (!before) continue;
      if (!before.sure) sure = false;
      const choice = choices(before, rest, output);
      if (typeof choice === 'string') {
        if (before.sure) fail({ reason: 'unknown-variant', message: choice, place: place(path) });
        right = false;
        for (const row of rows) row.targets.set(text, { nodes: [], output: null });
        continue;
      }
      for (const option of choice) for (const axis of option.point.keys()) shared.add(axis);
      const joined = join(rows, text, choice, MOST_VARIANTS);
      if (joined === null || variants.length + joined.length > MOST_VARIANTS) return tooMany();
      if (joined.length === 0 && rows.length > 0)
        conflict ??= {
          reason: 'invalid-matrix',
          message: `no variant of ${node} goes with the other inputs of ${name}: ${apart(rows, choice)}`,
          place: place(path),
        };
      rows = joined;
    }
    variants.push(...rows.map(r => ({ ...r, from })));
  }
  if (variants.length === 0) {
    if (conflict !== null) fail(conflict);
    return only(entry, context);
  }
  if (right && sure) checkAxes(entry, shared, variants, done, context);
  const named = variants
    .map(v => ({ ...v, point: order.sorted(v.point) }))
    .sort((a, b) => order.compare(a.point, b.point));
  const out = named.map(v => ({ ...v, name: variantName(name, v.point) }));
  const long = out.find(v => Buffer.byteLength(v.name) > LONGEST_NAME);
  if (long) {
    const message = `the name of a variant would be longer than ${LONGEST_NAME} bytes: ${long.name.slice(0, 60)}…`;
    fail({ reason: 'invalid-matrix', message, place: place([...at, 'matrix'], true) });
  }
  return { entry, variants: out, sure };
};

/** Folders and logs are named after nodes: file systems take 255 bytes. */
const LONGEST_NAME = 200;

/** Every axis of its own must make a difference, and every value of it must go with some input that has the axis. */
const checkAxes = (
  { name, section, axes, with: options, from, resources }: Entry,
  shared: ReadonlySet<string>,
  variants: readonly { readonly point: Point }[],
  done: ReadonlyMap<string, Expanded>,
  { place, fail }: LoadContext,
): void => {
  const used = axes.length === 0 ? new Set<string>() : axesIn([options, from ?? null, resources ?? null]);
  for (const axis of axes) {
    const at = [section, name, 'matrix', axis.name];
    if (shared.has(axis.name)) {
      const there = new Set(variants.map(v => v.point.get(axis.name)?.text));
      for (const value of axis.values) {
        if (there.has(value.text)) continue;
        const others = references(from, []).flatMap(([text]) => {
          const known = knownAxes(done.get(parseReference(text).node)).get(axis.name);
          return known ? [`${axis.name} of ${parseReference(text).node} is ${listed(known.map(v => v.text))}`] : [];
        });
        const why = others.length > 0 ? `: ${[...new Set(others)].join(', ')}` : '';
        const message = `no input of ${name} goes with ${axis.name}=${value.text}${why}`;
        fail({ reason: 'invalid-matrix', message, place: place(value.at) });
      }
    } else if (!used.has(axis.name)) {
      const message = `nothing in ${name} uses matrix.${axis.name}: its variants would all be the same`;
      const advice = `use it under "with": "\${matrix.${axis.name}}"`;
      fail({ reason: 'invalid-matrix', message, place: place(at, true), advice });
    }
  }
};

/** Why a join is empty, by the first axis without a value on both sides. */
const apart = (rows: readonly Bound<Target>[], options: readonly { readonly point: Point }[]): string => {
  const texts = (list: readonly { readonly point: Point }[], axis: string) => [
    ...new Set(list.map(r => r.point.get(axis)?.text ?? '')),
  ];
  const axes = [...(rows[0]?.point.keys() ?? [])].filter(axis => options[0]?.point.has(axis));
  const axis = axes.find(a => !texts(rows, a).some(t => texts(options, a).includes(t))) ?? axes[0] ?? '';
  return `${axis} is ${listed(texts(options, axis))} there, and ${listed(texts(rows, axis))} here`;
};

type Choices = readonly (Target & { readonly point: Point })[] | string;

const chosen = new WeakMap<Expanded, Map<string, Choices>>();

/** What a reference can mean: for each point that its node's variants still have after the selection, the nodes. */
const choices = (node: Expanded, rest: string | null, output: string | null): Choices => {
  const known = chosen.get(node) ?? new Map<string, Choices>();
  chosen.set(node, known);
  const key = `${rest ?? ''} ${output ?? ''}`;
  if (!known.has(key)) known.set(key, choose(node, rest, output));
  return known.get(key)!;
};

const choose = ({ entry, variants }: Expanded, rest: string | null, output: string | null): Choices => {
  if (rest === null) return variants.map(v => ({ point: v.point, nodes: [v.name], output }));
  const selection = parseSelection(entry.name, rest, knownAxes({ variants }));
  if (typeof selection === 'string') return selection;
  if (output !== null && selection.output !== null)
    return `an output is said once: ${entry.name}@….${selection.output}`;
  const left = new Map<string, { point: Point; nodes: string[]; output: string | null }>();
  for (const { name, point } of variants) {
    if ([...selection.axes].some(([axis, text]) => text !== null && point.get(axis)?.text !== text)) continue;
    const rest = new Map([...point].filter(([axis]) => !selection.axes.has(axis)));
    const key = variantName('', rest);
    const known = left.get(key);
    if (known) known.nodes.push(name);
    else left.set(key, { point: rest, nodes: [name], output: selection.output ?? output });
  }
  return left.size > 0 ? [...left.values()] : `${entry.name} has no variant "${rest}"`;
};

const knownAxes = (node: { readonly variants: readonly { readonly point: Point }[] } | undefined): KnownAxes => {
  const known = new Map<string, Map<string, AxisValue>>();
  for (const { point } of node?.variants ?? [])
    for (const [axis, value] of point) {
      if (!known.has(axis)) known.set(axis, new Map());
      known.get(axis)!.set(value.text, value);
    }
  return new Map([...known].map(([axis, values]) => [axis, [...values.values()]]));
};
