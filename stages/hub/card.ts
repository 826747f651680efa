/** What the card of a data set (README.md) says about its subsets and splits, in its YAML front matter. */
import { parseYaml } from '../yaml.ts';

/** A subset as the card declares it. */
export interface CardConfig {
  readonly name: string;
  readonly isDefault: boolean;
  /** Globs by split, in order; null where the card leaves them to the files' names. */
  readonly splits: ReadonlyMap<string, readonly string[]> | null;
  /** Folder that everything of it is in; '' for the whole repository. */
  readonly folder: string;
}

const FRONT_MATTER = /^\ufeff?---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/;

/** Empty where the card says nothing, or nothing that makes sense: then the files' names count. */
export const cardConfigs = async (text: string): Promise<CardConfig[]> => {
  const matter = FRONT_MATTER.exec(text)?.[1];
  if (matter === undefined) return [];
  const card = await parseYaml(matter);
  const configs = isMap(card) ? card.configs : undefined;
  return Array.isArray(configs) ? configs.filter(isMap).map(toConfig) : [];
};

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const toConfig = (config: Readonly<Record<string, unknown>>): CardConfig => {
  const { config_name: name, data_dir: folder, data_files: files } = config;
  return {
    name: typeof name === 'string' ? name : 'default',
    isDefault: config.default === true,
    splits: files === undefined ? null : toSplits(files),
    folder: typeof folder === 'string' ? folder.replace(/^(?:\.?\/)+|\/+$/g, '') : '',
  };
};

/** A glob, a list of them, a map from splits to them, or a list of `{ split, path }`. */
const toSplits = (files: unknown): ReadonlyMap<string, readonly string[]> => {
  const globs = (value: unknown): string[] => [value].flat().filter(v => typeof v === 'string');
  if (isMap(files)) return new Map(Object.entries(files).map(([split, of]) => [split, globs(of)]));
  const all = [files].flat();
  const named = all.filter(isMap).filter(f => typeof f.split === 'string');
  if (named.length > 0) return new Map(named.map(f => [String(f.split), globs(f.path)]));
  return new Map([['train', globs(all)]]);
};
