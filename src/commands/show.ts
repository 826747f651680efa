/** `finetune show`: the rows, metrics or files of a node's last result, for people to look at. */
import { join } from 'node:path';
import { BlobReader } from '../../cache/blob.ts';
import { modelsFolder, readModelList } from '../../cache/models.ts';
import type { NodeRecord, StoredOutput } from '../../cache/records.ts';
import { type Call, type ExitCode, usage, wholeNumber } from '../command.ts';
import { rowsSource, treeFiles } from '../engine/artifact.ts';
import { type Engine, openEngine } from '../engine/engine.ts';
import { readChunk } from '../engine/reading.ts';
import { stretchesOf } from '../engine/stretches.ts';
import { FailureError, fail } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import { select } from '../load/select.ts';
import { didYouMean } from '../load/suggest.ts';
import { isRecord } from '../views/metrics.ts';
import { metricsLines } from '../views/metrics-text.ts';
import { thousands } from '../views/numbers.ts';
import { choosePalette } from '../views/palette.ts';
import { columns, print, printJson } from '../views/print.ts';
import { rowLines } from '../views/row-text.ts';
import { showVariants } from './show/variants.ts';

export const run = async ({ flags, names, env }: Call): Promise<ExitCode> => {
  const most = wholeNumber('rows', flags.rows, 10);
  const engine = await openEngine({ recipe: flags.recipe, profiles: flags.profile, set: flags.set, env });
  try {
    const chosen = select(engine.graph, names[0]!);
    if (typeof chosen === 'string') return fail('unknown-node', chosen);
    const { nodes, output: wanted } = chosen;
    if (nodes.length > 1) {
      await showVariants(engine, nodes, wanted, { json: flags.json, env });
      return 0;
    }
    const [node] = nodes as readonly [GraphNode];
    const { name } = node;
    const history = await engine.records.history(engine.graph.id, name);
    const record = history && (await engine.records.get(history.key));
    if (!record) return fail('not-built', `${name} has not been built`, { advice: `finetune build ${name}` });
    const output = wanted ?? node.defaultOutput;
    if (output === null || !Object.hasOwn(record.outputs, output)) {
      const known = Object.keys(record.outputs);
      throw usage(
        output === null
          ? `${name} has several outputs: say which, ${known.map(o => `${name}.${o}`).join(' or ')}`
          : `${name} has no output "${output}"${didYouMean(output, known)}`,
      );
    }
    const title = `${name}${wanted ? `.${wanted}` : ''}`;
    const shown = record.outputs[output]!;
    if (shown.type === 'rows') await showRows(engine, shown, { node, output, title, most, json: flags.json, env });
    else showOther(engine, record, shown, flags.json);
    return 0;
  } finally {
    engine.close();
  }
};

const showOther = (
  { store }: Engine,
  record: NodeRecord,
  output: Exclude<StoredOutput, { type: 'rows' }>,
  json: boolean,
): void => {
  if (output.type === 'metrics') {
    const value: unknown = JSON.parse(store.read(output.digest)?.toString() ?? '{}');
    if (json) printJson(value);
    else print(isRecord(value) ? metricsLines(value).join('\n') : JSON.stringify(value, null, 2));
    return;
  }
  const list = output.type === 'model' && output.digest !== '' ? readModelList(store, output.digest) : null;
  if (output.type === 'tree' || list) {
    const files = list
      ? Object.entries(list.files).map(([file, [digest, size]]) => [file, digest, size] as const)
      : treeFiles(store, output.digest);
    if (list && !json) print(`${join(modelsFolder(), list.folder)}\n`);
    if (json) for (const [file, digest, size] of files) printJson({ file, digest, size });
    else
      print(
        columns(
          ['file', 'bytes', 'blake3'],
          files.map(([file, digest, size]) => [file, thousands(size), digest.slice(0, 16)]),
        ),
      );
    return;
  }
  const { files } = JSON.parse(record.document) as { files: Record<string, Record<string, string>> };
  const all = Object.values(files).flatMap(f => Object.entries(f));
  if (json) for (const [file, digest] of all) printJson({ file, digest });
  else
    print(
      columns(
        ['file', 'blake3'],
        all.map(([file, digest]) => [file, digest.slice(0, 16)]),
      ),
    );
};

const showRows = async (
  engine: Engine,
  stored: Extract<StoredOutput, { type: 'rows' }>,
  {
    node,
    output,
    title,
    most,
    json,
    env,
  }: {
    readonly node: GraphNode;
    readonly output: string;
    readonly title: string;
    readonly most: number;
    readonly json: boolean;
    readonly env: NodeJS.ProcessEnv;
  },
): Promise<void> => {
  const source = rowsSource(engine.store, stored.digest);
  if (!source) {
    const message = `the rows of ${title} are no longer whole in the store`;
    throw new FailureError([{ reason: 'not-built', message, advice: 'build it again' }]);
  }
  const stretches = json || output !== 'rows' || source.count === 0 ? null : await stretchesOf(engine, node, env);
  const style = {
    palette: choosePalette(env, process.stdout.isTTY === true),
    columns: process.stdout.columns ?? null,
  };
  const reader = new BlobReader();
  let shown = 0;
  try {
    for (let i = 0; i < source.chunks.length && shown < most; i++) {
      for (const row of readChunk(reader, source, i).slice(0, most - shown)) {
        if (json) printJson({ id: row.id, parent: row.parent, ...row.fields });
        else {
          const lines = rowLines({ ...row, stretches: stretches && (await stretches(row)) }, style);
          print(`${lines.join('\n')}\n`);
        }
        shown++;
      }
    }
  } finally {
    reader.close();
  }
  if (!json) print(`${thousands(shown)} of ${thousands(source.count)} rows of ${title}`);
};
