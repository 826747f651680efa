/** The way of a row as text: where it came from, node by node, and where it went. */
import { counted, thousands } from './numbers.ts';
import { cut, pad, visible, width } from './printable.ts';

export interface ShownTraced {
  readonly id: string;
  readonly text: string;
  readonly place: {
    readonly path?: string;
    readonly line?: number;
    readonly start?: number;
    readonly end?: number;
  } | null;
  /** Why it was removed. */
  readonly reason: string | null;
  /** Of a duplicate, the row that stayed. */
  readonly kept: { readonly id: string; readonly text: string } | null;
}

export interface ShownTrail {
  readonly node: string;
  readonly output: string;
  readonly origins: readonly {
    readonly node: string;
    readonly output: string;
    readonly relation: 'unchanged' | 'changed' | 'cut' | 'made' | 'read' | 'untold';
    readonly rows: readonly ShownTraced[];
  }[];
  readonly pages: readonly {
    readonly path: string;
    readonly text: string;
    readonly changed: boolean;
    readonly line?: number;
    readonly offset?: number;
    readonly exact?: boolean;
  }[];
  readonly outcomes: readonly {
    readonly node: string;
    readonly stage: string;
    readonly outputs: Readonly<Record<string, readonly ShownTraced[]>>;
    readonly stale: boolean;
  }[];
}

export interface TrailStyle {
  /** Rows listed of each step. */
  readonly most: number;
  /** Width of the terminal, null where nothing is cut. */
  readonly columns: number | null;
}

const INDENT = '    ';

export const trailLines = (trail: ShownTrail, style: TrailStyle): string[] => {
  const names = [...trail.origins, ...trail.outcomes].map(o => width(visible(o.node)));
  const label = Math.max(4, ...names);
  const [start, ...before] = trail.origins;
  const [row] = start!.rows as [ShownTraced];
  const head = [visible(row.id), ...excerpt(row, style), ...ending(row, start!, style)];
  const from = [start!, ...before].flatMap((step, i, all) => originLines(step, all[i + 1], label, style));
  const pages = pageLines(trail.pages).map(line => `${pad('', label)}  ${line}`);
  const on = trail.outcomes.flatMap(step => outcomeLines(step, label, style));
  return [...head, '', 'came from', ...from, ...pages, ...(on.length > 0 ? ['', 'went into', ...on] : [])];
};

const fit = (text: string, { columns }: TrailStyle): string => (columns === null ? cut(text, 160) : cut(text, columns));

const excerpt = ({ text }: ShownTraced, style: TrailStyle): string[] =>
  text === '' ? [] : [fit(INDENT + text, style)];

const VERBS: Readonly<Record<string, string>> = { dropped: 'dropped', rejects: 'rejected' };

/** Of a row that was removed: by whom, why, and what stayed in its place. */
const ending = (row: ShownTraced, { node, output }: ShownTrail['origins'][number], style: TrailStyle): string[] => {
  const verb = VERBS[output];
  if (verb === undefined || row.reason === null) return [];
  const line = `${verb} by ${visible(node)}: ${visible(row.reason)}`;
  if (!row.kept) return [fit(line, style)];
  return [`${line}: ${visible(row.kept.id)}`, fit(INDENT + row.kept.text, style)];
};

const originLines = (
  step: ShownTrail['origins'][number],
  before: ShownTrail['origins'][number] | undefined,
  label: number,
  style: TrailStyle,
): string[] => {
  const { rows, output } = step;
  const side = output === 'rows' || VERBS[output] !== undefined ? '' : ` (${visible(output)})`;
  const line = `${pad(visible(step.node), label)}  ${relationWords(step, before)}${side}`;
  // Of rows that are the same as those of the step behind it, nothing new can be said.
  const same =
    before !== undefined && rows.length === before.rows.length && rows.every((r, i) => r.id === before.rows[i]!.id);
  return [line, ...(same ? [] : rowLines(rows, label, style))];
};

const relationWords = (
  { relation, rows, output }: ShownTrail['origins'][number],
  before: ShownTrail['origins'][number] | undefined,
): string => {
  const [first] = rows;
  const verb = VERBS[output];
  const read = first?.place?.path === undefined ? 'read' : `read from ${pathWords(first.place)}`;
  if (verb !== undefined) return relation === 'read' ? `${verb}, ${read}` : verb;
  switch (relation) {
    case 'unchanged':
      return 'passed on';
    case 'changed':
      return 'changed';
    case 'cut':
      return rows.length === 1 ? `cut out${placeWords(first!)}` : 'cut out';
    case 'made':
      return `made of ${counted(before?.rows.length ?? 0, 'row')}`;
    case 'read':
      return read;
    default:
      return 'made of all its input at once: which row came of which it does not say';
  }
};

const placeWords = ({ place }: ShownTraced): string =>
  place?.start === undefined || place.end === undefined
    ? ''
    : `, characters ${thousands(place.start)} to ${thousands(place.end)}`;

const pathWords = ({ path = '', line }: NonNullable<ShownTraced['place']>): string =>
  `${visible(path)}${line === undefined ? '' : `:${line}`}`;

const rowLines = (rows: readonly ShownTraced[], label: number, style: TrailStyle): string[] => {
  const space = ' '.repeat(label + 4);
  const lines = rows.slice(0, style.most).map(row => {
    const place = rows.length === 1 ? '' : placeWords(row).replace(/^, /, '  ');
    return fit(`${space}${visible(row.id)}${place}  ${row.text}`, style);
  });
  const rest = rows.length - lines.length;
  return rest > 0 ? [...lines, `${space}… and ${counted(rest, 'more row')}`] : lines;
};

/** "the text stands at docs/a.md:10, 11", one line a page. */
const pageLines = (pages: ShownTrail['pages']): string[] =>
  [...Map.groupBy(pages, p => p.path)].map(([path, all]) => {
    if (all.some(p => p.changed)) return `${visible(path)} is another file since then`;
    const lines = [...new Set(all.map(p => p.line ?? 0))].sort((a, b) => a - b);
    const shown = `${lines.slice(0, MOST_LINES).join(', ')}${lines.length > MOST_LINES ? ', …' : ''}`;
    return `the text ${all.every(p => p.exact) ? 'stands' : 'begins'} at ${visible(path)}:${shown}`;
  });

const MOST_LINES = 8;

const outcomeLines = (step: ShownTrail['outcomes'][number], label: number, style: TrailStyle): string[] => {
  const { outputs, stale } = step;
  const given = Object.entries(outputs);
  const words = stale
    ? 'has not been built of these rows yet'
    : given.length === 0
      ? 'takes them and gives no rows'
      : given
          .map(([name, rows]) =>
            VERBS[name]
              ? `${thousands(rows.length)} ${VERBS[name]}`
              : `${counted(rows.length, 'row')}${name === 'rows' ? '' : ` (${visible(name)})`}`,
          )
          .join(', ');
  const space = ' '.repeat(label + 4);
  const ended = given.flatMap(([name, rows]) => (VERBS[name] ? rows : []));
  const lines = ended.slice(0, style.most).flatMap(row => {
    const kept = row.kept ? `: ${visible(row.kept.id)}` : '';
    return [fit(`${space}${visible(row.reason ?? '')}${kept}  ${row.text}`, style)];
  });
  const rest = ended.length - lines.length;
  return [
    `${pad(visible(step.node), label)}  ${words}`,
    ...lines,
    ...(rest > 0 ? [`${space}… and ${counted(rest, 'more row')}`] : []),
  ];
};
