/** Of a row that was dropped as a duplicate, the row that stayed: found in the sketches that the run left behind. */
import type { IndexStage } from '../../../stages/contract.ts';
import { ChunkLog } from '../rows/chunk-log.ts';
import { logPath } from '../rows/context.ts';
import { primaryPort, printOf } from '../rows/run-rows.ts';
import { primaryInput, type Result, type Results } from './results.ts';
import type { StoredRows } from './stored-rows.ts';
import { unitOf } from './units.ts';

/** Bytes of a key's hash. */
const KEY = 16;

/** Place of the row that stayed, in the node's input; null where the sketches are gone, or the stage keeps none. */
export const keptInstead = async (results: Results, result: Result, position: number): Promise<number | null> => {
  const { node, record, alignment } = result;
  const stage = await results.stage(node);
  const input = primaryInput(result);
  const at = alignment && unitOf(alignment, 'dropped', position);
  if (!alignment || !input || !at || (stage.kind !== 'keyed' && stage.kind !== 'index')) return null;
  const dataset = results.open(input.from.node, input.digest, null);
  const own = dataset.starts[at.part]! + at.unit;
  const print = printOf(record.document, primaryPort(node), stage);
  const where = { store: results.store, print };
  const hot = new ChunkLog(logPath(where, 'hot'), true);
  const cold = new ChunkLog(logPath(where, 'cold'), false);
  try {
    const sketches = { dataset, hot, cold };
    if (stage.kind === 'keyed') return firstOfKey(sketches, own);
    const isKept = (row: number): boolean => {
      const part = dataset.chunkOf(row);
      return alignment.parts[part]?.codes[row - dataset.starts[part]!] === 0;
    };
    const { options } = JSON.parse(record.document) as { options: unknown };
    return nearestKept(sketches, { stage, options, own, isKept });
  } finally {
    hot.close();
    cold.close();
  }
};

interface Sketches {
  readonly dataset: StoredRows;
  readonly hot: ChunkLog;
  readonly cold: ChunkLog;
}

const bytesOf = (log: ChunkLog, name: string): Buffer | null => {
  const bytes = log.get(name);
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
};

const firstOfKey = ({ dataset, hot }: Sketches, own: number): number | null => {
  const part = dataset.chunkOf(own);
  const row = own - dataset.starts[part]!;
  const key = bytesOf(hot, dataset.names[part]!)?.subarray(row * KEY, (row + 1) * KEY);
  if (!key) return null;
  for (let chunk = 0; chunk <= part; chunk++) {
    const bytes = bytesOf(hot, dataset.names[chunk]!);
    if (!bytes) return null;
    for (let at = bytes.indexOf(key); at !== -1; at = bytes.indexOf(key, at + 1)) {
      const found = dataset.starts[chunk]! + at / KEY;
      if (at % KEY === 0) return found < own ? found : null;
    }
  }
  return null;
};

/** A dropped row may be like others only that were dropped with it: so they are gone through, from row to row like it. */
const nearestKept = (
  { dataset, hot, cold }: Sketches,
  {
    stage,
    options,
    own,
    isKept,
  }: {
    readonly stage: IndexStage;
    readonly options: unknown;
    readonly own: number;
    readonly isKept: (row: number) => boolean;
  },
): number | null => {
  const { bands } = stage.shape(options);
  const chunks = dataset.names.map((name, i) => {
    const own = hot.get(name);
    if (!own) return null;
    const rows = dataset.starts[i + 1]! - dataset.starts[i]!;
    return { rows, view: new DataView(own.buffer, own.byteOffset, own.length) };
  });
  if (chunks.includes(null)) return null;
  const hash = (chunk: number, row: number): bigint =>
    chunks[chunk]!.view.getBigUint64(chunks[chunk]!.rows * 8 + row * 8, true);
  const band = (chunk: number, row: number, b: number): number =>
    chunks[chunk]!.view.getUint32(chunks[chunk]!.rows * (16 + b * 4) + row * 4, true);
  const coldOf = (chunk: number, row: number): Uint8Array | null => {
    const all = cold.get(dataset.names[chunk]!);
    const bytes = all ? all.length / chunks[chunk]!.rows : 0;
    return all?.slice(row * bytes, (row + 1) * bytes) ?? null;
  };
  const seen = new Set([own]);
  for (let open = [own]; open.length > 0; ) {
    const next: number[] = [];
    for (const row of open) {
      const part = dataset.chunkOf(row);
      const at = row - dataset.starts[part]!;
      const mine = coldOf(part, at);
      const values = Array.from({ length: bands }, (_, b) => band(part, at, b));
      for (let chunk = 0; chunk < chunks.length; chunk++) {
        for (let r = 0; r < chunks[chunk]!.rows; r++) {
          const other = dataset.starts[chunk]! + r;
          if (seen.has(other) || hash(chunk, r) === 0n || !values.some((v, b) => band(chunk, r, b) === v)) continue;
          const theirs = hash(chunk, r) === hash(part, at) ? mine : coldOf(chunk, r);
          const alike = hash(chunk, r) === hash(part, at) || (mine && theirs && stage.similar(mine, theirs, options));
          if (!alike) continue;
          if (isKept(other)) return other;
          seen.add(other);
          next.push(other);
        }
      }
    }
    open = next;
  }
  return null;
};
