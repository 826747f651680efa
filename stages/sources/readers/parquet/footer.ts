/** The footer of a Parquet file: its schema, as it is declared and as it is stored, and where its row groups lie. */
import { parquetMetadata, parquetSchema } from 'hyparquet';
import { isListLike, isMapLike } from 'hyparquet/src/schema.js';
import type { ColumnChunk, SchemaElement, SchemaTree } from 'hyparquet/src/types.js';

export type { ColumnChunk, SchemaElement, SchemaTree };
export { isListLike, isMapLike };

export interface RowGroup {
  readonly rows: number;
  /** Number of its first row in the file. */
  readonly first: number;
  readonly columns: readonly ColumnChunk[];
  /** Bytes of the file that hold it. */
  readonly start: number;
  readonly end: number;
}

export interface Footer {
  /** As the file declares it: what values mean. */
  readonly schema: SchemaTree;
  /** The same tree without what values mean: bytes, numbers and text come out as they are stored. */
  readonly plain: SchemaTree;
  readonly groups: readonly RowGroup[];
}

/** `bytes` are the footer, up to and with the end of the file. Throws where they make no sense. */
export const decodeFooter = (bytes: Uint8Array): Footer => {
  const { schema, row_groups } = parquetMetadata(bytes, { geoparquet: false });
  for (const element of schema) {
    // Newer writers may leave the old annotation out, which is the one that lists and maps are known by.
    if (element.logical_type?.type === 'LIST') element.converted_type ??= 'LIST';
    if (element.logical_type?.type === 'MAP' || element.converted_type === 'MAP_KEY_VALUE')
      element.converted_type = 'MAP';
  }
  const tree = parquetSchema({ schema });
  let first = 0;
  const groups = row_groups.map((group): RowGroup => {
    const ranges = group.columns.map(columnRange);
    const rows = Number(group.num_rows);
    first += rows;
    return {
      rows,
      first: first - rows,
      columns: group.columns,
      start: Math.min(...ranges.map(r => r.start)),
      end: Math.max(...ranges.map(r => r.end)),
    };
  });
  return { schema: tree, plain: parquetSchema({ schema: withoutMeaning(schema, tree) }), groups };
};

/** Throws when the column is not in this file, or encrypted. */
export const columnRange = ({ meta_data: data, file_path }: ColumnChunk): { start: number; end: number } => {
  if (file_path) throw new Error(`its columns lie in another file, ${file_path}`);
  if (!data) throw new Error('its columns are encrypted');
  // Some writers name a dictionary at 0 where there is none.
  const start = Number(data.dictionary_page_offset || data.data_page_offset);
  return { start, end: start + Number(data.total_compressed_size) };
};

/** Text is still told from bytes: a dictionary is decoded once, not each time that it is referred to. */
const withoutMeaning = (schema: readonly SchemaElement[], tree: SchemaTree): SchemaElement[] => {
  const keys = new Set<SchemaElement>();
  const walk = (node: SchemaTree): void => {
    if (isMapLike(node)) keys.add(node.children[0]!.children[0]!.element);
    node.children.forEach(walk);
  };
  walk(tree);
  return schema.map(element => {
    if (!element.type) return element;
    const { converted_type: converted, logical_type: logical, ...rest } = element;
    const isText = keys.has(element) ? element.type === 'BYTE_ARRAY' : isTextual(converted, logical?.type);
    return isText ? { ...rest, converted_type: 'UTF8' } : rest;
  });
};

const isTextual = (converted: string | undefined, logical: string | undefined): boolean =>
  converted === 'UTF8' || converted === 'ENUM' || converted === 'JSON' || /^(?:STRING|ENUM|JSON)$/.test(logical ?? '');
