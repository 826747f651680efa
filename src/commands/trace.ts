/** `finetune trace`: a row back to the page that it was read from, and forward to where it went or ended. */
import { type Call, type ExitCode, usage, wholeNumber } from '../command.ts';
import { openEngine } from '../engine/engine.ts';
import type { Traced } from '../engine/lineage/traced.ts';
import { keptKey, type Trail, trailOf } from '../engine/lineage/trail.ts';
import { fail } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import { select } from '../load/select.ts';
import { listed } from '../load/selection.ts';
import { didYouMean } from '../load/suggest.ts';
import { excerptOf } from '../views/excerpt.ts';
import { print, printJson } from '../views/print.ts';
import { trailLines } from '../views/trail.ts';

export const run = async ({ flags, names, env }: Call): Promise<ExitCode> => {
  const most = wholeNumber('rows', flags.rows, 5);
  const engine = await openEngine({ recipe: flags.recipe, profiles: flags.profile, set: flags.set, env });
  try {
    const [name, text] = names as readonly [string, string];
    const chosen = select(engine.graph, name);
    if (typeof chosen === 'string') return fail('unknown-node', chosen);
    const { nodes, output } = chosen;
    if (nodes.length > 1)
      throw usage(
        `${nodes[0]!.variant!.of} has ${nodes.length} variants: say which, ${listed(nodes.map(n => n.name))}`,
      );
    const [node] = nodes as readonly [GraphNode];
    const known = Object.keys(node.outputs).filter(o => node.outputs[o] === 'rows');
    if (known.length === 0) throw usage(`${node.name} gives no rows: trace one of a node that does`);
    if (output !== null && !known.includes(output))
      throw usage(`${node.name} has no rows output "${output}"${didYouMean(output, known)}`);
    const trail = await trailOf(engine, { node, output, text, most });
    if (flags.json) inJson(trail);
    else print(trailLines(inWords(trail), { most, columns: process.stdout.columns ?? null }).join('\n'));
    return 0;
  } finally {
    engine.close();
  }
};

const inJson = ({ origins, pages, outcomes, kept }: Trail): void => {
  for (const { node, output, stage, relation, rows } of origins)
    printJson({ type: 'origin', node, output, stage, relation, rows: rows.map(t => plain(t, output)) });
  for (const page of pages) printJson({ type: 'page', ...page });
  for (const { node, stage, stale, outputs } of outcomes)
    printJson({
      type: 'outcome',
      node,
      stage,
      stale,
      outputs: Object.fromEntries(
        Object.entries(outputs).map(([name, rows]) => [
          name,
          rows.map(t => {
            const stayed = kept.get(keptKey(node, t.row.id));
            return { ...plain(t, name), ...(stayed ? { kept: stayed.row.id } : {}) };
          }),
        ]),
      ),
    });
};

/** A row in few words: its fields are what `show` is for. */
const plain = ({ row, place }: Traced, output: string) => ({
  id: row.id,
  parent: row.parent,
  text: excerptOf(row.fields).slice(0, 200),
  ...(reasonOf(row, output) === null ? {} : { reason: reasonOf(row, output) }),
  ...place,
});

/** Why a row was removed; null of those that go on, whatever their fields are called. */
const reasonOf = ({ fields }: Traced['row'], output: string): string | null =>
  (output === 'dropped' || output === 'rejects') && typeof fields.reason === 'string' ? fields.reason : null;

/** As the view takes it: it knows nothing of the engine. */
const inWords = ({ node, output, origins, pages, outcomes, kept }: Trail): Parameters<typeof trailLines>[0] => {
  const shown = (owner: string, from: string) => (t: Traced) => {
    const stayed = kept.get(keptKey(owner, t.row.id));
    return {
      id: t.row.id,
      text: excerptOf(t.row.fields),
      place: t.place,
      reason: reasonOf(t.row, from),
      kept: stayed ? { id: stayed.row.id, text: excerptOf(stayed.row.fields) } : null,
    };
  };
  return {
    node,
    output,
    origins: origins.map(o => ({ ...o, rows: o.rows.map(shown(o.node, o.output)) })),
    pages,
    outcomes: outcomes.map(o => ({
      ...o,
      outputs: Object.fromEntries(
        Object.entries(o.outputs).map(([name, rows]) => [name, rows.map(shown(o.node, name))]),
      ),
    })),
  };
};
