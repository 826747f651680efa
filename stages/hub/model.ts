/** Brings a model of the Hub: its weights, tokenizer and configuration, and nothing else of its repository. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelOptions } from '../../schemas/types.ts';
import { type InputFile, StageError, type WholeContext } from '../contract.ts';
import { pinnedCommit } from './commit.ts';
import { download } from './download.ts';
import { type RemoteFile, Repository } from './repository.ts';

/** As of a local folder (`schemas/stages/sources/model.json`), but for the weights. */
const BESIDE = new Set([
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'generation_config.json',
  'chat_template.jinja',
  'special_tokens_map.json',
]);
const INDEX = 'model.safetensors.index.json';
const ONE = 'model.safetensors';

interface Brought {
  /** Below the folder of all models. */
  readonly folder: string;
  readonly files: readonly InputFile[];
}

/**
 *   models/<owner>--<name>/<commit>/config.json …    nothing else is in it
 */
export const bringModel = async (context: WholeContext<ModelOptions>, name: string): Promise<Brought> => {
  const { options, models, signal, log } = context;
  const { token, endpoint } = options;
  const repository = new Repository({ kind: 'model', name, token, endpoint, signal, log });
  const commit = await pinnedCommit(context, repository, options.revision ?? 'main');
  const all = (await repository.files(commit)).filter(f => !f.path.includes('/'));
  const owner = name.replaceAll('/', '--');
  const folder = `${owner}/${commit}`;
  const at = (file: RemoteFile): string => join(models, folder, file.path);
  const bring = (files: readonly RemoteFile[]): Promise<void> =>
    download({
      ...{ repository, kind: 'model', commit, folder: join(models, owner), signal, log },
      wanted: files.map(file => ({ file, to: at(file) })),
      progress: (done, total) => context.progress(Math.round(done / 1e6), Math.round(total / 1e6), 'MB'),
    });

  const beside = all.filter(f => BESIDE.has(f.path));
  const index = all.find(f => f.path === INDEX);
  const small = index ? [...beside, index] : beside;
  // What is small says first whether the rest is worth coming.
  if (!beside.some(f => f.path === 'config.json')) throw lacks(repository, 'config.json');
  await bring(small);
  const weights = index ? await shards(at(index), all, repository) : single(all, repository);
  await bring(weights);
  const files = [...small, ...weights];
  removeOthers(join(models, folder), files);
  return { folder, files: files.map(f => ({ name: f.path, path: at(f), digest: f.digest, size: f.size })) };
};

/** A repository may hold the same weights in other forms, too: those of the index count. */
const shards = async (index: string, all: readonly RemoteFile[], repository: Repository): Promise<RemoteFile[]> => {
  let map: unknown;
  try {
    map = (JSON.parse(await readFile(index, 'utf8')) as { weight_map?: unknown }).weight_map;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (typeof map !== 'object' || map === null)
    throw new StageError('model-incomplete', `${INDEX} of ${repository.page} has no \`weight_map\``);
  return [...new Set(Object.values(map as Record<string, string>))].sort().map(path => {
    const file = all.find(f => f.path === path);
    if (!file) throw lacks(repository, path);
    return file;
  });
};

const single = (all: readonly RemoteFile[], repository: Repository): RemoteFile[] => {
  const found = all.filter(f => f.path.endsWith('.safetensors'));
  const one = found.find(f => f.path === ONE);
  if (one) return [one];
  if (found.length > 0) return found;
  throw lacks(repository, ONE);
};

const lacks = ({ page }: Repository, path: string): StageError =>
  new StageError('model-incomplete', `${page} lacks ${path}`, {
    advice:
      'A model has config.json, tokenizer.json and *.safetensors at the top of its repository; others (.bin, .gguf) are not read.',
  });

/** The folder is the model: what an earlier attempt left in it, or somebody put there, is not. */
const removeOthers = (folder: string, files: readonly RemoteFile[]): void => {
  if (!existsSync(folder)) return;
  const own = new Set(files.map(f => f.path));
  for (const entry of readdirSync(folder)) if (!own.has(entry)) rmSync(join(folder, entry), { recursive: true });
};
