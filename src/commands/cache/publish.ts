/** `finetune cache publish DIR`: the blobs of the last build as files `DIR/blobs/<digest>`, for others' FINETUNE_BLOBS. */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makeFolder } from '../../../cache/durable.ts';
import { reach } from '../../../cache/reach.ts';
import { type ExitCode, usage } from '../../command.ts';
import { recipeId } from '../../engine/project.ts';
import { sizeInWords } from '../../engine/store-size.ts';
import { fail } from '../../failure.ts';
import { counted } from '../../views/numbers.ts';
import { print, printJson } from '../../views/print.ts';
import type { CacheCall } from '../cache.ts';

export const publish = async (call: CacheCall): Promise<ExitCode> => {
  const { store, records, project, flags, names } = call;
  const [folder] = names;
  if (folder === undefined || names.length > 1) throw usage('it is called so: finetune cache publish DIR');
  const recipe = recipeId(project, flags.recipe);
  const last = records.histories().filter(h => h.recipe === recipe);
  if (last.length === 0) return fail('not-built', `${flags.recipe} has not been built`, { advice: 'finetune build' });
  const blobs = join(resolve(folder), 'blobs');
  makeFolder(blobs);
  const known = new Set<string>();
  let files = 0;
  let bytes = 0;
  for (const { history } of last) {
    const record = await records.get(history.key);
    for (const { from, blobs: all } of record ? reach(store, record, name => known.has(name)) : []) {
      known.add(from);
      for (const digest of all) {
        const path = join(blobs, digest);
        if (existsSync(path)) continue;
        store.materialize(digest, path);
        files++;
        bytes += statSync(path).size;
      }
    }
  }
  if (flags.json) printJson({ type: 'publish', folder: resolve(folder), files, bytes });
  else print(`${counted(files, 'file')}, ${sizeInWords(bytes)}, added to ${blobs}`);
  return 0;
};
