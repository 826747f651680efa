/** Which of the files that a node opened it has no right to: they are in nobody's key. */
import { realpathSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Opened } from './opened.ts';

export interface Declared {
  /** The project's, which holds what people forget to declare. */
  readonly project: string;
  /** The store, and folders that the node was given: models. */
  readonly folders: readonly string[];
  /** Its files and its code. */
  readonly files: readonly string[];
  /** A stage in JavaScript: its imports were followed when its key was made, packages included. */
  readonly isOwnCode: boolean;
  /** When the run began, Unix ms: what somebody else has put into a folder for temporary files before that is an input, too. */
  readonly begun: number;
}

/** Of the machine, as a command's PATH is: programs, libraries, devices. */
const SYSTEM = '/bin /dev /etc /lib /lib32 /lib64 /libx32 /nix /proc /run /sbin /snap /sys /usr /var'.split(' ');
const LOCKS = ['package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock'];

/** In the order in which they were opened, each once for each way. */
export const undeclared = (opened: readonly Opened[], declared: Declared): Opened[] => {
  const project = real(declared.project);
  const files = new Set(declared.files.map(real));
  const own = [...declared.folders.map(real), ...OURS, ...programs(project)];
  const locked = [...files].filter(f => LOCKS.includes(basename(f))).map(f => join(dirname(f), 'node_modules'));
  const system = SYSTEM.flatMap(folder => [folder, real(folder)]);
  const temporary = [tmpdir(), '/tmp', '/var/tmp', '/dev/shm'].flatMap(folder => [folder, real(folder)]);
  const isFine = (path: string): boolean => {
    if (files.has(path) || isIn(path, own) || isIn(path, locked)) return true;
    if (declared.isOwnCode && (path.includes('/node_modules/') || isManifestOf(path, files))) return true;
    if (isIn(path, [project])) return false;
    return isIn(path, temporary) ? !isOlderFile(path, declared.begun) : isIn(path, system);
  };
  const seen = new Set<string>();
  return opened.filter(({ path, how }) => {
    const once = `${how} ${path}`;
    if (seen.has(once)) return false;
    seen.add(once);
    return !isFine(path);
  });
};

const isOlderFile = (path: string, begun: number): boolean => {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.birthtimeMs < begun;
};

const isIn = (path: string, folders: readonly string[]): boolean =>
  folders.some(folder => path === folder || path.startsWith(folder === sep ? sep : `${folder}${sep}`));

const real = (path: string): string => {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
};

/** Node reads the package.json of a module's folder or the next one above it, to know what kind of module it is. */
const isManifestOf = (path: string, files: ReadonlySet<string>): boolean =>
  basename(path) === 'package.json' && [...files].some(f => isIn(f, [dirname(path)]));

/** This program's code, in a clone and compiled, and the Node that runs it. */
const here = fileURLToPath(new URL('../..', import.meta.url));
const OURS = [
  ...[
    '',
    '../chunks',
    '../stages',
    '../cache',
    '../schemas',
    '../bin',
    '../node_modules',
    '../package.json',
    '../../package.json',
  ],
].map(name => real(join(here, name)).replace(/\/$/, ''));
OURS.push(dirname(dirname(real(process.execPath))), join(real(tmpdir()), 'node-compile-cache'));

/**
 * Where programs are installed: the folders of PATH, and the one above a `bin`, such as a virtual environment's. Never one that
 * holds the project, or all that somebody has.
 */
const programs = (project: string): string[] =>
  (process.env.PATH ?? '')
    .split(':')
    .filter(folder => folder.startsWith(sep))
    .flatMap(folder => [folder, real(folder)])
    .flatMap(folder => (/^(s?bin|shims)$/.test(basename(folder)) ? [folder, dirname(folder)] : [folder]))
    .filter(folder => !isIn(project, [folder]) && !isIn(homedir(), [folder]) && !isIn(real(homedir()), [folder]));
