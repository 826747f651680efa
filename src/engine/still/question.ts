/** What a build is asked for, as a text: an equal question of unchanged files has an equal answer (`keep.ts`). */
import { join, relative, resolve } from 'node:path';
import { type Sight, sightOf } from '../../../cache/sight.ts';
import { packageVersion } from '../../version.ts';
import { findProject } from '../project.ts';

export interface Asked {
  readonly recipe: string;
  /** Nodes named, profiles, `--set`, and every other flag that is more than a way of showing it. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: NodeJS.ProcessEnv;
}

export interface Question {
  readonly text: string;
  /** Where its answer is kept. */
  readonly file: string;
  /** The recipe, before anything was read of it; null when there is none. */
  readonly recipe: { readonly path: string; readonly sight: Sight } | null;
  /** Unix ms. */
  readonly asked: number;
}

/** Raised when what is kept of an answer changes within a version. */
const FORMAT = 1;

export const questionOf = ({ recipe, flags, env }: Asked): Question => {
  const asked = Date.now();
  const path = resolve(recipe);
  const { store, out } = findProject(path, env);
  const sight = sightOf(path);
  const ours = Object.entries(env).filter(([name]) => name.startsWith('FINETUNE_'));
  const text = JSON.stringify([
    FORMAT,
    packageVersion(),
    process.versions.node,
    // Places in failures and warnings are told relative to the working folder.
    [path, relative(process.cwd(), path), store, out],
    flags,
    ours.sort(),
    // Another copy of the program may have other stages.
    import.meta.url,
  ]);
  return { text, file: join(store, 'still', `${hash(text)}.bin`), recipe: sight && { path, sight }, asked };
};

/** FNV-1a: two questions of one hash only take each other's place. */
const hash = (text: string): string => {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return (h >>> 0).toString(16).padStart(8, '0');
};
