/** Metrics as people read them: numbers on a line, histograms as bars, lists of like things as tables. */
import { isRecord, type Values } from './metrics.ts';
import { decimal, thousands } from './numbers.ts';
import { columns } from './print.ts';
import { pad, visible } from './printable.ts';

/** What is told first; the rest by name. */
const FIRST = [
  'rows',
  'duplicates',
  'rule',
  'result',
  'seen',
  'broken',
  'share',
  'failing',
  'items',
  'characters',
  'words',
  'tokens',
  'min',
  'median',
  'mean',
  'p95',
  'max',
];

const place = (name: string): number => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);

const inOrder = (value: Values): [string, unknown][] =>
  Object.entries(value).sort(([a], [b]) => place(a) - place(b) || (a < b ? -1 : 1));

const isScalar = (value: unknown): boolean => value === null || typeof value !== 'object';

const cell = (value: unknown): string =>
  value === undefined || value === null
    ? ''
    : typeof value === 'number'
      ? decimal(value)
      : isScalar(value)
        ? visible(String(value))
        : visible(JSON.stringify(value));

interface Bar {
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

const isBars = (list: readonly unknown[]): list is readonly Bar[] =>
  list.length > 0 &&
  list.every(item => isRecord(item) && ['from', 'to', 'rows'].every(key => typeof item[key] === 'number'));

/** Widest bar, in characters. */
const WIDEST = 40;

const bars = (list: readonly Bar[], indent: string): string[] => {
  const most = Math.max(...list.map(bar => bar.rows));
  const ranges = list.map(({ from, to }) => (from === to ? thousands(from) : `${thousands(from)}-${thousands(to)}`));
  const width = Math.max(...ranges.map(range => range.length));
  const digits = thousands(most).length;
  return list.map(({ rows }, i) => {
    // One row among a million still has a bar.
    const bar = '█'.repeat(rows === 0 ? 0 : Math.max(1, Math.round((rows / most) * WIDEST)));
    return `${indent}${pad(ranges[i]!, -width)}  ${pad(thousands(rows), -digits)}  ${bar}`.trimEnd();
  });
};

const table = (list: readonly Values[], indent: string): string[] => {
  const names = [...new Set(list.flatMap(item => inOrder(item).map(([name]) => name)))].sort(
    (a, b) => place(a) - place(b),
  );
  const rows = list.map(item => names.map(name => cell(item[name])));
  return columns(names, rows)
    .split('\n')
    .map(line => indent + line);
};

const ofList = (list: readonly unknown[], indent: string): string[] => {
  if (isBars(list)) return bars(list, indent);
  if (list.length > 0 && list.every(isRecord)) return table(list, indent);
  return list.map(item => `${indent}${cell(item)}`);
};

/** Lines of a metrics output. */
export const metricsLines = (value: Values, indent = ''): string[] => {
  const entries = inOrder(value);
  const scalars = entries.filter(([, v]) => isScalar(v)).map(([name, v]) => `${visible(name)} ${cell(v)}`);
  const lines = scalars.length > 0 ? [indent + scalars.join('  ')] : [];
  for (const [name, inner] of entries) {
    if (isScalar(inner)) continue;
    if (Array.isArray(inner)) {
      // A histogram stands below its numbers, and needs no name.
      if (!isBars(inner)) lines.push(`${indent}${visible(name)}`);
      lines.push(...ofList(inner, `${indent}  `));
    } else if (isRecord(inner)) lines.push(`${indent}${visible(name)}`, ...metricsLines(inner, `${indent}  `));
  }
  return lines;
};

/** What the rules of a check have come to, one part each; null for metrics of anything else. */
export const ruleParts = (metrics: Values): readonly string[] | null => {
  const { rules, result } = metrics;
  if (!Array.isArray(rules) || typeof result !== 'string' || !rules.every(isRecord)) return null;
  return (rules as readonly Values[]).map(({ rule, seen, broken, share, result: word }) => {
    const many = typeof seen === 'number' ? `${thousands(seen)} ${seen === 1 ? 'row' : 'rows'}` : '';
    const few =
      typeof share === 'number'
        ? `, ${decimal(share * 100)} % keep it`
        : typeof broken === 'number' && broken > 0
          ? `, ${thousands(broken)} break it`
          : '';
    return `${visible(String(rule))}: ${many}${few}${word === 'passed' ? '' : ` (${word === 'unseen' ? 'says nothing' : String(word)})`}`;
  });
};
