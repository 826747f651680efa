/** Where a recipe's store and outputs lie. */
import { existsSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';

export interface Project {
  /** Nearest folder at or above the recipe's with a store or a git repository; else the recipe's own. */
  readonly folder: string;
  readonly store: string;
  /** Folder that the trainer's results are copied to: `out`, or `out/<recipe>` for recipes not called finetune.yaml. */
  readonly out: string;
}

export const findProject = (recipe: string, env: NodeJS.ProcessEnv): Project => {
  const start = dirname(recipe);
  let folder = start;
  for (let at = start; ; at = dirname(at)) {
    if (existsSync(join(at, '.finetune')) || existsSync(join(at, '.git'))) {
      folder = at;
      break;
    }
    if (dirname(at) === at) break;
  }
  const stem = basename(recipe).replace(/\.ya?ml$/, '');
  return {
    folder,
    store: env.FINETUNE_STORE ? resolve(env.FINETUNE_STORE) : join(folder, '.finetune'),
    out: stem === 'finetune' ? join(folder, 'out') : join(folder, 'out', stem),
  };
};

/** What the store calls a recipe: its path in the project; where several projects share the store, its absolute path. */
export const recipeId = (project: Project, path: string): string =>
  isShared(project) ? resolve(path) : relative(project.folder, resolve(path)).split(sep).join('/');

/** Whether the store is not the project's own. */
export const isShared = ({ store, folder }: Project): boolean => store !== join(folder, '.finetune');
