/** A data set as its files: those of a commit of the Hub, or of a folder. */
import { readFileSync } from 'node:fs';
import type { HubOptions } from '../../schemas/types.ts';
import { type InputFile, StageError, type WholeContext } from '../contract.ts';
import { isPointer } from './lfs.ts';

/** A file of a data set that is here. */
export interface DataFile {
  /** In the data set. */
  readonly path: string;
  readonly input: InputFile;
}

export interface Source {
  /** For messages. */
  readonly name: string;
  /** Of all its files. */
  readonly paths: readonly string[];
  /** README.md, or null. */
  card(): Promise<string | null>;
  /** The files in this order; with `few`, perhaps not all of them will be asked for. */
  bring(paths: readonly string[], few: boolean): AsyncIterable<DataFile>;
}

const HASH = /^snapshots\/([^/]+)\//;

/** A folder as `git clone`, `hf download --local-dir` or the Hub's cache lay it out. */
export const localCopy = ({ options, files }: WholeContext<HubOptions>): Source => {
  const all = files.path ?? [];
  const folder = options.path ?? '';
  const snapshot = snapshotOf(all, options.revision, folder);
  const own = new Map(
    all.flatMap(f => (f.name.startsWith(snapshot) ? [[f.name.slice(snapshot.length), f] as const] : [])),
  );
  const pointer = (path: string): StageError =>
    new StageError('lfs-pointer', 'a Git LFS pointer stands in place of the file', {
      place: { path: `${folder}/${snapshot}${path}` },
      advice: `Run \`git lfs pull\` in ${folder}.`,
    });
  return {
    name: folder,
    paths: [...own.keys()],
    card: async () => {
      const card = own.get('README.md');
      return card ? readFileSync(card.path, 'utf8') : null;
    },
    async *bring(paths) {
      for (const path of paths) {
        const input = own.get(path)!;
        if (isPointer(input)) throw pointer(path);
        yield { path, input };
      }
    },
  };
};

/** The Hub's cache holds snapshots by their commit, and under `refs` which one a branch is at; '' for other folders. */
const snapshotOf = (files: readonly InputFile[], revision: string, folder: string): string => {
  const commits = [...new Set(files.flatMap(f => HASH.exec(f.name)?.[1] ?? []))];
  if (commits.length === 0) return '';
  const ref = files.find(f => f.name === `refs/${revision}`);
  const commit = ref ? readFileSync(ref.path, 'utf8').trim() : revision;
  if (commits.includes(commit)) return `snapshots/${commit}/`;
  throw new StageError('hub-revision', `${folder} has no snapshot of the revision ${revision}`, {
    advice: `It has: ${commits.join(', ')}.`,
  });
};
