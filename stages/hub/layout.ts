/**
 * Subsets and splits of a data set: as its card declares them, else by the names of its files, after the rules by which
 * Hugging Face's `datasets` and the Hub's viewer find them (docs: "Structure your repository").
 */
import { StageError } from '../contract.ts';
import { type Format, isRecords, kindOf } from '../sources/readers/format.ts';
import { globTest, isGlob } from '../sources/readers/glob.ts';
import type { CardConfig } from './card.ts';

export interface Subset {
  readonly name: string;
  readonly isDefault: boolean;
  /** Paths of each split, in order. */
  readonly splits: ReadonlyMap<string, readonly string[]>;
}

export interface Wish {
  readonly config: string | undefined;
  readonly split: string;
  /** Globs of files, in place of both. */
  readonly files: readonly string[] | undefined;
}

/** Files that are about the data. */
const ABOUT = /^(?:README\.md|config\.json|dataset_infos?\.json|dataset_dict\.json|state\.json)$/;

export const isData = (path: string): boolean => {
  const parts = path.split('/');
  const { format } = kindOf(path);
  return format !== null && isRecords(format) && !ABOUT.test(parts.at(-1)!) && !parts.some(p => /^(?:\.|__)/.test(p));
};

/** The files that are asked for, of `paths`; `where` is told with what is wrong. Throws StageError. */
export const chooseFiles = (
  paths: readonly string[],
  card: readonly CardConfig[],
  wish: Wish,
  where: string,
): string[] => {
  if (wish.files) {
    const found = matching(wish.files, paths.filter(isRecordFile));
    if (found.length > 0) return found;
    throw new StageError('hub-split', `no file of ${where} matches ${wish.files.join(', ')}`, {
      advice: `It has: ${some(paths)}.`,
    });
  }
  const data = paths.filter(isData);
  if (data.length === 0) {
    throw new StageError('hub-split', `${where} has no file of records (Parquet, JSON Lines, JSON, CSV)`, {
      advice: `It has: ${some(paths)}. Data sets that a script makes are there as Parquet with revision: refs/convert/parquet.`,
    });
  }
  const subsets = subsetsOf(data, card);
  const subset = chooseSubset(subsets, wish.config, where);
  const files = subset.splits.get(wish.split) ?? [];
  if (files.length > 0) return ofOneFormat(files);
  const known = [...subset.splits].filter(([, of]) => of.length > 0).map(([name]) => name);
  const of = subsets.length > 1 ? ` in its subset ${subset.name}` : '';
  throw new StageError('hub-split', `${where} has no split "${wish.split}"${of}`, {
    advice: `It has: ${known.join(', ')}.`,
  });
};

const isRecordFile = (path: string): boolean => isRecords(kindOf(path).format ?? 'text');

const some = (paths: readonly string[]): string => {
  const shown = paths.filter(p => !p.startsWith('.'));
  return shown.length === 0 ? 'nothing' : `${shown.slice(0, 8).join(', ')}${shown.length > 8 ? ' …' : ''}`;
};

const chooseSubset = (subsets: readonly Subset[], wanted: string | undefined, where: string): Subset => {
  const found =
    wanted === undefined
      ? (subsets.find(s => s.isDefault) ??
        subsets.find(s => s.name === 'default') ??
        (subsets.length === 1 ? subsets[0] : null))
      : subsets.find(s => s.name === wanted);
  if (found) return found;
  const names = subsets.map(s => s.name).join(', ');
  throw wanted === undefined
    ? new StageError('hub-config', `${where} has ${subsets.length} subsets, and none is the default`, {
        advice: `Name one (config): ${names}.`,
      })
    : new StageError('hub-config', `${where} has no subset "${wanted}"`, { advice: `It has: ${names}.` });
};

