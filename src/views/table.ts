/** What stands at the end of a build: a line for each node, then what came out of it. */
import type { BuildEvent, NodeState, NodeSummary } from '../events.ts';
import type { NodeStatus } from './board.ts';
import { counted, duration, thousands } from './numbers.ts';
import { type Palette, plainPalette, type Style } from './palette.ts';
import { cut, pad, visible, width } from './printable.ts';
import { resultLines } from './results.ts';

export type Summary = Extract<BuildEvent, { type: 'summary' }>;

export interface TableStyle {
  readonly palette?: Palette;
  /** Width of the terminal; without one nothing is cut. */
  readonly columns?: number;
}

/** Above this many nodes the table shows those that matter and counts the rest. */
export const MANY = 60;
const SHOWN_OF_MANY = 40;

export const STYLE: Readonly<Record<NodeState, Style>> = {
  built: 'green',
  cached: 'dim',
  failed: 'red',
  skipped: 'yellow',
  interrupted: 'yellow',
};

const ORDER: readonly NodeState[] = ['failed', 'interrupted', 'built', 'cached', 'skipped'];

/** "2 built, 16 cached". */
const tally = (nodes: readonly NodeSummary[]): string =>
  ORDER.map(state => ({ state, n: nodes.filter(node => node.state === state).length }))
    .filter(({ n }) => n > 0)
    .map(({ state, n }) => `${thousands(n)} ${state}`)
    .join(', ');

/** Note of a node's line: how many rows were computed for it, where they were fewer, and what the node itself says. */
export const noteOf = ({ state, rows, computed, reused, note }: NodeStatus): string => {
  const differs = computed !== null && rows !== null && state === 'built' && computed < rows;
  const of =
    reused > 0 ? `${thousands(computed ?? 0)} computed, the rest reused` : differs ? `from ${thousands(computed)}` : '';
  return [of, visible(note)].filter(Boolean).join(', ');
};

/** "pinned   adapter, base in finetune.lock", and what is no longer in it. */
export const lockLines = ({ path, pinned, released }: Extract<BuildEvent, { type: 'lock' }>): string[] =>
  (
    [
      ['pinned', pinned, 'in'],
      ['released', released, 'from'],
    ] as const
  )
    .filter(([, names]) => names.length > 0)
    .map(([word, names, where]) => `${pad(word, 9)}${listed(names)} ${where} ${visible(path)}`);

const listed = (names: readonly string[]): string => {
  const more = names.length > 8 ? ` and ${names.length - 6} more` : '';
  return `${(more ? names.slice(0, 6) : names).map(visible).join(', ')}${more}`;
};

/** In a big graph: what went wrong, then what took longest. */
const chosen = (nodes: readonly NodeSummary[]): readonly NodeSummary[] => {
  if (nodes.length <= MANY) return nodes;
  const weight = (n: NodeSummary) => (n.state === 'failed' || n.state === 'interrupted' ? Infinity : n.seconds);
  const eligible = nodes.filter(n => n.state !== 'cached' && n.state !== 'skipped');
  // Infinity - Infinity is NaN, so compare instead of subtracting.
  const heaviest = eligible.toSorted((a, b) => (weight(a) === weight(b) ? 0 : weight(a) < weight(b) ? 1 : -1));
  const kept = new Set(heaviest.slice(0, SHOWN_OF_MANY));
  return nodes.filter(n => kept.has(n));
};

const tableLines = (
  summary: Summary,
  statuses: ReadonlyMap<string, NodeStatus>,
  style: Required<TableStyle>,
): string[] => {
  const { palette, columns } = style;
  const shown = chosen(summary.nodes);
  const cells = shown.map(node => ({
    state: node.state,
    cells: [
      cut(visible(node.name), Math.max(16, Math.floor(columns / 3))),
      node.state,
      node.rows === null ? '' : thousands(node.rows),
      node.state === 'skipped' || (node.state === 'interrupted' && node.seconds === 0) ? '' : duration(node.seconds),
      statuses.has(node.name) ? noteOf(statuses.get(node.name)!) : '',
    ] as const,
  }));
  const heads = ['node', 'state', 'rows', 'time', cells.some(row => row.cells[4] !== '') ? 'note' : ''] as const;
  const widths = heads.map((head, i) => Math.max(width(head), ...cells.map(row => width(row.cells[i]!))));
  const signs = [1, 1, -1, -1, 1];
  const line = (row: readonly string[]) => row.map((cell, i) => pad(cell, i === 4 ? 0 : signs[i]! * widths[i]!));
  const join = (row: readonly string[]) => cut(row.join('  ').trimEnd(), columns);
  const lines = shown.length === 0 ? [] : [palette('dim', join(line(heads)))];
  for (const row of cells) {
    const text = join(line(row.cells));
    const end = widths[0]! + 2 + row.state.length;
    // Cached lines are dimmed whole; of others only the state is coloured.
    if (row.state === 'cached' || width(text) < end) lines.push(palette(STYLE[row.state], text));
    else {
      const [name, , ...rest] = line(row.cells);
      const tail = text.slice(`${name}  ${row.state}`.length);
      lines.push(rest.length === 0 ? text : `${name}  ${palette(STYLE[row.state], row.state)}${tail}`);
    }
  }
  const others = summary.nodes.filter(node => !shown.includes(node));
  if (others.length > 0) lines.push(palette('dim', `… and ${counted(others.length, 'more node')}: ${tally(others)}`));
  return lines;
};

const closingLine = ({ ok, seconds, nodes }: Summary, palette: Palette): string => {
  const word = ok ? 'done' : nodes.some(n => n.state === 'interrupted') ? 'interrupted' : 'failed';
  const states = tally(nodes);
  const kept = word === 'interrupted' ? '; what is finished is kept' : '';
  return `${palette(ok ? 'green' : 'red', word)}: ${states === '' ? '' : `${states}, `}${duration(seconds)}${kept}`;
};

/**
 * The end of a build as text: table, results, closing line. A build without any work is one line and its results; one
 * that never started (mistakes in the recipe) has no end to show.
 */
export const renderEnd = (
  summary: Summary,
  statuses: ReadonlyMap<string, NodeStatus>,
  style: TableStyle = {},
): string => {
  const { palette = plainPalette, columns = Infinity } = style;
  const { nodes } = summary;
  if (nodes.length === 0) return '';
  const results = resultLines(nodes, statuses, { palette, columns });
  const gap = results.length > 0 ? [''] : [];
  if (summary.ok && nodes.every(node => node.state === 'cached')) {
    return `${[`${counted(nodes.length, 'node')} cached, ${duration(summary.seconds)}`, ...gap, ...results].join('\n')}\n`;
  }
  const table = tableLines(summary, statuses, { palette, columns });
  return `${[...table, ...gap, ...results, '', closingLine(summary, palette)].join('\n')}\n`;
};
