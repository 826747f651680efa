/** Asks git, where the project is in a repository: what it holds, and what stood in it at a revision. */
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, realpathSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { FailureError } from '../failure.ts';

export interface Git {
  /** The work tree's folder, links resolved. */
  readonly top: string;
  /** Standard output. Throws FailureError `git-failed` with git's own words. */
  run(args: readonly string[], options?: GitOptions): Promise<Buffer>;
}

export interface GitOptions {
  /** Standard input. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Set for us where git runs a hook; they would speak of another repository or index than the one we ask. */
const LOCAL = ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX', 'GIT_OBJECT_DIRECTORY', 'GIT_COMMON_DIR'];

/** The repository that `folder` is in; null when it is in none. */
export const findGit = (folder: string): Git | null => {
  for (let at = realpathSync(folder); ; at = dirname(at)) {
    // A file in linked work trees and submodules.
    if (existsSync(join(at, '.git'))) return { top: at, run: (args, options) => git(at, args, options) };
    if (dirname(at) === at) return null;
  }
};

const git = (cwd: string, args: readonly string[], { input = '', env = {} }: GitOptions = {}): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !LOCAL.includes(name)));
    const child = execFile(
      'git',
      [...args],
      {
        cwd,
        encoding: 'buffer',
        maxBuffer: 1 << 30,
        env: { ...clean, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', ...env },
      },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        const missing = (error as { code?: unknown }).code === 'ENOENT';
        const said = stderr
          .toString()
          .trim()
          .replace(/^(fatal|error): /, '');
        reject(
          new FailureError([
            missing
              ? {
                  reason: 'git-missing',
                  message: 'there is no program git',
                  advice: 'install git, or put it on the PATH',
                }
              : { reason: 'git-failed', message: `git ${args[0]}: ${said || error.message}` },
          ]),
        );
      },
    );
    // Git may end before it has read all.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });

/**
 * Says of files whether a clone of the repository has them, or will once they are added: they lie in the work tree and are
 * not ignored. A link that leads out of it is held, what it leads to is not.
 */
export const heldByGit = async (git: Git | null, paths: readonly string[]): Promise<(path: string) => boolean> => {
  if (!git) return () => false;
  const folders = new Map<string, string | null>();
  /** The folder's path below the work tree, with "/" at its end; null when it is outside. */
  const below = (folder: string): string | null => {
    let known = folders.get(folder);
    if (known === undefined) {
      const path = relative(git.top, realpathSync(folder)).split(sep).join('/');
      known = path === '' ? '' : path === '..' || path.startsWith('../') || path.startsWith('/') ? null : `${path}/`;
      folders.set(folder, known);
    }
    return known;
  };
  const inside = new Set(paths.map(p => below(dirname(p))).filter(p => p !== null));
  if (inside.size === 0) return () => false;
  const ignored = new Set(await listIgnored(git, [...inside]));
  const isIgnored = new Map<string, boolean>();
  const folderIgnored = (folder: string): boolean => {
    if (folder === '') return false;
    let known = isIgnored.get(folder);
    if (known === undefined) {
      const parent = folder.slice(0, folder.lastIndexOf('/', folder.length - 2) + 1);
      known = ignored.has(folder) || folderIgnored(parent);
      isIgnored.set(folder, known);
    }
    return known;
  };
  return path => {
    const folder = below(dirname(path));
    if (folder === null || folderIgnored(folder)) return false;
    if (ignored.has(`${folder}${path.slice(path.lastIndexOf(sep) + 1)}`)) return false;
    if (!lstatSync(path).isSymbolicLink()) return true;
    // git-annex and DVC link into `.git` or a cache elsewhere.
    const target = below(dirname(realpathSync(path)));
    return target !== null && !target.startsWith('.git/') && !folderIgnored(target);
  };
};

/** Ignored files; a folder that is ignored whole is only itself, with "/" at its end. */
const listIgnored = async (git: Git, folders: readonly string[]): Promise<string[]> => {
  const firsts = [...new Set(folders.map(f => f.split('/')[0]!))];
  const where = firsts.includes('') || firsts.length > 32 ? [] : firsts.map(f => `:(top,literal)${f}`);
  const out = await git.run([
    'ls-files',
    '-z',
    '--others',
    '--ignored',
    '--exclude-standard',
    '--directory',
    '--',
    ...where,
  ]);
  return out.toString().split('\0').filter(Boolean);
};
