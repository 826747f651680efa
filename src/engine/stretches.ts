/** What a stage says of its rows' text to people who look at it: for a template, which of it is trained. */
import type { ModelInput, Row, Stretch } from '../../stages/contract.ts';
import type { GraphNode } from '../load/graph.ts';
import { stageOf } from '../stages.ts';
import { artifactsOf } from './artifact.ts';
import type { Engine } from './engine.ts';
import { lookAtFiles } from './inputs.ts';
import { forgetful } from './outside.ts';
import { withSecrets } from './secrets.ts';

/** Null for a node whose stage says nothing, or cannot any more: its model has gone, say. */
export const stretchesOf = async (
  engine: Engine,
  node: GraphNode,
  env: NodeJS.ProcessEnv,
): Promise<((row: Row) => Promise<readonly Stretch[]>) | null> => {
  const stage = await stageOf(node);
  if (stage.kind !== 'rows' || !stage.stretches) return null;
  try {
    const inputs: Record<string, ModelInput> = {};
    for (const [port, { from }] of Object.entries(node.inputs)) {
      const model = await modelOf(engine, from[0]!.node, from[0]!.output);
      if (model) inputs[port] = model;
    }
    const options = withSecrets(node, env);
    const files = lookAtFiles(node, engine.graph.folder, engine.files);
    const state = await stage.setup?.({ options, files, inputs }, forgetful);
    return row => stage.stretches!(row, state, options);
  } catch {
    // Only a help for the eye: the rows are shown without it.
    return null;
  }
};

const modelOf = async (engine: Engine, name: string, output: string): Promise<ModelInput | null> => {
  const { graph, records, files } = engine;
  const node = graph.nodes.find(n => n.name === name)!;
  if (node.outputs[output] !== 'model') return null;
  const history = await records.history(graph.id, name);
  const record = history && (await records.get(history.key));
  if (!record) return null;
  const found = { key: history.key, store: engine.store, folder: graph.folder };
  const artifact = artifactsOf(node, record, { ...found, files: lookAtFiles(node, graph.folder, files) })[output];
  return artifact?.type === 'model' ? { type: 'model', folder: artifact.folder, files: artifact.files } : null;
};
