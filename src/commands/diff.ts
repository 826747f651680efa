/** `finetune diff`: two builds, git revisions or the recipe as it stands, beside each other: recipe, rows, metrics. */
import { type Call, type ExitCode, usage, wholeNumber } from '../command.ts';
import { compare, isMeant, type Metric, type NodeChange } from '../engine/compare/compare.ts';
import { findSide } from '../engine/compare/find-side.ts';
import type { Side } from '../engine/compare/side.ts';
import { openEngine } from '../engine/engine.ts';
import { inWords } from '../engine/fingerprint.ts';
import { didYouMean } from '../load/suggest.ts';
import { change, decimal, thousands } from '../views/numbers.ts';
import { columns, print, printJson } from '../views/print.ts';
import { visible } from '../views/printable.ts';
import { changeLines } from '../views/row-changes.ts';

export const run = async ({ flags, names, env }: Call): Promise<ExitCode> => {
  const most = wholeNumber('rows', flags.rows, 3);
  const engine = await openEngine({ recipe: flags.recipe, profiles: flags.profile, set: flags.set, env });
  try {
    const [a, b, ...nodes] = names;
    const find = (what: string) => findSide(what, { engine, profiles: flags.profile, set: flags.set });
    const before = await find(a ?? 'previous');
    const after = await find(b ?? (a === undefined ? 'last' : 'now'));
    throwIfUnknown(nodes, [before, after]);
    const changes = await compare(before, after, { store: engine.store, nodes, most });
    if (flags.json) {
      printJson({ type: 'sides', before: named(before), after: named(after) });
      for (const c of changes) printJson({ type: 'diff', ...c });
    } else print(inText(before, after, changes, nodes));
    return 0;
  } finally {
    engine.close();
  }
};

const named = ({ name, at }: Side) => ({ name, at });

const throwIfUnknown = (nodes: readonly string[], sides: readonly Side[]): void => {
  const known = [...new Set(sides.flatMap(s => [...s.nodes.keys()]))];
  const unknown = nodes.find(n => !known.some(k => isMeant(k, n)));
  if (unknown !== undefined) throw usage(`neither side has a node "${unknown}"${didYouMean(unknown, known)}`);
};

const inText = (before: Side, after: Side, changes: readonly NodeChange[], nodes: readonly string[]): string => {
  const head = `${titleOf(before)} -> ${titleOf(after)}`;
  const parts = [
    recipePart(changes),
    rowsPart(changes),
    ...examplesParts(changes, nodes),
    metricsPart(changes),
    lacksPart(changes, before, after),
  ];
  const said = parts.filter(p => p !== '');
  return [head, ...(said.length > 0 ? said : ['no difference'])].join('\n\n');
};

const titleOf = ({ name, at }: Side): string => (at === null ? name : `${name}, ${moment(new Date(at * 1000))}`);

/** "2026-11-03 14:02", on the clock of the user. */
const moment = (at: Date): string => {
  const two = (n: number) => String(n).padStart(2, '0');
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
};

const recipePart = (changes: readonly NodeChange[]): string => {
  const lines = changes.flatMap(({ node, was, state, recipe, wiring }): [string, string][] => {
    const said = recipe.map(inWords);
    if (was !== undefined) said.unshift(`was called ${was}`);
    if (state !== 'changed') said.unshift(state === 'added' ? 'new node' : 'node removed');
    if (wiring) said.push(...rewired(wiring));
    const shown = said.slice(0, 8);
    if (said.length > shown.length) shown.push(`and ${said.length - shown.length} more`);
    return shown.map((words, i) => [i === 0 ? node : '', words]);
  });
  return lines.length === 0 ? '' : `recipe\n${table(lines)}`;
};

/** "from rows: text.rows -> clean.rows". */
const rewired = ({ before, after }: { readonly before: string; readonly after: string }): string[] => {
  const ports = (text: string) => new Map(text.split(' ').map(p => p.split('=') as [string, string]));
  const [a, b] = [ports(before), ports(after)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter(p => p !== '' && a.get(p) !== b.get(p))
    .map(p => `from ${p}: ${a.get(p) ?? 'nothing'} -> ${b.get(p) ?? 'nothing'}`);
};

const rowsPart = (changes: readonly NodeChange[]): string => {
  const lines = changes.flatMap(({ node, rows }) =>
    Object.entries(rows).flatMap(([output, r]) => {
      if (!r || r.before + r.after === 0) return [];
      const order = r.added + r.removed + r.changed === 0 ? 'in another order' : '';
      return [[outputName(node, output), ...[r.before, r.after, r.added, r.removed, r.changed].map(thousands), order]];
    }),
  );
  return lines.length === 0 ? '' : columns(['rows', 'before', 'after', 'added', 'removed', 'changed', ''], lines);
};

const outputName = (node: string, output: string): string => (output === 'rows' ? node : `${node}.${output}`);

/** Of the nodes that were named; else of those that have themselves changed, or else the first one with other rows. */
const examplesParts = (changes: readonly NodeChange[], nodes: readonly string[]): string[] => {
  const withRows = changes.filter(c => Object.values(c.rows).some(r => r && r.added + r.removed + r.changed > 0));
  const own = withRows.filter(c => c.state === 'changed' && (c.recipe.length > 0 || c.wiring));
  const chosen = nodes.length > 0 ? withRows : own.length > 0 ? own : withRows.slice(0, 1);
  return chosen.flatMap(({ node, rows }) =>
    Object.entries(rows).flatMap(([output, r]) => {
      const lines = r ? changeLines(r) : [];
      return lines.length === 0 ? [] : [[outputName(node, output), ...lines.map(l => `  ${l}`)].join('\n')];
    }),
  );
};

const metricsPart = (changes: readonly NodeChange[]): string => {
  const lines = changes.flatMap(({ node, metrics, trees }) => [
    ...trees.map(tree => [node, tree, '', 'another', '']),
    ...Object.entries(metrics).map(([name, { before, after }]) => [
      node,
      name,
      shownValue(before),
      shownValue(after),
      typeof before === 'number' && typeof after === 'number' ? (change(before, after) ?? '') : '',
    ]),
  ]);
  return lines.length === 0 ? '' : columns(['results', '', 'before', 'after', ''], lines);
};

const shownValue = (value: Metric | null): string =>
  value === null ? '-' : typeof value === 'number' ? decimal(value) : visible(String(value)).slice(0, 40);

const lacksPart = (changes: readonly NodeChange[], before: Side, after: Side): string => {
  const lines = changes.flatMap(({ node, lacks, rows }): [string, string][] => {
    const gone = Object.keys(rows).filter(output => rows[output] === null);
    const said = [
      lacks.before && `${before.name}: ${lacks.before}`,
      lacks.after && `${after.name}: ${lacks.after}`,
      gone.length > 0 && `${gone.map(o => outputName(node, o)).join(', ')}: no longer whole in the store`,
    ];
    const words = said.filter(Boolean).join('; ');
    return words === '' ? [] : [[node, words]];
  });
  return lines.length === 0 ? '' : `results that cannot be compared\n${table(lines)}`;
};

const table = (lines: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, words]) => `  ${name.padEnd(width)}  ${visible(words)}`).join('\n');
};
