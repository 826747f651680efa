/** `finetune lock`: brings the lock file up to date without building: inputs always, results where the store has them. */
import type { Call, ExitCode } from '../command.ts';
import { openEngine, selectNodes } from '../engine/engine.ts';
import { knownKeys } from '../engine/keys.ts';
import { readLockFile } from '../engine/lock/lock-file.ts';
import { pinnedBy } from '../engine/lock/pinned.ts';
import { pinsResult } from '../engine/lock/pins.ts';
import { updateLock } from '../engine/lock/update.ts';
import { lookAhead } from '../engine/run-build.ts';
import { counted } from '../views/numbers.ts';
import { print, printJson } from '../views/print.ts';

export const run = async ({ flags, names, env }: Call): Promise<ExitCode> => {
  const engine = await openEngine({ recipe: flags.recipe, profiles: flags.profile, set: [], env });
  try {
    const nodes = selectNodes(engine.graph, names);
    lookAhead(engine, nodes);
    const pinned = pinnedBy(readLockFile(engine.graph.path));
    const known = [...(await knownKeys({ ...engine, pinned }, nodes)).values()];
    const { file, ...changed } = await updateLock(
      engine,
      flags.profile,
      known.flatMap(({ node, files, print: p, record }) =>
        files ? [{ node, files, result: p && record ? { key: p.key, record } : null }] : [],
      ),
    );
    // What the lock file says of them is of another key, or nothing, or nobody can tell before their rows are built.
    const unbuilt = known.filter(k => pinsResult(k.node) && !k.record).map(k => k.node.name);
    if (flags.json) printJson({ type: 'lock', path: file.shown, lines: file.entries.length, ...changed, unbuilt });
    else print(inLines(file.shown, file.entries.length, changed, unbuilt));
    return 0;
  } finally {
    engine.close();
  }
};

const inLines = (
  path: string,
  lines: number,
  { pinned, released }: { readonly pinned: readonly string[]; readonly released: readonly string[] },
  unbuilt: readonly string[],
): string => {
  const state =
    pinned.length + released.length > 0
      ? [...pinned.map(n => `pinned    ${n}`), ...released.map(n => `released  ${n}`)]
      : [lines === 0 ? 'nothing to pin: git has it all' : `${path} is up to date: ${counted(lines, 'line')}`];
  const rest = unbuilt.map(n => `not built ${n}: the build that makes its result pins it`);
  return [
    ...state,
    ...rest,
    ...(pinned.length + released.length > 0 ? [`wrote ${path}: ${counted(lines, 'line')}`] : []),
  ].join('\n');
};
