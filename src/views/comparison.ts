/** Metrics of variants side by side: a row for each variant, its axes first, then what each node measured of it. */
import { compact, flat, isBetterLower, isRecord, type Values } from './metrics.ts';
import { change, counted, decimal } from './numbers.ts';
import { type Palette, plainPalette } from './palette.ts';
import { cut, pad, visible, width } from './printable.ts';

type Scalar = string | number | boolean;

export interface Measured {
  /** The node in the recipe. */
  readonly of: string;
  readonly axes: Readonly<Record<string, Scalar>>;
  /** Null where there is none: then `state` stands in its place. */
  readonly metrics: Values | null;
  readonly state: string;
  /** Whether what is the same for all variants is worth a line: of a test it says what was tested. */
  readonly isTest: boolean;
}

export interface ComparisonStyle {
  readonly palette?: Palette;
  readonly columns?: number;
  /** Rows shown of each table. */
  readonly most?: number;
}

interface Column {
  readonly node: string;
  readonly label: string;
  /** By point; numbers right, words left. */
  readonly cells: ReadonlyMap<string, string>;
  readonly base: string;
  readonly isText: boolean;
}

interface Table {
  readonly axes: readonly Column[];
  readonly points: readonly string[];
  readonly columns: readonly Column[];
  readonly same: readonly string[];
  readonly hasBase: boolean;
  readonly isMarked: boolean;
}

/** Nodes on the same axes stand in one table. Empty when nowhere two variants can be compared. */
export const comparisonLines = (all: readonly Measured[], style: ComparisonStyle = {}): string[] => {
  const groups = Map.groupBy(all, m => Object.keys(m.axes).join(' '));
  const tables = [...groups.values()]
    .filter(group => new Set(group.map(pointOf)).size > 1 && group.some(m => m.metrics !== null))
    .map(tableOf);
  return tables.flatMap((table, i) => [...(i === 0 ? [] : ['']), ...tableLines(table, style)]);
};

const pointOf = ({ axes }: Measured): string => JSON.stringify(Object.values(axes));

const tableOf = (group: readonly Measured[]): Table => {
  const points = [...new Map(group.map(m => [pointOf(m), m.axes])).entries()];
  const axes = Object.keys(group[0]!.axes).map((axis): Column => {
    const values = points.map(([point, a]) => [point, a[axis]!] as const);
    const cells = new Map(values.map(([point, value]) => [point, cut(visible(String(value)), LONGEST_AXIS)]));
    return { node: '', label: axis, cells, base: '', isText: values.some(([, v]) => typeof v !== 'number') };
  });
  const parts = [...Map.groupBy(group, m => m.of)].map(([node, measured]) => columnsOf(node, measured));
  const columns = parts.flatMap(p => p.columns);
  return {
    axes: axes.map((axis, i) => (i === 0 ? { ...axis, base: 'base' } : axis)),
    points: points.map(([point]) => point),
    columns,
    same: parts.flatMap(p => p.same),
    hasBase: columns.some(c => c.base !== ''),
    isMarked: columns.some(c => [...c.cells.values()].some(text => text.endsWith('*'))),
  };
};

const LONGEST_AXIS = 32;

/** What one node measured, variant by variant; what is the same for all of them is said apart. */
const columnsOf = (
  node: string,
  measured: readonly Measured[],
): { readonly columns: readonly Column[]; readonly same: readonly string[] } => {
  const rows = measured.map(m => ({ point: pointOf(m), state: m.state, ...split(m.metrics) }));
  const made = rows.filter(r => r.values !== null);
  const sameBase = new Set(made.map(r => JSON.stringify([...(r.base ?? [])]))).size === 1;
  const labels = [...new Set(made.flatMap(r => [...r.values!.keys()]))];
  const columns: Column[] = [];
  const same: Record<string, unknown> = {};
  const add = (label: string, name: string, value: (row: (typeof rows)[number]) => unknown, base: string): void => {
    const values = made.map(value);
    const first = values[0];
    if (made.length > 1 && values.every(v => v === first) && !isBetterLower(name)) {
      same[label] = first;
      return;
    }
    const numbers = values.filter(v => typeof v === 'number');
    const least = isBetterLower(label) && new Set(numbers).size > 1 ? Math.min(...numbers) : null;
    const mark = (v: unknown) => (least === null ? '' : v === least ? ' *' : '  ');
    const isMeasured = numbers.some(v => !Number.isInteger(v));
    const cells = new Map(
      made.map((row, i) => [row.point, `${textOf(name, values[i], isMeasured)}${mark(values[i])}`]),
    );
    const isText = values.some(v => typeof v === 'string');
    columns.push({ node, label, cells, base: base === '' ? '' : `${base}${least === null ? '' : '  '}`, isText });
  };
  for (const label of labels) {
    const base = made[0]?.base?.get(label);
    if (base !== undefined && !sameBase) add(`base ${label}`, label, r => r.base?.get(label), '');
    add(label, label, r => r.values!.get(label), base !== undefined && sameBase ? textOf(label, base, true) : '');
  }
  // A variant without metrics says why in its first column.
  const missing = rows.filter(r => r.values === null).map(r => [r.point, r.state] as const);
  if (missing.length > 0 && columns.length === 0)
    columns.push({ node, label: '', cells: new Map(), base: '', isText: true });
  const told = columns.map((c, i) => (i === 0 ? { ...c, cells: new Map([...c.cells, ...missing]) } : c));
  const isTest = measured.some(m => m.isTest) && Object.keys(same).length > 0;
  return { columns: told, same: isTest ? [`${visible(node)} ${compact(same)}`] : [] };
};

