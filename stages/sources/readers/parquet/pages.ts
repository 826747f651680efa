/** Pages of a Parquet column decoded, and columns put together to rows. */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { assembleLists, assembleNested } from 'hyparquet/src/assemble.js';
import { parquetHeader } from 'hyparquet/src/column.js';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { deltaBinaryUnpack, deltaByteArray, deltaLengthByteArray } from 'hyparquet/src/delta.js';
import { byteStreamSplit } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getTreePath, isFlatColumn } from 'hyparquet/src/schema.js';
import type { ColumnChunk, ColumnDecoder, Compressors, DecodedArray, SchemaTree } from 'hyparquet/src/types.js';
import { compressors as others } from 'hyparquet-compressors';
import { bitWidth, unpackRuns } from './runs.ts';

/** What stands for text that is none. */
export class NotText {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const parsers = {
  ...DEFAULT_PARSERS,
  stringFromBytes: (bytes: Uint8Array | undefined): unknown => {
    if (!bytes) return bytes;
    try {
      return utf8.decode(bytes);
    } catch {
      return new NotText(bytes.slice());
    }
  },
  // INT96, the only one that is converted without being declared.
  timestampFromNanoseconds: (nanoseconds: bigint) => nanoseconds,
};

/** A page says how long it will be: more is damage, and not waited for. */
const atMost = (length: number) => ({ maxOutputLength: Math.max(1, length) });

const codecs: Compressors = {
  ...others,
  // An empty page is one byte, a sequence of nothing, over which the decoder stumbles.
  LZ4_RAW: (bytes, length) => (length === 0 ? new Uint8Array() : others.LZ4_RAW!(bytes, length)),
  GZIP: (bytes, length) => gunzipSync(bytes, atMost(length)),
  BROTLI: (bytes, length) => brotliDecompressSync(bytes, atMost(length)),
  ZSTD: (bytes, length) => zstdDecompressSync(bytes, atMost(length)),
};

/** Decodes the pages of one leaf of the schema in one row group. */
export class PageDecoder {
  readonly isFlat: boolean;
  readonly #decoder: ColumnDecoder;
  readonly #codec: string;
  readonly #deepest: { readonly repetition: number; readonly definition: number };
  #dictionary: readonly unknown[] | null = null;

