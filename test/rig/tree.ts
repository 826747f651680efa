/** The files of a node's last result, as texts by name. */
import { treeFiles } from '../../src/engine/artifact.ts';
import type { Project } from './project.ts';

export const treeOf = async (p: Project, node: string, output = 'files'): Promise<Readonly<Record<string, string>>> => {
  const engine = await p.open();
  try {
    const history = await engine.records.history(engine.graph.id, node);
    const stored = history && (await engine.records.get(history.key))?.outputs[output];
    if (stored?.type !== 'tree') throw new Error(`${node}.${output} holds no files`);
    const files = treeFiles(engine.store, stored.digest);
    return Object.fromEntries(files.map(([name, digest]) => [name, engine.store.read(digest)!.toString()]));
  } finally {
    engine.close();
  }
};
