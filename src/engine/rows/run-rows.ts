/** Runs a stage that sees rows: by the rule of its kind, going on from what is known of an earlier run. */
import { canonical, digest } from '../../../cache/digest.ts';
import type { Fields, Stage, WholeStage } from '../../../stages/contract.ts';
import type { GraphNode } from '../../load/graph.ts';
import type { Execution } from '../execution.ts';
import { listNames } from '../inputs.ts';
import { manifestOf } from './base.ts';
import type { Ran, RowsContext } from './context.ts';
import { primaryPort } from './primary-port.ts';
import { runCheck } from './run-check.ts';
import { runDeal } from './run-deal.ts';
import { runFold } from './run-fold.ts';
import { runMap } from './run-map.ts';
import { runOrder } from './run-order.ts';
import { runRead } from './run-read.ts';

export { primaryPort } from './primary-port.ts';

/** A digest of all that a result depends on but the rows (or, of a source, the files) that it is computed from. */
export const printOf = (document: string, port: string | null, stage: Stage): string => {
  const all = JSON.parse(document) as {
    inputs: Record<string, unknown>;
    files: Record<string, unknown>;
  };
  if (stage.kind === 'read') delete all.files[stage.option];
  else if (port !== null) delete all.inputs[port];
  return digest(canonical(all));
};

export const streamsOf = (node: GraphNode, stage: Stage, options: unknown): string[] => {
  if (stage.kind === 'fold') return [];
  if (stage.kind === 'check') return ['rows', 'failing'];
  if (stage.kind !== 'partition') return ['rows', 'rejects', 'dropped'].filter(o => node.outputs[o] === 'rows');
  // In an order that does not depend on how the recipe lists them: its key does not.
  return Object.entries(stage.sides(options))
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([name]) => name);
};

export const runRows = async (
  context: RowsContext,
  stage: Exclude<Stage, WholeStage>,
  { node, store, inputs, files, options }: Execution,
  metrics: (value: Fields) => void,
): Promise<Ran> => {
  if (stage.kind === 'read') return runRead(context, stage, files[stage.option] ?? []);
  const port = primaryPort(node)!;
  const datasets = (inputs[port] ?? []).map((artifact, i) => ({
    name: listNames(node.inputs[port]!.from)[i]!,
    manifest: manifestOf(store, artifact.digest),
  }));
  if (stage.kind === 'order') return runOrder(context, stage, datasets, node.inputs[port]!.port.list === true);
  const input = datasets[0]!.manifest;
  switch (stage.kind) {
    case 'rows':
    case 'group':
      return runMap(context, stage, input);
    case 'fold':
      return runFold(context, stage, input, metrics);
    case 'check':
      return runCheck(context, stage, input, metrics);
    case 'partition': {
      const sides = stage.sides(options);
      return runDeal(
        context,
        stage,
        input,
        context.streams.map(s => sides[s]!),
      );
    }
    default:
      return runDeal(context, stage, input, []);
  }
};
