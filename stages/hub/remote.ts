/** A data set of the Hub at one commit: its list of files and the files themselves, kept once they have come. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { HubOptions } from '../../schemas/types.ts';
import { StageError, type WholeContext } from '../contract.ts';
import { pinnedCommit } from './commit.ts';
import type { Source } from './copy.ts';
import { download, type Wanted } from './download.ts';
import { type RemoteFile, Repository } from './repository.ts';

/**
 *   kept/<owner>--<name>/<commit>.json    the commit's list of files
 *   kept/<owner>--<name>/files/<digest>   content, under whatever name
 */
export const remote = async (context: WholeContext<HubOptions>, name: string): Promise<Source> => {
  const { options, kept, signal, log } = context;
  const { token, endpoint } = options;
  const repository = new Repository({ kind: 'dataset', name, token, endpoint, signal, log });
  const commit = await pinnedCommit(context, repository, options.revision);
  const folder = join(kept, name.replaceAll('/', '--'));
  const files = await listOf(repository, commit, join(folder, `${commit}.json`));
  const byPath = new Map(files.map(f => [f.path, f]));
  const wantedOf = (path: string): Wanted => {
    const file = byPath.get(path);
    if (!file) throw new StageError('hub-file', `${repository.page} lacks ${path}`);
    return { file, to: join(folder, 'files', file.digest) };
  };
  const bring = async (wanted: readonly Wanted[]): Promise<void> =>
    download({
      ...{ repository, kind: 'dataset', commit, wanted, folder, signal, log },
      progress: (done, total) => context.progress(Math.round(done / 1e6), Math.round(total / 1e6), 'MB'),
    });
  return {
    name: `${name} at ${commit.slice(0, 12)}`,
    paths: files.map(f => f.path),
    card: async () => {
      if (!byPath.has('README.md')) return null;
      const card = wantedOf('README.md');
      await bring([card]);
      return readFileSync(card.to, 'utf8');
    },
    async *bring(paths, few) {
      const wanted = paths.map(wantedOf);
      if (!few) await bring(wanted);
      for (const [i, one] of wanted.entries()) {
        if (few) await bring([one]);
        const { digest, size } = one.file;
        yield { path: paths[i]!, input: { name: paths[i]!, path: one.to, digest, size } };
      }
    },
  };
};

/** A commit's list never changes. */
const listOf = async (repository: Repository, commit: string, path: string): Promise<readonly RemoteFile[]> => {
  if (existsSync(path)) {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as RemoteFile[];
    } catch {
      // Cut off: the disk was full, or the machine went down.
    }
  }
  const files = await repository.files(commit);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, JSON.stringify(files));
  renameSync(`${path}.${process.pid}`, path);
  return files;
};
