/** `finetune explain`: why a node was built or would be, followed to the first causes; what changed in its rows. */
import type { Call, ExitCode } from '../command.ts';
import { type Cause, causes, type InputRows } from '../engine/causes.ts';
import { namedNodes, openEngine, selectNodes } from '../engine/engine.ts';
import { inWords } from '../engine/fingerprint.ts';
import { thousands } from '../views/numbers.ts';
import { print, printJson } from '../views/print.ts';
import { visible } from '../views/printable.ts';
import { changesInWords } from '../views/row-changes.ts';

export const run = async ({ flags, names, env }: Call): Promise<ExitCode> => {
  const engine = await openEngine({ recipe: flags.recipe, profiles: flags.profile, set: flags.set, env });
  try {
    const nodes = selectNodes(engine.graph, names);
    const all: (readonly Cause[])[] = [];
    for (const { name } of namedNodes(engine.graph, names)) all.push(await causes(engine, nodes, name));
    if (flags.json) for (const s of all.flat()) printJson({ type: 'explain', ...s, rows: withIds(s.rows) });
    else print(all.map(steps => [...steps.map(inLines), ...conclusion(steps)].join('\n')).join('\n\n'));
    return 0;
  } finally {
    engine.close();
  }
};

/** Examples by their ids: the rows themselves are what `diff` is for. */
const withIds = (rows: Cause['rows']) =>
  Object.fromEntries(
    Object.entries(rows).map(([port, { most, changes }]) => {
      if (!changes) return [port, { most, changes }];
      const { added, removed, changed } = changes.examples;
      const examples = {
        added: added.map(r => r.id),
        removed: removed.map(r => r.id),
        changed: changed.map(r => r.after.id),
      };
      return [port, { most, changes: { ...changes, examples } }];
    }),
  );

const inLines = ({ node, why, differences, rows }: Cause, index: number): string => {
  const lines = differences.slice(0, 20).flatMap(d => {
    const port = d.path.startsWith('inputs.') ? d.path.slice('inputs.'.length) : null;
    const mine = Object.entries(rows).filter(([label]) => label === port || label.startsWith(`${port} `));
    if (mine.length === 0) return [`    ${inWords(d)}`];
    return mine.map(([label, changes]) => `    ${rowsLine(label, changes)}`);
  });
  if (differences.length > 20) lines.push(`    and ${differences.length - 20} more`);
  const colon = differences.length > 0 ? ':' : '';
  return [`${index === 0 ? '' : '  because '}${node}: ${why}${colon}`, ...lines].join('\n');
};

/** "input rows: 4 rows added, 13 removed (- docs/a.md/1fb7…, + docs/a.md/4472…, …)". */
const rowsLine = (label: string, { most, changes }: InputRows): string => {
  if (!changes) return `input ${label} changed: up to ${thousands(most)} rows`;
  const { added, removed, changed } = changes.examples;
  const ids = [
    ...changed.map(r => `~ ${r.after.id}`),
    ...removed.map(r => `- ${r.id}`),
    ...added.map(r => `+ ${r.id}`),
  ];
  const all = changes.added + changes.removed + changes.changed;
  const shown = [...ids.slice(0, 2).map(visible), ...(all > 2 ? ['…'] : [])].join(', ');
  return `input ${label}: ${changesInWords(changes)}${shown && ` (${shown})`}`;
};

/** In one line what a chain of reasons comes to. */
const conclusion = (steps: readonly Cause[]): string[] => {
  const first = steps.filter(s => s.first);
  if (steps.length < 2 || first.length === 0) return [];
  const said = first.slice(0, 5).map(({ node, differences }) => {
    const own = differences.filter(d => !d.path.startsWith('inputs'));
    return `${node}: ${inWords(own[0]!)}${own.length > 1 ? ` (+${own.length - 1} more)` : ''}`;
  });
  return [`first cause${said.length > 1 ? 's' : ''}: ${said.join('; ')}`];
};
