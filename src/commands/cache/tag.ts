/** `finetune cache tag NAME [node…]`: keeps the results of the last build under a name, until `untag NAME`. */

import { removeTag, setTag, tags } from '../../../cache/tags.ts';
import { type ExitCode, usage } from '../../command.ts';
import { recipeId } from '../../engine/project.ts';
import { fail } from '../../failure.ts';
import { didYouMean } from '../../load/suggest.ts';
import { counted } from '../../views/numbers.ts';
import { print, printJson } from '../../views/print.ts';
import type { CacheCall } from '../cache.ts';

export const tag = async ({
  store,
  records,
  project,
  flags,
  names: [name, ...nodes],
}: CacheCall): Promise<ExitCode> => {
  if (name === undefined || !/^[\w.@-]{1,100}$/.test(name))
    throw usage('cache tag NAME [node…]: a name has letters, digits, "_", "-", "." and "@"');
  const recipe = recipeId(project, flags.recipe);
  const last = records.histories().filter(h => h.recipe === recipe);
  const unknown = nodes.filter(n => !last.some(h => h.node === n));
  if (last.length === 0 || unknown.length > 0) {
    const what = unknown[0] ?? flags.recipe;
    const known = last.map(h => h.node);
    return fail('not-built', `${what} has not been built${unknown[0] ? didYouMean(unknown[0], known) : ''}`, {
      advice: `finetune build ${unknown.join(' ')}`.trim(),
    });
  }
  const chosen = last.filter(h => nodes.length === 0 || nodes.includes(h.node));
  const keys = new Set(chosen.map(h => h.history.key));
  setTag(store.db, name, keys);
  const apart = await madeOfOthers(
    records,
    chosen.map(h => ({ node: h.node, key: h.history.key })),
    last.map(h => h.history.key),
  );
  for (const node of apart)
    process.stderr.write(
      `warning: ${node} was made of other results than the last ones (a build failed or was for some nodes only): finetune build, and tag again\n`,
    );
  if (flags.json) printJson({ type: 'tag', name, keys: [...keys], apart });
  else print(`${name}: ${counted(keys.size, 'result')} will stay until finetune cache untag ${name}`);
  return 0;
};

export const untag = ({ store, flags, names: [name, ...more] }: CacheCall): ExitCode => {
  if (name === undefined || more.length > 0) throw usage('it is called so: finetune cache untag NAME');
  const known = [...tags(store.db).keys()];
  if (!removeTag(store.db, name)) throw usage(`there is no tag "${name}"${didYouMean(name, known)}`);
  if (flags.json) printJson({ type: 'untag', name });
  else print(`${name} is a name no more`);
  return 0;
};

/** The nodes whose inputs are results of none of the others' last runs: with those they do not belong together. */
const madeOfOthers = async (
  records: CacheCall['records'],
  nodes: readonly { readonly node: string; readonly key: string }[],
  all: readonly string[],
): Promise<string[]> => {
  const made = new Set<string>();
  for (const key of all)
    for (const { digest } of Object.values((await records.get(key))?.outputs ?? {})) made.add(digest);
  const out: string[] = [];
  for (const { node, key } of nodes) {
    const record = await records.get(key);
    const { inputs } = JSON.parse(record?.document ?? '{"inputs":{}}') as { inputs: Readonly<Record<string, unknown>> };
    // Of models a key holds the digests of the files that are read: they are inputs of the recipe's.
    const read = Object.values(inputs).flatMap(of =>
      typeof of === 'string' ? [of] : Array.isArray(of) ? of.map(({ content }: { content: string }) => content) : [],
    );
    if (read.some(digest => !made.has(digest) && !all.includes(digest))) out.push(node);
  }
  return out;
};
