/** Takes over what a command has written to `$OUT`: a folder's files, JSON Lines as rows, or a JSON object as metrics. */
import {
  cpSync,
  type Dirent,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, relative, sep } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { CommandOptions } from '../../schemas/types.ts';
import { type Fields, type InputFile, StageError, type WholeContext } from '../contract.ts';
import { jsonl } from '../sources/readers/jsonl.ts';
import { isFields, type Named, naming } from './row.ts';

type Context = WholeContext<CommandOptions>;

/** `out` is what `$OUT` names; `own` is the folder that it may hold links into. */
export const takeResult = async (context: Context, out: string, own: string): Promise<void> => {
  const { output } = context.options;
  if (output === 'files') {
    checkFolder(out, own);
    return context.take('files', out);
  }
  const found = statSync(out, { throwIfNoEntry: false });
  if (!found) throw nothing(`wrote nothing to $OUT`, `with output: ${output}, $OUT is a file to be written: … > $OUT`);
  if (!found.isFile())
    throw bad(`made $OUT a folder`, `with output: ${output}, $OUT is a file to be written: … > $OUT`);
  if (output === 'metrics') context.metrics('metrics', metrics(readFileSync(out, 'utf8')));
  else await takeRows(context, { name: '$OUT', path: out, digest: '', size: found.size });
};

const nothing = (what: string, advice: string): StageError =>
  new StageError('no-output', `the command ended well, but ${what}`, { advice });

const bad = (what: string, advice?: string): StageError =>
  new StageError('bad-output', `the command ${what}`, advice === undefined ? {} : { advice });

/** The store takes plain files: a link is replaced by what it names. */
const checkFolder = (out: string, own: string): void => {
  // A link in its place would lead to what is not ours to take, nor to clear away.
  if (!lstatSync(out, { throwIfNoEntry: false })?.isDirectory()) {
    throw bad('removed the folder $OUT or put a file in its place', 'write files into it: … > $OUT/name');
  }
  const entries = readdirSync(out, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (entry.name.includes('\ufffd') && !lstatSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false }))
      throw bad(`made a file in $OUT whose name is not UTF-8 (${entry.name})`);
    if (!entry.isFile() && !entry.isDirectory()) replaceLink(entry, out, own);
  }
  if (!entries.some(e => e.isFile() || e.isSymbolicLink())) {
    throw nothing('the folder $OUT is empty', 'it is a folder for files: … > $OUT/name');
  }
};

const replaceLink = (entry: Dirent, out: string, own: string): void => {
  const path = join(entry.parentPath, entry.name);
  const name = `$OUT/${relative(out, path).split(sep).join('/')}`;
  if (!entry.isSymbolicLink()) throw bad(`made ${name}, which is neither a file nor a folder`);
  if (!existsSync(path)) throw bad(`made ${name}, a link to something that is not there`);
  const target = realpathSync(path);
  if (!target.startsWith(`${realpathSync(own)}${sep}`)) {
    throw bad(`made ${name}, a link out of its folder to ${target}`, 'copy what belongs to the result (cp -L)');
  }
  rmSync(path);
  cpSync(target, path, { recursive: true, dereference: true });
};

const metrics = (text: string): Fields => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad(`wrote no JSON to $OUT: ${(error as Error).message}`, 'metrics are one JSON object: {"accuracy": 0.9}');
  }
  if (isFields(value)) return value;
  throw bad('wrote to $OUT what is no JSON object', 'metrics are one JSON object: {"accuracy": 0.9}');
};

const takeRows = async (context: Context, file: InputFile): Promise<void> => {
  const rows = context.rows('rows');
  const rejects = context.rows('rejects');
  const name = naming(context);
  for (const batch of jsonl({ file, start: 0, end: file.size })) {
    // We are in the main thread: others want their turn.
    await setImmediate();
    context.signal.throwIfAborted();
    for (const item of batch) {
      if (item === null) continue;
      const found: Named = 'reason' in item ? item : name(item.fields, item.line ?? 0);
      if ('id' in found) {
        await rows.write(found, item.line === undefined ? {} : { line: item.line });
        continue;
      }
      const { reason } = found;
      const line = item.line ?? 0;
      const text = 'text' in item ? { text: item.text } : {};
      await rejects.write(
        { id: `$OUT:${line}`, parent: null, fields: { reason, path: '$OUT', line, ...text } },
        { line },
      );
    }
  }
};
