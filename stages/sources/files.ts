/** Source `files`: documents (Markdown, HTML, text) and records (JSON Lines, JSON, CSV, Parquet) of the recipe's folder. */

import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import type { FilesOptions } from '../../schemas/types.ts';
import { type InputFile, type Read, type ReadPart, type ReadStage, StageError } from '../contract.ts';
import { EXTENSIONS, type Format, isRecords, kindOf } from './readers/format.ts';
import { readRecords } from './readers/read-records.ts';
import { MAX_DOCUMENT } from './readers/records.ts';
import { BadArchive, unpackedWhole } from './readers/unpack.ts';

export type Options = FilesOptions;

const formatOf = ({ name }: InputFile, options: Options): Format => {
  const kind = kindOf(name);
  if (options.format === 'parquet' && kind.compression) {
    throw new StageError('unknown-format', `Parquet is not read out of ${kind.compression}: it compresses itself`, {
      place: { path: name },
      advice: 'Unpack the file.',
    });
  }
  const format = options.format === 'auto' ? kind.format : options.format;
  if (format) return format;
  throw new StageError('unknown-format', 'the format cannot be told by the extension', {
    place: { path: name },
    advice: `Name the format (format: text), or narrow \`paths\` to files that end in .${Object.keys(EXTENSIONS).join(', .')}, each but Parquet also packed: .gz, .zst, .br.`,
  });
};

async function* batches(part: ReadPart, options: Options): AsyncGenerator<readonly Read[]> {
  const { file } = part;
  const format = formatOf(file, options);
  if (isRecords(format)) return yield* readRecords(part, { ...options, format });
  const bytes = await documentOf(file);
  if (bytes === null) return yield [{ reason: `larger than ${MAX_DOCUMENT / 2 ** 20} MB` }];
  // htmlparser2 takes its time to be loaded.
  const { document } = await import('./readers/document.ts');
  yield document(file.name, bytes, format, options.by);
}

/** Null where it is too large. */
const documentOf = async (file: InputFile): Promise<Buffer | null> => {
  const { compression } = kindOf(file.name);
  if (compression) return unpackedWhole(file, compression, MAX_DOCUMENT);
  return file.size > MAX_DOCUMENT ? null : buffer(createReadStream(file.path));
};

/** Why a file could not be read, without the path of this machine; other errors are not expected. */
const unreadable = (error: unknown): string => {
  if (error instanceof BadArchive) return error.message;
  const known: Record<string, string> = {
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EISDIR: 'it is a folder',
    ENOENT: 'it has gone since the build began',
    EIO: 'input/output error',
  };
  const why = known[(error as NodeJS.ErrnoException | null)?.code ?? ''];
  if (why === undefined) throw error;
  return `cannot be read: ${why}`;
};

export default {
  kind: 'read',
  option: 'paths',
  check(files, options) {
    if (files.length === 0) {
      throw new StageError('empty-source', `no file matches ${[options.paths].flat().join(', ')}`, {
        advice: 'Globs are relative to the folder of the recipe (or to `root`); `**` crosses folders.',
      });
    }
    for (const file of files) formatOf(file, options);
  },
  givesIds: (file, options) => !isRecords(formatOf(file, options)),
  // A CSV file may quote line breaks, and begins with a header; what is packed has no lines yet.
  byLine: (file, options) => formatOf(file, options) === 'jsonl' && kindOf(file.name).compression === null,
  hasParts: (file, options) => formatOf(file, options) === 'parquet',
  parts: async file => (await import('./readers/parquet.ts')).parquetParts(file),
  async *read(part, options) {
    try {
      yield* batches(part, options);
    } catch (error) {
      if (error instanceof StageError) throw error;
      yield [{ reason: unreadable(error) }];
    }
  },
  key: options => options.key,
} satisfies ReadStage<Options>;
