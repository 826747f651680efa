/**
 * The dataset format: rows as JSON lines in chunks, chunks listed in a manifest whose digest names the dataset.
 *
 *   manifest  "ftd2", flags u32, chunks u32, rows f64; then columns: digests 32 B, rows u32, bytes u32, ends u32 (little-endian)
 *   chunk     one line a row: [id, parent, {fields}]      (about 128 rows)
 *   lineage   the same shape, chunk beside chunk: one line a row, a Lineage or null; not part of the dataset's digest
 *
 * A chunk ends after a row whose id hashes to a multiple of 128, or whose line is very long: a property of that row
 * alone, so an insertion or a removal moves no boundary but its own (content-defined chunking, after Muthitacharoen et
 * al., "A Low-bandwidth Network File System", 2001, on ids in place of bytes).
 */
import type { Fields, Lineage, Row } from '../stages/contract.ts';
import { CHUNK_ROWS } from './grain.ts';

export interface ChunkRef {
  readonly digest: string;
  readonly rows: number;
  /** Length of the uncompressed lines. */
  readonly bytes: number;
  /** Hash of its last row's id: the same row ends a chunk in every version of a dataset. */
  readonly end: number;
}

export interface Manifest {
  readonly rows: number;
  readonly chunks: readonly ChunkRef[];
  /** Whether the last chunk ends only because there are no more rows. */
  readonly open: boolean;
}

const MAGIC = Buffer.from('ftd2');
const HEADER = 20;
const LONG_LINE = 1 << 18;

export const encodeManifest = ({ rows, chunks, open }: Manifest): Buffer => {
  const n = chunks.length;
  const out = Buffer.alloc(HEADER + n * 44);
  MAGIC.copy(out);
  out.writeUInt32LE(open ? 1 : 0, 4);
  out.writeUInt32LE(n, 8);
  out.writeDoubleLE(rows, 12);
  for (let i = 0; i < n; i++) {
    const chunk = chunks[i]!;
    out.write(chunk.digest, HEADER + i * 32, 32, 'hex');
    const at = HEADER + n * 32 + i * 4;
    out.writeUInt32LE(chunk.rows, at);
    out.writeUInt32LE(chunk.bytes, at + n * 4);
    out.writeUInt32LE(chunk.end, at + n * 8);
  }
  return out;
};

/** Throws on anything that is not a manifest of this format. */
export const decodeManifest = (bytes: Buffer): Manifest => {
  const n = bytes.length < HEADER ? -1 : bytes.readUInt32LE(8);
  if (!bytes.subarray(0, 4).equals(MAGIC) || bytes.length !== HEADER + n * 44)
    throw new Error('not a dataset manifest');
  const digests = bytes.toString('hex', HEADER, HEADER + n * 32);
  const chunks: ChunkRef[] = new Array(n);
  for (let i = 0; i < n; i++) {
    const at = HEADER + n * 32 + i * 4;
    chunks[i] = {
      digest: digests.slice(i * 64, i * 64 + 64),
      rows: bytes.readUInt32LE(at),
      bytes: bytes.readUInt32LE(at + n * 4),
      end: bytes.readUInt32LE(at + n * 8),
    };
  }
  return { rows: bytes.readDoubleLE(12), chunks, open: bytes.readUInt32LE(4) === 1 };
};

/** Hash of a row's id that decides where chunks end: FNV-1a over UTF-16 units, finished by murmur3's mixer. 32 bits. */
export const endHash = (id: string): number => {
  let h = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) h = Math.imul(h ^ id.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

/** Whether a chunk ends after the row whose id has this hash. */
export const endsChunk = (hash: number, lineLength: number): boolean =>
  lineLength > LONG_LINE || (hash & (CHUNK_ROWS - 1)) === 0;

/** A parent that is a prefix of its child's id is written as its length; null as 0. */
export const encodeRow = (row: Row): string => {
  const { id, parent } = row;
  const p =
    parent === null ? '0' : id.startsWith(parent) && parent !== '' ? String(parent.length) : JSON.stringify(parent);
  return `[${JSON.stringify(id)},${p},${JSON.stringify(row.fields)}]\n`;
};

export const decodeRow = (line: string): Row => {
  const [id, p, fields] = JSON.parse(line) as [string, number | string, Fields];
  return { id, parent: p === 0 ? null : typeof p === 'number' ? id.slice(0, p) : p, fields };
};

export const decodeRows = (chunk: Uint8Array): Row[] => chunkLines(chunk).map(decodeRow);

export const encodeLineage = (at: Lineage | null): string => (at === null ? 'null\n' : `${JSON.stringify(at)}\n`);

export const decodeLineage = (chunk: Uint8Array): (Lineage | null)[] =>
  chunkLines(chunk).map(line => JSON.parse(line) as Lineage | null);

/** The lines of a chunk of rows or of lineage, without their line breaks. */
export const chunkLines = (chunk: Uint8Array): string[] => {
  const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('utf8');
  const out = text.split('\n');
  out.pop();
  return out;
};
