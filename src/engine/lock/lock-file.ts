/**
 * The lock file of a recipe: what its results stand on that git does not hold, one line a node, sorted.
 *
 *   # Made by finetune: …
 *   version 1
 *   adapter key=<key> result.adapter=<digest> seconds=2040
 *   adapter profile=gpu key=<key> result.adapter=<digest> seconds=310
 *   base files.path=<digest>/9
 *   chats key=<key> from.HuggingFaceH4/Multilingual-Thinking@main=<commit> result.rows=<digest> seconds=12
 *   mine env.node=26
 */
import { readFileSync, rmSync } from 'node:fs';
import { relative } from 'node:path';
import { writeDurably } from '../../../cache/durable.ts';
import { type Failure, FailureError } from '../../failure.ts';

/** One line: a node under the profiles of the builds that wrote it. */
export interface LockEntry {
  readonly node: string;
  /** Profiles in their order, joined by commas; empty for none. */
  readonly profile: string;
  /** Key whose result is pinned; null where only files or the environment are. */
  readonly key: string | null;
  /** `files.<option>`, `env.<name>`, `code`, `result.<output>`, `from.<name>`, `seconds`; values have no white space. */
  readonly pins: Readonly<Record<string, string>>;
  /** In the file it was read from. */
  readonly line?: number;
}

export interface LockFile {
  readonly path: string;
  /** As people write it. */
  readonly shown: string;
  /** Null when there is no such file. */
  readonly text: string | null;
  readonly entries: readonly LockEntry[];
}

const HEAD = `# Made by finetune: what the results of this recipe stand on that git does not hold. Keep it in git.
version 1
`;

/** `finetune.yaml` has `finetune.lock` beside it. */
export const lockPath = (recipe: string): string => `${recipe.replace(/\.ya?ml$/, '')}.lock`;

/** Reads the recipe's lock file. Throws FailureError `lock-conflict` or `lock-corrupt`, at the line. */
export const readLockFile = (recipe: string): LockFile => {
  const path = lockPath(recipe);
  const shown = relative(process.cwd(), path) || path;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT') return { path, shown, text: null, entries: [] };
    const message = code === 'EISDIR' ? 'a folder stands where the lock file belongs' : `cannot be read (${code})`;
    throw new FailureError([{ reason: 'lock-corrupt', message, place: { path: shown } }]);
  }
  return { path, shown, text, entries: parseLock(text, shown) };
};

/** Throws FailureError with every line that is wrong. */
export const parseLock = (text: string, shown: string): LockEntry[] => {
  const failures: Failure[] = [];
  const entries: LockEntry[] = [];
  const seen = new Map<string, number>();
  let version: string | null = null;
  for (const [i, source] of text.split(/\r?\n/).entries()) {
    const at = { path: shown, line: i + 1, column: 1, length: Math.max(1, source.length), source };
    const wrong = (message: string) =>
      void failures.push({
        reason: 'lock-corrupt',
        message,
        place: at,
        advice: 'take the file from git again (git checkout), or delete it and run: finetune lock',
      });
    if (/^(<{7}|={7}|>{7}|\|{7})( |$)/.test(source)) {
      failures.push({
        reason: 'lock-conflict',
        message: 'a merge has left a conflict here',
        place: at,
        advice:
          'delete the marks and keep the lines of both sides, of one node with the same key only one line: the next build (or finetune lock) puts it in order',
      });
      continue;
    }
    if (source.trim() === '' || source.startsWith('#')) continue;
    const [name, ...fields] = source.trim().split(/\s+/);
    if (version === null) {
      if (name !== 'version' || fields.length !== 1)
        wrong('the first entry of a lock file is its version: "version 1"');
      else if (fields[0] !== '1') wrong(`a lock file of version ${fields[0]}; this finetune reads version 1`);
      version = fields[0] ?? '';
      continue;
    }
    const entry = parseEntry(name!, fields, i + 1);
    if (typeof entry === 'string') {
      wrong(entry);
      continue;
    }
    const same = `${entry.node} ${entry.profile} ${entry.key ?? ''}`;
    const before = seen.get(same);
    if (before !== undefined) wrong(`a second line for ${entry.node}: the first is line ${before}`);
    seen.set(same, i + 1);
    entries.push(entry);
  }
  if (failures.length > 0) {
    // What stands between the marks of a conflict is no mistake of its own.
    const conflicts = failures.filter(f => f.reason === 'lock-conflict');
    throw new FailureError(conflicts.length > 0 ? conflicts.slice(0, 1) : failures.slice(0, 10));
  }
  return entries;
};

/** What is wrong with the line, where something is. */
const parseEntry = (name: string, fields: readonly string[], line: number): LockEntry | string => {
  const pins: Record<string, string> = {};
  for (const field of fields) {
    const at = field.indexOf('=');
    if (at < 1 || at === field.length - 1) return `"${field}" is not of the form name=value`;
    const key = plain(field.slice(0, at));
    if (Object.hasOwn(pins, key)) return `"${key}" stands here twice`;
    pins[key] = plain(field.slice(at + 1));
  }
  const { key = null, profile = '', ...rest } = pins;
  if (Object.keys(rest).length === 0) return `nothing is pinned for ${name}`;
  for (const [pin, value] of Object.entries({ ...rest, ...(key === null ? {} : { key }) })) {
    const isDigest = pin === 'key' || pin === 'code' || /^(result|files)\./.test(pin);
    if (isDigest && !/^[0-9a-f]{64}(\/\d+)?$/.test(value)) return `${pin} is not a digest of 64 hex digits`;
    if (pin === 'seconds' && !/^\d+$/.test(value)) return 'seconds is not a whole number';
  }
  return { node: plain(name), profile, key, pins: rest, line };
};

export const formatLock = (entries: readonly LockEntry[]): string =>
  `${HEAD}${entries.map(formatEntry).sort().join('')}`;

/** Without the line break of another's: fields in order, so that equal pins are equal lines. */
const formatEntry = ({ node, profile, key, pins }: LockEntry): string => {
  const fields = Object.entries(pins)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${safe(name)}=${safe(value)}`);
  if (key !== null) fields.unshift(`key=${key}`);
  if (profile !== '') fields.unshift(`profile=${safe(profile)}`);
  return `${[safe(node), ...fields].join(' ')}\n`;
};

/** Replaces the file; removes it when there is nothing left to pin. Returns the text now in it. */
export const writeLockFile = (path: string, entries: readonly LockEntry[]): string | null => {
  if (entries.length === 0) {
    rmSync(path, { force: true });
    return null;
  }
  const text = formatLock(entries);
  writeDurably(path, text);
  return text;
};

/** White space and "%" would end a field or be read as an escape. */
const safe = (text: string): string => text.replaceAll(/[\s%\p{Cc}]/gu, c => encodeURIComponent(c));

const plain = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