/** Metrics by name, and beside them those of the model without the adapter. */
const split = (
  metrics: Values | null,
): { readonly values: ReadonlyMap<string, unknown> | null; readonly base: ReadonlyMap<string, unknown> | null } => {
  if (metrics === null) return { values: null, base: null };
  const { base, tuned, ...others } = metrics;
  if (!isRecord(base) || !isRecord(tuned)) return { values: leaves(metrics), base: null };
  return { values: new Map([...leaves(tuned), ...leaves(others)]), base: leaves(base) };
};

/** Numbers as they are, all else as texts. */
const leaves = (value: unknown, name = ''): Map<string, unknown> => {
  if (isRecord(value))
    return new Map(Object.entries(value).flatMap(([k, v]) => [...leaves(v, name === '' ? k : `${name}.${k}`)]));
  return new Map(flat(value, name).map(([n, text]) => [n, typeof value === 'number' ? value : text]));
};

/** `isMeasured`: others in the column have decimals, so a whole number shows its zeros. */
const textOf = (name: string, value: unknown, isMeasured: boolean): string => {
  if (typeof value !== 'number') return value === undefined ? '' : visible(String(value));
  if (name === 'change') return change(1, 1 + value) ?? '';
  const isWhole = isMeasured && Number.isInteger(value) && value !== 0 && Math.abs(value) < 1000;
  return isWhole ? value.toFixed(3) : decimal(value);
};

const tableLines = (table: Table, { palette = plainPalette, columns = Infinity, most = Infinity }: ComparisonStyle) => {
  const { axes, points, same, hasBase, isMarked } = table;
  const shown = points.slice(0, most);
  const rows = [...shown, ...(hasBase ? [null] : [])];
  if (table.columns.length === 0) return same.map(part => cut(`the same for all ${points.length}: ${part}`, columns));
  const blocks = fitted(table, columns).map(part => {
    const all = [...axes, ...part];
    const widths = widthsOf(all, rows);
    const line = (cell: (column: Column) => string, left = false) =>
      cut(
        all
          .map((c, i) => pad(cell(c), left || c.isText ? widths[i]! : -widths[i]!))
          .join('  ')
          .trimEnd(),
        columns,
      );
    const heads = line((c, i = all.indexOf(c)) => (all[i - 1]?.node === c.node ? '' : visible(c.node)), true);
    return [
      palette('bold', heads),
      palette(
        'dim',
        line(c => visible(c.label)),
      ),
      ...rows.map(point => line(c => (point === null ? c.base : (c.cells.get(point) ?? '')))),
    ];
  });
  const lines = blocks.flatMap((block, i) => [...(i === 0 ? [] : ['']), ...block]);
  if (points.length > shown.length) lines.push(`… and ${counted(points.length - shown.length, 'more variant')}`);
  const together = `the same for all: ${same.join('; ')}`;
  const apart = width(together) > columns ? ['the same for all:', ...same.map(part => `  ${part}`)] : [together];
  const notes = [...(isMarked ? ['* best (lowest)'] : []), ...(same.length > 0 ? apart : [])];
  return [...lines, ...notes.map(note => palette('dim', cut(note, columns)))];
};

const widthsOf = (columns: readonly Column[], rows: readonly (string | null)[]): number[] => {
  const widths = columns.map(c =>
    Math.max(width(visible(c.label)), ...rows.map(p => width(p === null ? c.base : (c.cells.get(p) ?? '')))),
  );
  // A node's name stands over all its columns.
  for (const [i, { node }] of columns.entries()) {
    if (node === '' || columns[i - 1]?.node === node) continue;
    const own = widths.slice(i, i + columns.filter(c => c.node === node).length);
    widths[i]! += Math.max(0, width(visible(node)) - own.reduce((n, w) => n + w + 2, -2));
  }
  return widths;
};

/** The columns in as many blocks as the terminal's width needs; each repeats the axes. */
const fitted = ({ axes, columns: all, points, hasBase }: Table, columns: number): Column[][] => {
  const rows = [...points, ...(hasBase ? [null] : [])];
  const blocks: Column[][] = [];
  for (const column of all) {
    const last = blocks.at(-1);
    const joined = [...axes, ...(last ?? []), column];
    const total = widthsOf(joined, rows).reduce((n, w) => n + w + 2, -2);
    if (last && total <= columns) last.push(column);
    else blocks.push([column]);
  }
  return blocks;
};