  constructor(plain: SchemaTree, { meta_data: data }: ColumnChunk) {
    const schemaPath = getTreePath(plain, data!.path_in_schema);
    const { element } = schemaPath.at(-1)!;
    this.isFlat = isFlatColumn(schemaPath);
    this.#codec = data!.codec;
    this.#decoder = {
      ...{ pathInSchema: data!.path_in_schema, type: data!.type, codec: 'UNCOMPRESSED' },
      ...{ element, schemaPath, parsers, utf8: false },
    };
    this.#deepest = {
      repetition: getMaxRepetitionLevel(schemaPath),
      definition: getMaxDefinitionLevel(schemaPath),
    };
  }

  /** Adds the page's rows to `rows`, of which the last may go on in the page after it. */
  add({ header, kind }: Page, body: Uint8Array, rows: unknown[]): void {
    if (kind === 'dictionary') {
      const bytes = this.#unpack(body, header.uncompressed_page_size);
      const values = this.#plain(bytes, header.dictionary_page_header!.num_values);
      this.#dictionary = Array.from(convert(values, this.#decoder));
      return;
    }
    const { levels, values } = header.data_page_header
      ? this.#first(header, header.data_page_header, body)
      : this.#second(header, header.data_page_header_v2!, body);
    // Lists go on in the array that they are given, single values come in one of their own.
    const all = assembleLists(
      this.isFlat ? [] : rows,
      levels.definition as unknown as number[],
      levels.repetition as unknown as number[],
      values as unknown[],
      this.#decoder.schemaPath,
    );
    if (all !== rows) for (const value of all) rows.push(value);
  }

  /** Data page, version 1: all of it compressed, the levels with their length before them. */
  #first(header: Header, page: NonNullable<Header['data_page_header']>, body: Uint8Array): Decoded {
    let bytes = this.#unpack(body, header.uncompressed_page_size);
    const level = (deepest: number): Uint8Array => {
      if (deepest === 0) return NONE;
      const end = 4 + view(bytes).getUint32(0, true);
      const out = new Uint8Array(page.num_values);
      unpackRuns(bytes.subarray(4, end), bitWidth(deepest), out);
      bytes = bytes.subarray(end);
      return out;
    };
    const repetition = level(this.#deepest.repetition);
    const definition = level(this.#deepest.definition);
    return this.#decoded({ repetition, definition }, page.num_values, page.encoding, bytes);
  }

  /** Version 2: the levels stand before what is compressed, without their length. */
  #second(header: Header, page: NonNullable<Header['data_page_header_v2']>, body: Uint8Array): Decoded {
    const { repetition_levels_byte_length: first, definition_levels_byte_length: second } = page;
    if (first < 0 || second < 0) throw new Error('levels of a negative length');
    const level = (deepest: number, bytes: Uint8Array): Uint8Array => {
      if (deepest === 0) return NONE;
      const out = new Uint8Array(page.num_values);
      unpackRuns(bytes, bitWidth(deepest), out);
      return out;
    };
    const repetition = level(this.#deepest.repetition, body.subarray(0, first));
    const definition = level(this.#deepest.definition, body.subarray(first, first + second));
    const rest = body.subarray(first + second);
    const isPacked = page.is_compressed !== false && rest.length > 0;
    const bytes = isPacked ? this.#unpack(rest, header.uncompressed_page_size - first - second) : rest;
    return this.#decoded({ repetition, definition }, page.num_values, page.encoding, bytes);
  }

  #decoded(levels: Decoded['levels'], count: number, encoding: string, bytes: Uint8Array): Decoded {
    const { definition } = this.#deepest;
    let present = count;
    if (definition > 0) for (const level of levels.definition) if (level < definition) present--;
    return { levels, values: present === 0 ? [] : this.#values(encoding, bytes, present) };
  }

  #values(encoding: string, bytes: Uint8Array, count: number): ArrayLike<unknown> {
    const { type, element } = this.#decoder;
    const reader = { view: view(bytes), offset: 0 };
    if (encoding === 'PLAIN') return convert(this.#plain(bytes, count), this.#decoder);
    if (encoding === 'RLE_DICTIONARY' || encoding === 'PLAIN_DICTIONARY') {
      const dictionary = this.#dictionary;
      if (!dictionary) throw new Error('a dictionary is missing');
      const indices = new Int32Array(count);
      unpackRuns(bytes.subarray(1), bytes[0] ?? 0, indices);
      return Array.from(indices, i => {
        if (i < 0 || i >= dictionary.length) throw new Error('a value is not in its dictionary');
        return dictionary[i];
      });
    }
    if (encoding === 'RLE' && type === 'BOOLEAN') {
      const bits = new Uint8Array(count);
      unpackRuns(bytes.subarray(4), 1, bits);
      return Array.from(bits, bit => bit === 1);
    }
    if (encoding === 'BYTE_STREAM_SPLIT')
      return convert(byteStreamSplit(reader, count, type, element.type_length), this.#decoder);
    const out = type === 'INT32' ? new Int32Array(count) : type === 'INT64' ? new BigInt64Array(count) : [];
    if (encoding === 'DELTA_BINARY_PACKED' && !Array.isArray(out)) deltaBinaryUnpack(reader, count, out);
    else if (encoding === 'DELTA_LENGTH_BYTE_ARRAY' && Array.isArray(out)) deltaLengthByteArray(reader, count, out);
    else if (encoding === 'DELTA_BYTE_ARRAY' && Array.isArray(out)) deltaByteArray(reader, count, out);
    else throw new Error(`values of type ${type} in the encoding ${encoding} are not read`);
    return convert(out, this.#decoder);
  }

  #plain(bytes: Uint8Array, count: number): DecodedArray {
    const { type, element } = this.#decoder;
    // Each takes a bit or more: what a damaged number says would be made room for.
    if (count > bytes.length * 8) throw new Error('a page is too short for its values');
    return readPlain({ view: view(bytes), offset: 0 }, type, count, element.type_length);
  }

  #unpack(bytes: Uint8Array, length: number): Uint8Array {
    if (this.#codec === 'UNCOMPRESSED') return bytes;
    const unpack = codecs[this.#codec as keyof Compressors];
    if (!unpack) throw new Error(`compression by ${this.#codec} is not read`);
    if (length < 0 || length > MAX_PAGE) throw new Error(`a page cannot be of ${length} bytes`);
    const out = unpack(bytes, length);
    if (out.length !== length) throw new Error('a page is not as long as it says');
    // Values are views: none may reach into what else lies in a shared buffer.
    return out.byteLength === out.buffer.byteLength ? out : new Uint8Array(out);
  }
}

const NONE = new Uint8Array();
const MAX_PAGE = 2 ** 30;

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface Decoded {
  readonly levels: { readonly repetition: Uint8Array; readonly definition: Uint8Array };
  readonly values: ArrayLike<unknown>;
}

type Header = ReturnType<typeof parquetHeader>;

export interface Page {
  /** Values, a dictionary, or an empty or index page to be passed over. */
  readonly kind: 'data' | 'dictionary' | 'other';
  readonly values: number;
  readonly header: Header;
  /** Bytes of the header, and of what follows it. */
  readonly length: number;
  readonly body: number;
}

/** The header at the beginning of `bytes`; throws when they do not hold all of it. */
export const pageHeader = (bytes: Uint8Array): Page => {
  const reader = { view: view(bytes), offset: 0 };
  const header = parquetHeader(reader);
  const { type, compressed_page_size: body } = header;
  const values = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values ?? 0;
  const isDictionary = type === 'DICTIONARY_PAGE' && header.dictionary_page_header;
  return {
    kind: isDictionary ? 'dictionary' : values > 0 ? 'data' : 'other',
    header,
    values,
    length: reader.offset,
    body,
  };
};

/** Values of a top-level column that has others below it; `leaves` are those of as many rows, by path. */
export const assemble = (node: SchemaTree, leaves: Map<string, unknown[]>): readonly unknown[] => {
  assembleNested(leaves, node, parsers);
  return leaves.get(node.path.join('.')) ?? [];
};
