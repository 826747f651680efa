/** The files of a query as tables: each by its path and by its name without ending, and each glob as all of its files. */
import { realpathSync } from 'node:fs';
import { type InputFile, StageError } from '../contract.ts';
import { kindOf } from '../sources/readers/format.ts';
import { globTest, isGlob } from '../sources/readers/glob.ts';
import { literal, quoted } from './columns.ts';
import type { Session } from './session.ts';

/** Creates them, and returns the paths that they read. `patterns` are as in the recipe. */
export const createViews = async (
  session: Session,
  files: readonly InputFile[],
  patterns: readonly string[],
): Promise<string[]> => {
  const views = new Map<string, readonly InputFile[]>();
  for (const pattern of patterns) {
    const test = globTest(pattern);
    const all = isGlob(pattern) ? files.filter(f => test(f.name)) : [];
    if (all.length > 0 && new Set(all.map(readerOf)).size === 1) views.set(pattern, all);
  }
  const names = files.map(stem);
  for (const [i, file] of files.entries()) {
    views.set(file.name, [file]);
    const name = names[i]!;
    // What two files are called is neither of them.
    if (names.filter(n => n.toLowerCase() === name.toLowerCase()).length === 1 && !views.has(name))
      views.set(name, [file]);
  }
  for (const [name, of] of views) {
    const paths = of.map(f => literal(realpathSync(f.path)));
    const columns = readerOf(of[0]!) === 'read_parquet' ? '' : ', sample_size = -1';
    const reader = `${readerOf(of[0]!)}([${paths.join(', ')}], union_by_name = true${columns})`;
    try {
      await session.run(`CREATE VIEW ${quoted(name)} AS FROM ${reader}`);
    } catch (error) {
      throw inFile(error, of);
    }
  }
  return files.map(f => realpathSync(f.path));
};

/** `shop` of `data/shop.csv.gz`. */
const stem = ({ name }: InputFile): string => {
  const file = name.slice(name.lastIndexOf('/') + 1);
  return file.replace(/\.(?:gz|zst)$/i, '').replace(/\.[^.]+$/, '');
};

const readerOf = ({ name }: InputFile): string => {
  const { format, compression } = kindOf(name);
  if (compression === 'brotli') throw unread(name, 'DuckDB does not unpack .br');
  if (format === 'csv') return 'read_csv';
  if (format === 'json' || format === 'jsonl') return 'read_json';
  if (format === 'parquet') return 'read_parquet';
  throw unread(name, 'a query reads CSV, JSON and Parquet');
};

const unread = (path: string, why: string): StageError =>
  new StageError('unknown-format', why, {
    place: { path },
    advice: 'Files end in .csv, .tsv, .json, .jsonl, .ndjson or .parquet; texts may be packed by gzip or zstd.',
  });

/** DuckDB names paths of this machine. */
export const withNames = (error: unknown, files: readonly InputFile[]): unknown => {
  if (!(error instanceof StageError)) return error;
  const clean = (text: string): string =>
    files.reduce((t, f) => t.replaceAll(realpathSync(f.path), f.name).replaceAll(f.path, f.name), text);
  const { place, advice } = error;
  return new StageError(error.reason, clean(error.message), {
    ...(advice === undefined ? {} : { advice: clean(advice) }),
    ...(place ? { place } : {}),
  });
};

const inFile = (error: unknown, of: readonly InputFile[]): unknown => {
  const named = withNames(error, of);
  if (!(named instanceof StageError) || named.reason === 'sql-memory') return named;
  return new StageError('bad-file', named.message, {
    ...(named.advice === undefined ? {} : { advice: named.advice }),
    ...(of.length === 1 ? { place: { path: of[0]!.name } } : {}),
  });
};
