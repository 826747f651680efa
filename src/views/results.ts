/** The result of a build in a few lines: what the evaluators measured and the rules of checks saw, and where the outputs lie. */
import type { NodeSummary } from '../events.ts';
import type { NodeStatus } from './board.ts';
import { comparisonLines } from './comparison.ts';
import { compact, flat, isRecord, isSize, type Values } from './metrics.ts';
import { ruleParts } from './metrics-text.ts';
import { change, decimal } from './numbers.ts';
import type { Palette } from './palette.ts';
import { pad, visible, width } from './printable.ts';

/** `{ base: { loss, … }, tuned: { loss, … } }`: each measure as "4.213 -> 3.402  (-19.2 %)", then the size of the test. */
const comparison = (node: string, base: Values, tuned: Values, others: Values): string[] => {
  const measures: string[] = [];
  const sizes: Record<string, unknown> = {};
  for (const [name, after] of Object.entries(tuned)) {
    const before = base[name];
    if (isSize(name) && (before === undefined || before === after)) sizes[name] = after;
    else if (typeof before === 'number' && typeof after === 'number') {
      const label = name === node ? '' : `${visible(name)} `;
      const percent = change(before, after);
      measures.push(`${label}${decimal(before)} -> ${decimal(after)}${percent === null ? '' : `  (${percent})`}`);
    } else if (before === undefined || before === after) measures.push(compact({ [name]: after }));
    else measures.push(compact({ base: { [name]: before }, tuned: { [name]: after } }));
  }
  for (const [name, value] of Object.entries(others)) {
    if (name === 'change') continue; // the percentages above say it
    if (isSize(name)) sizes[name] = value;
    else measures.push(compact({ [name]: value }));
  }
  const size = compact(sizes);
  return [...measures, size].filter(Boolean);
};

const described = (node: string, metrics: Values): string[] => {
  const { base, tuned, ...others } = metrics;
  if (isRecord(base) && isRecord(tuned)) return comparison(node, base, tuned, others);
  return flat(metrics, '').map(([name, text]) => `${visible(name)} ${text}`);
};

/** Parts side by side, on further lines where the terminal is too narrow. */
const flow = (parts: readonly string[], columns: number): string[] => {
  const lines: string[] = [];
  for (const part of parts) {
    const joined = `${lines.at(-1) ?? ''}  ${part}`;
    if (lines.length > 0 && width(joined) <= columns) lines[lines.length - 1] = joined;
    else lines.push(part);
  }
  return lines;
};

interface Result {
  readonly name: string;
  readonly parts: readonly string[];
  /** Each part on a line of its own. */
  readonly apart?: boolean;
}

/** Rows of a table of variants; `finetune show` prints all. */
const MOST_VARIANTS = 40;

/**
 * For each evaluator with metrics and each output that people want: its name and what came out. Variants stand side by
 * side in tables of their own.
 */
export const resultLines = (
  nodes: readonly NodeSummary[],
  statuses: ReadonlyMap<string, NodeStatus>,
  { palette, columns }: { readonly palette: Palette; readonly columns: number },
): string[] => {
  const all = nodes.flatMap(({ name }) => statuses.get(name) ?? []);
  const several = Map.groupBy(all, s => s.variant?.of ?? '');
  const compared = (s: NodeStatus): boolean => s.variant !== null && several.get(s.variant.of)!.length > 1;
  const results = all.flatMap((status): Result[] => {
    const { name, variant, metrics: values } = status;
    if (compared(status)) {
      const of = variant!.of;
      const group = several.get(of)!;
      const out = group.find(s => s.out !== null)?.out?.replace(name.slice(of.length), '@*');
      return group[0] === status && out ? [{ name: visible(of), parts: [visible(out)] }] : [];
    }
    const shown = visible(name);
    const rules = values === null ? null : ruleParts(values);
    const metrics = status.section === 'evaluators' && values !== null ? described(variant?.of ?? name, values) : [];
    return [
      ...(rules ? [{ name: shown, parts: rules, apart: true }] : []),
      ...(rules || metrics.length === 0 ? [] : [{ name: shown, parts: metrics }]),
      ...(status.out ? [{ name: shown, parts: [visible(status.out)] }] : []),
    ];
  });
  const label = Math.max(0, ...results.map(({ name }) => width(name)));
  const lines = results.flatMap(({ name, parts, apart }) =>
    (apart ? parts : flow(parts, columns - label - 2)).map(
      (line, i) => `${palette('bold', pad(i === 0 ? name : '', label))}  ${line}`,
    ),
  );
  const measured = all
    .filter(s => compared(s) && several.get(s.variant!.of)!.some(v => v.metrics !== null))
    .filter(s => s.section === 'evaluators' || s.section === 'trainer')
    .map(s => ({ ...s.variant!, metrics: s.metrics, state: s.state, isTest: s.section === 'evaluators' }));
  const table = comparisonLines(measured, { palette, columns, most: MOST_VARIANTS });
  return [...lines, ...(lines.length > 0 && table.length > 0 ? [''] : []), ...table];
};
