/** Parquet files for tests, written by hyparquet-writer. */
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet/src/types.js';
import { parquetWriteBuffer } from 'hyparquet-writer';

type Value = unknown;
type Codec = 'UNCOMPRESSED' | 'SNAPPY' | 'GZIP' | 'ZSTD' | 'BROTLI';

export interface ParquetOptions {
  readonly codec?: Codec;
  /** Rows. */
  readonly group?: number;
  /** Bytes. */
  readonly page?: number;
}

const COMPRESSORS = {
  GZIP: (bytes: Uint8Array) => gzipSync(bytes),
  ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes),
  BROTLI: (bytes: Uint8Array) => brotliCompressSync(bytes),
};

/** `columns` holds the values of each top-level column of the schema, whose root is left out. */
export const parquetOf = (
  schema: readonly SchemaElement[],
  columns: Readonly<Record<string, readonly Value[]>>,
  { codec = 'SNAPPY', group = 1000, page = 1 << 20 }: ParquetOptions = {},
): Uint8Array => {
  const root: SchemaElement = { name: 'root', num_children: Object.keys(columns).length };
  const columnData = Object.entries(columns).map(([name, data]) => ({ name, data: [...data] }));
  return new Uint8Array(
    parquetWriteBuffer({
      ...{ schema: [root, ...schema], columnData, codec, rowGroupSize: group, pageSize: page },
      compressors: COMPRESSORS,
    }),
  );
};

export const TEXT = (name: string): SchemaElement => ({
  ...{ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
});

/** Of a list of groups of text, as chats have it. */
export const MESSAGES = (name: string, fields: readonly string[]): SchemaElement[] => [
  { name, repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', repetition_type: 'OPTIONAL', num_children: fields.length },
  ...fields.map(TEXT),
];
