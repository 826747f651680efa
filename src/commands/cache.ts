/** `finetune cache`: what the store holds, and why; making room in it; whether it is sound; names for what is to stay. */
import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { Records } from '../../cache/records.ts';
import type { Store } from '../../cache/store.ts';
import { type Call, type ExitCode, usage } from '../command.ts';
import { openStore } from '../engine/engine.ts';
import { findProject, type Project } from '../engine/project.ts';
import { fail } from '../failure.ts';
import { didYouMean } from '../load/suggest.ts';

/** What every action of it works on. */
export interface CacheCall extends Call {
  readonly project: Project;
  readonly store: Store;
  readonly records: Records;
}

type Action = (call: CacheCall) => ExitCode | Promise<ExitCode>;

const ACTIONS: Readonly<Record<string, () => Promise<Action>>> = {
  size: async () => (await import('./cache/size.ts')).size,
  ls: async () => (await import('./cache/ls.ts')).ls,
  gc: async () => (await import('./cache/gc.ts')).gc,
  verify: async () => (await import('./cache/verify.ts')).check,
  publish: async () => (await import('./cache/publish.ts')).publish,
  tag: async () => (await import('./cache/tag.ts')).tag,
  untag: async () => (await import('./cache/tag.ts')).untag,
};

/** Actions that take names. */
const NAMED = new Set(['publish', 'tag', 'untag']);

export const run = async (call: Call): Promise<ExitCode> => {
  const [name, ...names] = call.names;
  const load = Object.hasOwn(ACTIONS, name!) ? ACTIONS[name!] : undefined;
  if (!load) throw usage(`cache has no "${name}"${didYouMean(name!, Object.keys(ACTIONS))}`);
  if (names.length > 0 && !NAMED.has(name!)) throw usage(`cache ${name} takes no names`);
  const act = await load();
  const project = findProject(resolve(call.flags.recipe), call.env);
  if (!existsSync(project.store))
    return fail(
      'not-built',
      `there is no store yet: ${relative(process.cwd(), project.store)} comes with the first build`,
      { advice: 'finetune build' },
    );
  const store = openStore(project);
  try {
    return await act({ ...call, names, project, store, records: new Records(store.db) });
  } finally {
    store.close();
  }
};
