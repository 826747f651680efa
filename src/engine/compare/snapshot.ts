/**
 * The recipe and its files as they stood at a git revision: laid out in a temporary folder, so that they are read exactly as
 * those of the work tree are. Files that are still the same are links into the work tree; what git does not hold is taken
 * from there, too.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { FailureError } from '../../failure.ts';
import type { Graph } from '../../load/graph.ts';
import type { Git } from '../git.ts';

export interface SnapshotOptions {
  readonly git: Git;
  /** Full name of the commit. */
  readonly commit: string;
  /** As the user wrote it, for messages. */
  readonly shown: string;
  /** Absolute, links resolved. */
  readonly recipe: string;
  readonly profiles: readonly string[];
  readonly set: readonly string[];
}

export interface Snapshot {
  readonly graph: Graph;
  /** The temporary folder; whoever has the snapshot may put files of its own at its top. */
  readonly folder: string;
  /** Text of the lock file then; null when there was none. */
  readonly lock: string | null;
  /** Whether a file in it is git's of that revision, and not the work tree's of today. */
  readonly held: (path: string) => boolean;
  remove(): void;
}

/** Throws FailureError when the revision has no such recipe, or one with mistakes. */
export const openSnapshot = async (options: SnapshotOptions): Promise<Snapshot> => {
  const { git, commit, shown, recipe } = options;
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'finetune-diff-')));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    // The whole path is kept below the folder, so that "../x" of a recipe leads to a place of ours.
    const at = (path: string): string => join(folder, 'at', path);
    const tracked = new Set(names(await git.run(['ls-tree', '-r', '-z', '--name-only', '--full-tree', commit])));
    const inGit = relative(git.top, recipe);
    if (!tracked.has(inGit))
      throw new FailureError([{ reason: 'recipe-missing', message: `there is no ${inGit} at ${shown}` }]);
    const put = await layer(git, commit, join(folder, 'index'), at(git.top));
    await put([inGit], false);
    // Not links: what a linked file imports would be looked for beside its target.
    if (USES_CODE.test(readFileSync(at(recipe), 'utf8'))) await put([...tracked].filter(isCode), false);
    for (let up = dirname(recipe); ; up = dirname(up)) {
      link(join(up, 'node_modules'), at(join(up, 'node_modules')));
      if (up === git.top || dirname(up) === up) break;
    }
    const { loadRecipe } = await import('../../load/recipe.ts');
    const { profiles, set } = options;
    const graph = await renamed(at(git.top), shown, () =>
      loadRecipe({ path: at(recipe), project: at(git.top), profiles, set }),
    );
    const roots = rootsOf(graph);
    const inside = (path: string) => roots.some(r => `${at(join(git.top, path))}/`.startsWith(`${r}/`));
    await put([...tracked].filter(inside), true);
    const loose = await overlay(
      git,
      roots.filter(r => r.startsWith(at('/'))).map(r => `/${relative(at('/'), r)}`),
      at,
    );
    const lockName = inGit.replace(/\.ya?ml$/, '.lock');
    const lock = tracked.has(lockName) ? (await git.run(['show', `${commit}:${lockName}`])).toString() : null;
    const held = (path: string) => path.startsWith(at('/')) && !loose.some(l => path === l || path.startsWith(`${l}/`));
    return { graph, folder, lock, held, remove };
  } catch (error) {
    remove();
    throw error;
  }
};

const names = (out: Buffer): string[] => out.toString().split('\0').filter(Boolean);

/** A recipe that names a stage of the user's own. */
const USES_CODE = /\buses["']?\s*:\s*["']?\.{0,2}\//;

/** Code of such stages, and the manifests beside it. */
const isCode = (path: string): boolean => /\.([cm]?[jt]s|json)$/.test(path);

/**
 * Puts files of the commit below `root`: those that the work tree has unchanged as links to it where that will do, others
 * checked out with the filters that git itself applies.
 */
const layer = async (git: Git, commit: string, index: string, root: string) => {
  const env = { GIT_INDEX_FILE: index };
  await git.run(['read-tree', commit], { env });
  const other = new Set(names(await git.run(['diff', '--name-only', '-z', '--no-renames', commit])));
  return async (paths: readonly string[], linked: boolean): Promise<void> => {
    const out: string[] = [];
    for (const path of paths) {
      const to = join(root, path);
      if (exists(to)) continue;
      if (!linked || other.has(path) || !exists(join(git.top, path))) out.push(path);
      else link(join(git.top, path), to);
    }
    if (out.length === 0) return;
    await git.run(['checkout-index', '-z', '--stdin', `--prefix=${root}/`], { env, input: `${out.join('\0')}\0` });
  };
};

/** Folders and files that the graph's options name, down to the first part that is a pattern. */
const rootsOf = ({ nodes, folder }: Graph): string[] => {
  const roots = nodes.flatMap(n =>
    n.files.flatMap(f =>
      f.values.map(value => {
        const base = f.root === undefined ? folder : resolve(folder, f.root);
        const parts = (isAbsolute(value) ? value : join(base, value)).split('/');
        const magic = parts.findIndex(p => /[*?[\]{}!()]/.test(p));
        return (magic === -1 ? parts : parts.slice(0, magic)).join('/') || '/';
      }),
    ),
  );
  return [...new Set(roots)].filter(r => !roots.some(other => r.startsWith(`${other}/`)));
};

/** What the roots need and git does not hold, as links to where it lies today; returns the links. */
const overlay = async (git: Git, roots: readonly string[], at: (path: string) => string): Promise<string[]> => {
  const links: string[] = [];
  const add = (from: string) => {
    if (link(from, at(from))) links.push(at(from));
  };
  const within = roots.filter(r => `${r}/`.startsWith(`${git.top}/`));
  for (const root of roots) if (!within.includes(root)) add(root);
  if (within.length === 0) return links;
  const args = ['ls-files', '-z', '--others', '--ignored', '--exclude-standard', '--directory', '--'];
  const where = within.map(r => `:(top,literal)${relative(git.top, r)}`);
  for (const name of names(await git.run([...args, ...where]))) {
    const path = join(git.top, name).replace(/\/$/, '');
    // A root may lie below a folder that is ignored whole.
    const below = within.filter(r => r === path || r.startsWith(`${path}/`));
    for (const from of below.length > 0 ? below : [path]) add(from);
  }
  return links;
};

/** False when there is nothing to link to, or something at `to` already. */
const link = (from: string, to: string): boolean => {
  if (!existsSync(from) || exists(to)) return false;
  mkdirSync(dirname(to), { recursive: true });
  symlinkSync(from, to);
  return true;
};

const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** Mistakes of the old recipe name it as `git show` does. */
const renamed = async <T>(root: string, shown: string, load: () => Promise<T>): Promise<T> => {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    throw new FailureError(
      error.failures.map(f => {
        if (!f.place) return f;
        const path = resolve(f.place.path);
        const name = path.startsWith(`${root}/`) ? `${shown}:${relative(root, path)}` : f.place.path;
        return { ...f, place: { ...f.place, path: name } };
      }),
    );
  }
};
