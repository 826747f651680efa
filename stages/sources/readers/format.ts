/** Formats that files are read in, told by their extension where nothing else says it. */
import { type Compression, packedAs } from './unpack.ts';

export type RecordFormat = 'jsonl' | 'json' | 'csv' | 'parquet';
export type Format = 'markdown' | 'html' | 'text' | RecordFormat;

export const EXTENSIONS: Readonly<Record<string, Format>> = {
  ...{ md: 'markdown', markdown: 'markdown', mdx: 'markdown' },
  ...{ html: 'html', htm: 'html', xhtml: 'html' },
  ...{ txt: 'text', text: 'text', rst: 'text' },
  ...{ jsonl: 'jsonl', ndjson: 'jsonl', json: 'json' },
  ...{ csv: 'csv', tsv: 'csv' },
  ...{ parquet: 'parquet', pq: 'parquet' },
};

export const isRecords = (format: Format): format is RecordFormat =>
  format === 'jsonl' || format === 'json' || format === 'csv' || format === 'parquet';

export interface Kind {
  /** Null where the extension says nothing. */
  readonly format: Format | null;
  readonly compression: Compression | null;
  /** In small letters, without that of the compression: `tsv` of `a.tsv.gz`. */
  readonly extension: string;
}

/** Parquet compresses itself. */
export const kindOf = (name: string): Kind => {
  const packed = packedAs(name);
  const extension = /\.([^./]+)$/.exec(packed.name)?.[1]?.toLowerCase() ?? '';
  const format = EXTENSIONS[extension] ?? null;
  return {
    format: format === 'parquet' && packed.compression ? null : format,
    compression: packed.compression,
    extension,
  };
};
