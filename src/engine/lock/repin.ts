/** Writes what a build has come to: a line of history, what its runs have cost, and the lock file. */
import type { BuildMark, Builds } from '../../../cache/builds.ts';
import { canonical } from '../../../cache/digest.ts';
import type { NodeRecord } from '../../../cache/records.ts';
import type { InputFile } from '../../../stages/contract.ts';
import { FailureError } from '../../failure.ts';
import type { GraphNode } from '../../load/graph.ts';
import type { Engine } from '../engine.ts';
import { keyName, lookAtFiles } from '../inputs.ts';
import { wiringOf } from '../wiring.ts';
import type { LockFile } from './lock-file.ts';
import { pinsResult } from './pins.ts';
import type { Settled } from './settle.ts';
import { isDone, pinsNothing, stampOf } from './stamp.ts';
import { type Standing, updateLock } from './update.ts';

export interface Repin extends Settled {
  readonly builds: Builds;
  readonly settings: string;
  /** The newest build with these settings. */
  readonly mark: BuildMark | null;
  /** Of all nodes: the build's, else the last ones. */
  readonly keys: ReadonlyMap<string, string>;
}

export const repin = async (r: Repin): Promise<void> => {
  const { engine, builds, settings, mark, keys, lock, nodes, emit } = r;
  const { id } = engine.graph;
  let file: LockFile | null = null;
  if (!pinsNothing(lock)) {
    const { pinned, remade, released, ...updated } = await updateLock(engine, lock.profiles, await standing(r));
    file = updated.file;
    for (const node of remade)
      emit({
        type: 'warn',
        node,
        message: `it has been made again under the same key, and is pinned anew in ${file.shown}`,
      });
    if (pinned.length + released.length > 0) emit({ type: 'lock', path: file.shown, pinned, released });
  }
  const stamp = stampOf(keys, file);
  if (mark && mark.stamp.split(' ')[0] === stamp.split(' ')[0]) builds.restamp(id, mark.number, stamp);
  else {
    const at = Math.floor(Date.now() / 1000);
    builds.add(id, { at, settings, keys: Object.fromEntries(keys), wiring: wiringOf(engine.graph) }, stamp);
  }
  const runs = [];
  for (const n of nodes) {
    const record = n.state === 'built' && n.key !== null ? await engine.records.get(n.key) : null;
    if (record) runs.push({ node: n.name, seconds: record.seconds, rows: record.computed });
  }
  builds.spent(id, runs);
};

/** The nodes of the build; not one whose files have changed since it read them. */
const standing = async ({ engine, nodes }: Repin): Promise<Standing[]> => {
  const { graph, records } = engine;
  const byName = new Map(graph.nodes.map(n => [n.name, n]));
  const out: Standing[] = [];
  for (const n of nodes) {
    const node = byName.get(n.name);
    if (!node || !isDone(n)) continue;
    if (node.files.length === 0 && !node.environment && !pinsResult(node)) {
      out.push({ node, files: {}, result: null });
      continue;
    }
    const record = await records.get(n.key!);
    const files = record && filesOf(engine, node, record);
    if (files) out.push({ node, files, result: { key: n.key!, record } });
  }
  return out;
};

const filesOf = (
  { graph, files }: Engine,
  node: GraphNode,
  record: NodeRecord,
): Readonly<Record<string, readonly InputFile[]>> | null => {
  try {
    const now = lookAtFiles(node, graph.folder, files);
    const named = node.files.map(f => [
      f.option,
      Object.fromEntries((now[f.option] ?? []).map(file => [keyName(f, file), file.digest])),
    ]);
    const read = (JSON.parse(record.document) as { files: unknown }).files;
    return canonical(Object.fromEntries(named)) === canonical(read) ? now : null;
  } catch (error) {
    if (error instanceof FailureError) return null;
    throw error;
  }
};
