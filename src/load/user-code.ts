/** The code of a user's own stage as the key sees it: its files by content, its packages by version, Node's major. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire, isBuiltin, stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Import, init, parse } from 'es-module-lexer';
import { canonical, digest } from '../../cache/digest.ts';
import type { Failure } from '../failure.ts';

export interface UserCode {
  /** Of the contents of the code's own files. */
  readonly digest: string;
  /** What else it can behave by: Node's major, and the version of each package that it imports. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Digests of the files that were read, by absolute path: the entry, its relative imports, transitively, and the
   * manifests that say which version of a package is installed.
   */
  readonly files: Readonly<Record<string, string>>;
}

/** `shown` is the path as in the recipe. Failures stand at the file and line where they were found. */
export const readUserCode = async (entry: string, shown: string): Promise<UserCode | Failure> => {
  await init;
  const contents: Record<string, string> = {};
  const packages: Record<string, string> = {};
  const files: Record<string, string> = {};
  const base = dirname(entry);
  const queue = [entry];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (Object.hasOwn(files, path)) continue;
    const name = path === entry ? shown : relative(process.cwd(), path);
    let code: string;
    try {
      code = readFileSync(path, 'utf8');
    } catch {
      return { reason: 'file-missing', message: `cannot read ${name}`, place: { path: name } };
    }
    const content = digest(code);
    files[path] = content;
    contents[relative(base, path).split(sep).join('/')] = content;
    let imports: readonly Import[];
    try {
      const plain = /\.[cm]?ts$/.test(path) ? strip(code) : code;
      [imports] = parse(plain, name);
    } catch (error) {
      return {
        reason: 'user-stage',
        message: `${name} is not ${/\.[cm]?ts$/.test(path) ? 'TypeScript' : 'JavaScript'} that Node can run: ${firstLine(error)}`,
        place: { path: name, ...lineOf(error) },
      };
    }
    const required = /\b(?:createRequire|require)\s*\(/.exec(
      code.replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, c => c.replaceAll(/[^\n]/g, ' ')),
    );
    if (required) {
      const line = code.slice(0, required.index).split('\n').length;
      return {
        reason: 'user-stage',
        message: `${name} calls require(), which cannot be followed, so that code would be missing from the key`,
        place: { path: name, line },
        advice: 'use import',
      };
    }
    for (const { type, specifier, start } of imports) {
      if (type === 'import-meta') continue;
      const line = code.slice(0, start).split('\n').length;
      if (typeof specifier !== 'string') {
        return {
          reason: 'user-stage',
          message: 'an import() whose path is computed cannot be followed, so its code would be missing from the key',
          place: { path: name, line },
          advice: 'import the file by a literal path',
        };
      }
      if (isBuiltin(specifier)) continue;
      if (/^\.{1,2}\//.test(specifier)) {
        const next = resolve(dirname(path), specifier);
        if (!existsSync(next) || !statSync(next).isFile()) {
          return {
            reason: 'file-missing',
            message: `${name} imports "${specifier}", which is not there`,
            place: { path: name, line },
          };
        }
        queue.push(next);
        continue;
      }
      const version = packageVersion(specifier, path, files);
      if (version === null) {
        return {
          reason: 'user-stage',
          message: `${name} imports "${specifier}", which is not installed`,
          place: { path: name, line },
          advice: `npm install ${specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/')}`,
        };
      }
      packages[specifier] = version;
    }
  }
  const node = process.versions.node.split('.')[0]!;
  return { digest: digest(canonical(contents)), environment: { ...packages, node }, files };
};

/** A URL that names this very state of the code, so that an edited file is never served from the module cache. */
export const userModule = (entry: string, code: UserCode): string =>
  `${pathToFileURL(entry).href}?v=${digest(canonical([code.digest, code.environment])).slice(0, 16)}#user`;

const strip = (code: string): string => stripTypeScriptTypes(code, { mode: 'strip' });

const firstLine = (error: unknown): string => String((error as Error).message ?? error).split('\n')[0]!;

/** Version and, where a lock file has it, integrity of the package that a bare specifier resolves to; null if none does. */
const packageVersion = (specifier: string, from: string, read: Record<string, string>): string | null => {
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const manifest = join(folder, 'node_modules', name, 'package.json');
    if (existsSync(manifest)) {
      const text = readFileSync(manifest, 'utf8');
      read[manifest] = digest(text);
      const { version } = JSON.parse(text) as { version?: string };
      const locked = lockedIntegrity(join(folder, 'node_modules', '.package-lock.json'), name);
      return [version ?? '', ...(locked ? [locked] : [])].join('/');
    }
    if (dirname(folder) === folder) break;
  }
  try {
    return digest(readFileSync(createRequire(from).resolve(specifier)));
  } catch {
    return null;
  }
};

const lockedIntegrity = (lock: string, name: string): string | null => {
  try {
    const { packages } = JSON.parse(readFileSync(lock, 'utf8')) as { packages: Record<string, { integrity?: string }> };
    return packages[`node_modules/${name}`]?.integrity ?? null;
  } catch {
    return null;
  }
};

export const userPath = (module: string): string => fileURLToPath(module.replace(/[?#].*$/, ''));

/** Where the syntax of a file breaks: Node says it at the head of the stack (`:3`), es-module-lexer in the message (`@:3:14`). */
const lineOf = (error: unknown): { line?: number } => {
  const { stack = '', message = '' } = error as Error;
  const line = /^[^\n]*:(\d+)\n/.exec(stack)?.[1] ?? /:(\d+):\d+$/.exec(message)?.[1];
  return line === undefined ? {} : { line: Number(line) };
};
