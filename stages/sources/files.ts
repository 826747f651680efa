/** Source `files`: documents (Markdown, HTML, text) and records (JSON Lines, CSV) of the recipe's folder. */

import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import type { FilesOptions } from '../../schemas/types.ts';
import { type InputFile, type Read, type ReadPart, type ReadStage, StageError } from '../contract.ts';
import { MAX_DOCUMENT } from './readers/records.ts';

type Format = 'markdown' | 'html' | 'text' | 'jsonl' | 'csv';

export type Options = FilesOptions;

const EXTENSIONS: Readonly<Record<string, Format>> = {
  md: 'markdown',
  markdown: 'markdown',
  mdx: 'markdown',
  html: 'html',
  htm: 'html',
  xhtml: 'html',
  txt: 'text',
  text: 'text',
  rst: 'text',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  csv: 'csv',
  tsv: 'csv',
};

const extension = (name: string): string => /\.([^./]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';

const formatOf = ({ name }: InputFile, options: Options): Format => {
  const format = options.format === 'auto' ? EXTENSIONS[extension(name)] : options.format;
  if (format) return format;
  throw new StageError('unknown-format', 'the format cannot be told by the extension', {
    place: { path: name },
    advice: `Name the format (format: text), or narrow \`paths\` to files that end in .${Object.keys(EXTENSIONS).join(', .')}.`,
  });
};

/** Readers are loaded when a file asks for them: htmlparser2 takes its time. */
async function* batches(part: ReadPart, options: Options): AsyncGenerator<readonly Read[]> {
  const { file } = part;
  const format = formatOf(file, options);
  if (format === 'jsonl') return yield* (await import('./readers/jsonl.ts')).jsonl(part);
  if (format === 'csv') {
    const delimiter = options.delimiter === 'auto' && extension(file.name) === 'tsv' ? 'tab' : options.delimiter;
    return yield* (await import('./readers/csv.ts')).csv(part, delimiter);
  }
  if (file.size > MAX_DOCUMENT) return yield [{ reason: `larger than ${MAX_DOCUMENT / 2 ** 20} MB` }];
  const { document } = await import('./readers/document.ts');
  yield document(file.name, await buffer(createReadStream(file.path)), format, options.by);
}

/** Why a file could not be read, without the path of this machine; other errors are not expected. */
const unreadable = (error: unknown): string => {
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

const isDocument = (format: Format): boolean => format !== 'jsonl' && format !== 'csv';

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
  givesIds: (file, options) => isDocument(formatOf(file, options)),
  // A CSV file may quote line breaks, and begins with a header.
  byLine: (file, options) => formatOf(file, options) === 'jsonl',
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
