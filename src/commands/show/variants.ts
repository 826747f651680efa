/** The metrics of a node's variants side by side. */
import type { StoredOutput } from '../../../cache/records.ts';
import { usage } from '../../command.ts';
import type { Engine } from '../../engine/engine.ts';
import { fail } from '../../failure.ts';
import type { GraphNode } from '../../load/graph.ts';
import { listed } from '../../load/selection.ts';
import { comparisonLines, type Measured } from '../../views/comparison.ts';
import { choosePalette } from '../../views/palette.ts';
import { print, printJson } from '../../views/print.ts';

/** `output` as typed; without one the default, which must be metrics: of rows and files one variant is shown at a time. */
export const showVariants = async (
  engine: Engine,
  nodes: readonly GraphNode[],
  output: string | null,
  { json, env }: { readonly json: boolean; readonly env: NodeJS.ProcessEnv },
): Promise<void> => {
  const { of } = nodes[0]!.variant!;
  const name = output ?? nodes[0]!.defaultOutput ?? '';
  const all = nodes[0]!.outputs;
  if (!Object.hasOwn(all, name) || all[name] !== 'metrics') {
    const metrics = Object.keys(all).find(o => all[o] === 'metrics');
    const tail = output === null ? '' : `.${output}`;
    throw usage(
      `${of} has ${nodes.length} variants: say which, ${listed(nodes.map(n => `${n.name}${tail}`))}`,
      metrics === undefined ? undefined : `finetune show ${of}.${metrics} compares them`,
    );
  }
  const measured = await Promise.all(nodes.map(node => metricsOf(engine, node, name)));
  if (json) {
    for (const [i, { axes, metrics }] of measured.entries())
      printJson({ type: 'variant', node: nodes[i]!.name, axes, metrics });
    return;
  }
  const columns = process.stdout.columns;
  const palette = choosePalette(env, process.stdout.isTTY === true);
  const lines = comparisonLines(measured, { palette, ...(columns ? { columns } : {}) });
  if (lines.length === 0) fail('not-built', `no variant of ${of} has been built`, { advice: `finetune build ${of}` });
  print(lines.join('\n'));
};

const metricsOf = async ({ graph, records, store }: Engine, node: GraphNode, output: string): Promise<Measured> => {
  const { of, axes } = node.variant!;
  const history = await records.history(graph.id, node.name);
  const record = history && (await records.get(history.key));
  const stored: StoredOutput | undefined = record?.outputs[output];
  const text = stored?.type === 'metrics' ? store.read(stored.digest) : null;
  const metrics = text ? (JSON.parse(text.toString()) as Readonly<Record<string, unknown>>) : null;
  return { of, axes, metrics, state: 'not built', isTest: true };
};