export const subsetsOf = (data: readonly string[], card: readonly CardConfig[]): Subset[] => {
  if (card.length > 0) {
    return card.map(({ name, isDefault, splits, folder }) => {
      const own = folder === '' ? data : data.filter(p => p.startsWith(`${folder}/`));
      if (!splits) return { name, isDefault, splits: splitsOf(own, folder) };
      const within = folder === '' ? '' : `${folder}/`;
      const found = [...splits].map(
        ([split, globs]) =>
          [
            split,
            matching(
              globs.map(g => within + g),
              data,
            ),
          ] as const,
      );
      return { name, isDefault, splits: new Map(found) };
    });
  }
  // The branch that the Hub converts data sets to: <subset>/<split>/0000.parquet
  const converted = data.map(path => /^([^/]+)\/(?:partial-)?([^/]+)\/\d{4}\.parquet$/.exec(path));
  if (converted.every(found => found !== null)) {
    const subsets = new Map<string, Map<string, string[]>>();
    for (const [path, name, split] of converted as unknown as [string, string, string][]) {
      const splits = subsets.get(name) ?? new Map<string, string[]>();
      splits.set(split, [...(splits.get(split) ?? []), path]);
      subsets.set(name, splits);
    }
    return [...subsets].map(([name, splits]) => ({ name, isDefault: false, splits }));
  }
  return [{ name: 'default', isDefault: true, splits: splitsOf(data, '') }];
};

const KEYWORDS: Readonly<Record<string, RegExp>> = Object.fromEntries(
  Object.entries({
    train: 'train|training',
    validation: 'validation|valid|dev|val',
    test: 'test|testing|eval|evaluation',
  }).map(([split, words]) => [split, new RegExp(`(?:^|[-._ 0-9])(?:${words})(?:[-._ 0-9]|$)`)]),
);

/** The usual ones first. */
const rank = (split: string): number => {
  const at = Object.keys(KEYWORDS).indexOf(split);
  return at === -1 ? 99 : at;
};

/** By the names of files below `folder`: of shards, of folders, of files; all of them are `train` where names say nothing. */
const splitsOf = (paths: readonly string[], folder: string): ReadonlyMap<string, readonly string[]> => {
  const inner = (path: string): string => (folder === '' ? path : path.slice(folder.length + 1));
  const shards = new Map<string, string[]>();
  for (const path of paths) {
    const split = /^data\/(\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*\.[^/]*$/.exec(inner(path))?.[1];
    if (split !== undefined) shards.set(split, [...(shards.get(split) ?? []), path]);
  }
  if (shards.size > 0) return new Map([...shards].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)));
  const byName = (names: (path: string) => readonly string[]): ReadonlyMap<string, readonly string[]> => {
    const found = Object.entries(KEYWORDS).map(
      ([split, word]) => [split, paths.filter(path => names(inner(path)).some(name => word.test(name)))] as const,
    );
    return new Map(found.filter(([, of]) => of.length > 0));
  };
  const byFolder = byName(path => path.split('/').slice(0, -1));
  if (byFolder.size > 0) return byFolder;
  const byFile = byName(path => [path.split('/').at(-1)!]);
  return byFile.size > 0 ? byFile : new Map([['train', [...paths]]]);
};

/** In the order of the globs, then by name; each once. */
const matching = (globs: readonly string[], paths: readonly string[]): string[] => {
  const out = new Set<string>();
  for (const glob of globs) {
    // `data/**.csv` is any depth, too; a folder is all that is in it.
    const plain = glob.replace(/^(?:\.\/)+/, '').replaceAll(/\*\*(?=[^/])/g, '**/*');
    const test = globTest(plain);
    const within = isGlob(plain) ? null : `${plain.replace(/\/+$/, '')}/`;
    for (const path of paths) if (test(path) || (within !== null && path.startsWith(within))) out.add(path);
  }
  return [...out];
};

/** Of several formats side by side, the one that most files have. */
const ofOneFormat = (files: readonly string[]): string[] => {
  const count = new Map<Format, number>();
  for (const file of files) {
    const { format } = kindOf(file);
    if (format) count.set(format, (count.get(format) ?? 0) + 1);
  }
  const most = [...count].reduce((a, b) => (b[1] > a[1] || (b[1] === a[1] && b[0] === 'parquet') ? b : a))[0];
  return files.filter(f => kindOf(f).format === most);
};
