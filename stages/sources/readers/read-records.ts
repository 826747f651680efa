/** Reads a file of records, whatever its format and compression: what `files` and `hub` have in common. */
import { createReadStream } from 'node:fs';
import type { Read, ReadPart } from '../../contract.ts';
import type { Delimiter } from './csv.ts';
import { type Kind, kindOf, type RecordFormat } from './format.ts';
import type { Lines } from './lines.ts';
import { only } from './records.ts';
import { BadArchive } from './unpack.ts';

export interface RecordOptions {
  readonly format: RecordFormat;
  readonly delimiter: Delimiter;
  /** Of these columns or fields only. */
  readonly columns?: readonly string[] | undefined;
}

/** Readers are loaded when a file asks for them. Errors of the disk are thrown; what is wrong with the file is in the reads. */
export async function* readRecords(part: ReadPart, options: RecordOptions): AsyncGenerator<readonly Read[]> {
  const { columns } = options;
  if (options.format === 'parquet') return yield* (await import('./parquet.ts')).parquet(part, columns);
  const kind = kindOf(part.file.name);
  // Where the last record was: what is wrong with the compression has no line of its own.
  let line = 0;
  try {
    for await (const reads of options.format === 'json' ? objects(part, kind) : lines(part, kind, options)) {
      line = reads.findLast(read => read?.line !== undefined)?.line ?? line;
      yield options.format === 'csv' ? reads : only(reads, columns);
    }
  } catch (error) {
    if (!(error instanceof BadArchive)) throw error;
    yield [{ reason: error.message, ...(line > 0 ? { line: line + 1 } : {}) }];
  }
}

const objects = async function* ({ file }: ReadPart, { compression }: Kind): AsyncGenerator<Read[]> {
  const { json } = await import('./json.ts');
  const blocks = compression
    ? (await import('./unpack.ts')).unpacked(file, compression)
    : createReadStream(file.path, { highWaterMark: 256 * 1024 });
  yield* json(blocks as AsyncIterable<Buffer>);
};

const lines = async function* (part: ReadPart, kind: Kind, options: RecordOptions): AsyncGenerator<Read[]> {
  const { read, end } = await reader(part.file.name, kind, options);
  if (kind.compression) {
    const { linesOf, unpacked } = await import('./unpack.ts');
    for await (const block of linesOf(unpacked(part.file, kind.compression))) yield read(block);
  } else {
    const { wholeLines } = await import('./lines.ts');
    for (const block of wholeLines(part)) yield read(block);
  }
  yield end();
};

const reader = async (
  name: string,
  { extension }: Kind,
  { format, delimiter, columns }: RecordOptions,
): Promise<{ read(block: Lines): Read[]; end(): Read[] }> => {
  if (format === 'jsonl') return { read: (await import('./jsonl.ts')).jsonlReader(), end: () => [] };
  const by = delimiter === 'auto' && extension === 'tsv' ? 'tab' : delimiter;
  return (await import('./csv.ts')).csvReader({ name, delimiter: by, columns });
};
