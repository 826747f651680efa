/** `finetune cache tag NAME [node…]`: keeps the results of the last build under a name, until `untag NAME`. */

import { relative, resolve } from 'node:path';
import { removeTag, setTag, tags } from '../../../cache/tags.ts';
import { type ExitCode, usage } from '../../command.ts';
import { fail } from '../../failure.ts';
import { didYouMean } from '../../load/suggest.ts';
import { counted } from '../../views/numbers.ts';
import { print, printJson } from '../../views/print.ts';
import type { CacheCall } from '../cache.ts';

export const tag = ({ store, records, project, flags, names: [name, ...nodes] }: CacheCall): ExitCode => {
  if (name === undefined || !/^[\w.@-]{1,100}$/.test(name))
    throw usage('cache tag NAME [node…]: a name has letters, digits, "_", "-", "." and "@"');
  const recipe = relative(project.folder, resolve(flags.recipe));
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
  if (flags.json) printJson({ type: 'tag', name, keys: [...keys] });
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
