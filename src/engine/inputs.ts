/** Looks at the files that a node's options name: globs expanded, contents digested through the cache of file states. */
import { existsSync, statSync } from 'node:fs';
import { extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Files } from '../../cache/files.ts';
import type { InputFile } from '../../stages/contract.ts';
import { type Failure, FailureError, type Place } from '../failure.ts';
import type { FileOption, GraphNode, Reference } from '../load/graph.ts';
import { expand, MAGIC } from './glob.ts';

/** By option. Throws FailureError with every file that cannot be had. */
export const lookAtFiles = (
  node: GraphNode,
  recipeFolder: string,
  files: Files,
): Readonly<Record<string, readonly InputFile[]>> => {
  const failures: Failure[] = [];
  const out: Record<string, readonly InputFile[]> = {};
  for (const option of node.files) {
    const look: Look = (name, path) => {
      try {
        const found = files.find(path);
        return found && { name, path, digest: found.digest, size: found.size };
      } catch (error) {
        failures.push(unreadable(error, name, option.place));
        return undefined;
      }
    };
    out[option.option] = found(option, recipeFolder, files, look, f => failures.push(f));
  }
  if (failures.length > 0) throw new FailureError(failures);
  return out;
};

/** What the entries of a list input are called: their nodes; with the output where two are of one node. */
export const listNames = (from: readonly Reference[]): string[] =>
  from.map(({ node, output }) => (from.some(r => r.node === node && r.output !== output) ? `${node}.${output}` : node));

/** What a file is called in the key: an option's single file only by its kind, so that a rename changes nothing. */
export const keyName = (option: FileOption, file: InputFile): string =>
  option.kind === 'file' ? extname(file.name) : file.name;

/** The folder that an option of kind `folder` names. */
export const folderOf = (option: FileOption, recipeFolder: string): string =>
  resolve(recipeFolder, option.values[0] ?? '.');

/** Null where no file is; undefined for one that cannot be read, of which the user has been told. */
type Look = (name: string, path: string) => InputFile | null | undefined;

const found = (
  option: FileOption,
  recipeFolder: string,
  files: Files,
  look: Look,
  fail: (f: Failure) => void,
): InputFile[] => {
  const { place } = option;
  if (option.kind === 'folder') {
    const folder = folderOf(option, recipeFolder);
    if (files.list(folder) === null) {
      const name = option.values[0] ?? '';
      const advice = HUB_ID.test(name)
        ? { advice: `\`path\` names a local folder; to have it from the Hub: hub: ${name}` }
        : {};
      fail({ reason: 'file-missing', message: `there is no folder ${name}`, place, ...advice });
      return [];
    }
    const names = (option.globs ?? ['**']).flatMap(glob => expand(glob, folder, files));
    return [...new Set(names)].flatMap(name => look(name, join(folder, name)) ?? []).sort(byName);
  }
  if (option.kind === 'file') {
    return option.values.flatMap(value => {
      const file = look(value, resolve(recipeFolder, value));
      if (file === null) fail({ reason: 'file-missing', message: `there is no file ${value}`, place });
      return file ?? [];
    });
  }
  const out = new Map<string, InputFile>();
  for (const value of option.values) {
    const absolute = isAbsolute(value);
    const root =
      option.root !== undefined ? resolve(recipeFolder, option.root) : absolute ? staticPrefix(value) : recipeFolder;
    const pattern = absolute ? relative(root, value) : value;
    if (!MAGIC.test(value)) {
      const file = look(slashes(pattern.replace(/^\.\//, '')), resolve(root, pattern));
      if (file) out.set(file.name, file);
      else if (file === null) fail(missing(value, option, root));
    } else if (root === recipeFolder || existsSync(root)) {
      for (const name of expand(pattern, root, files)) {
        if (out.has(name)) continue;
        const file = look(name, name.startsWith('..') ? resolve(root, name) : `${root}/${name}`);
        if (file) out.set(name, file);
        else if (file === null && name.includes(NO_CHARACTER))
          fail({ reason: 'file-unreadable', message: `cannot read ${name}: its name is not UTF-8`, place });
      }
    } else fail(missing(value, option, root));
  }
  return [...out.values()].sort(byName);
};

/** What bytes that are no UTF-8 become. */
const NO_CHARACTER = '\ufffd';

/** In code unit order, whatever the file system's own order is. */
const byName = (a: InputFile, b: InputFile): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

const missing = (value: string, { root: named, place }: FileOption, root: string): Failure => {
  if (!existsSync(root)) return { reason: 'file-missing', message: `there is no folder ${named ?? root}`, place };
  const isFolder = statSync(resolve(root, value), { throwIfNoEntry: false })?.isDirectory() === true;
  return {
    reason: 'file-missing',
    message: isFolder
      ? `${value} is a folder, not a file`
      : `there is no file ${value}${named === undefined ? '' : ` in ${named}`}`,
    place,
    ...(isFolder ? { advice: `all pages in it: "${value.replace(/\/$/, '')}/**/*.md"` } : {}),
  };
};

/** `Qwen/Qwen3-0.6B` */
const HUB_ID = /^[A-Za-z0-9][\w-]*\/[\w.-]*[A-Z0-9][\w.-]*$/;

const slashes = (path: string): string => path.split(sep).join('/');

/** The folders of an absolute glob before the first part that is a pattern; of a plain path, its folder. */
const staticPrefix = (pattern: string): string => {
  const parts = pattern.split('/');
  const first = parts.findIndex(p => MAGIC.test(p));
  return parts.slice(0, first === -1 ? -1 : first).join('/') || '/';
};

const unreadable = (error: unknown, name: string, place: Place): Failure => {
  const code = (error as { code?: string }).code;
  const why =
    code === 'EACCES' || code === 'EPERM'
      ? 'no permission'
      : code === 'ENOENT'
        ? 'it is a broken link'
        : (code ?? String(error));
  return { reason: 'file-unreadable', message: `cannot read ${name}: ${why}`, place };
};
