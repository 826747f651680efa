/**
 * The run that a new one goes on from: of the same stage with the same options and other inputs, on an earlier version of the
 * same rows. Whatever of it cannot be read whole any more, and it is as if there had been none.
 */
import { BlobCorrupt, type BlobLocation } from '../../../cache/blob.ts';
import { type ChunkRef, decodeManifest, type Manifest } from '../../../cache/dataset.ts';
import type { NodeRecord } from '../../../cache/records.ts';
import type { Store } from '../../../cache/store.ts';
import { isWhole } from '../artifact.ts';
import { type Alignment, decodeAlignment } from './alignment.ts';
import { chunkAt, type Earlier } from './pieces.ts';
import type { Old, OldChunk, OldPart } from './tasks.ts';

export interface Base {
  readonly alignment: Alignment;
  /** By stream. */
  readonly outputs: readonly Earlier[];
  /** By stream: number of the first row that each part gave, and at the end the number of rows. */
  readonly starts: readonly Float64Array[];
  /** Index of a part by its name. */
  readonly index: ReadonlyMap<string, number>;
}

/** `streams` are the outputs that the new run writes; a base must have the same. */
export const loadBase = (store: Store, record: NodeRecord | null, streams: readonly string[]): Base | null => {
  if (!record?.alignment || !isWhole(store, record)) return null;
  try {
    const bytes = store.read(record.alignment);
    if (!bytes) return null;
    const alignment = decodeAlignment(bytes);
    if (alignment.streams.join() !== streams.join()) return null;
    const outputs: Earlier[] = [];
    const starts: Float64Array[] = [];
    for (const [i, stream] of streams.entries()) {
      const output = record.outputs[stream];
      if (output?.type !== 'rows') return null;
      outputs.push(earlier(store, output.digest, output.lineage));
      const at = new Float64Array(alignment.parts.length + 1);
      for (const [k, part] of alignment.parts.entries()) at[k + 1] = at[k]! + part.totals[i]!;
      if (at.at(-1) !== output.rows) return null;
      starts.push(at);
    }
    return { alignment, outputs, starts, index: new Map(alignment.parts.map((p, i) => [p.name, i])) };
  } catch {
    return null;
  }
};

/** A dataset that is whole in the store. */
const earlier = (store: Store, digest: string, lineage: string | null): Earlier => {
  const { chunks, open } = manifestOf(store, digest);
  const starts = new Float64Array(chunks.length + 1);
  for (const [i, c] of chunks.entries()) starts[i + 1] = starts[i]! + c.rows;
  return {
    chunks,
    open,
    starts,
    lineage: lineage === null ? null : manifestOf(store, lineage).chunks,
    read: name => {
      const bytes = store.read(name);
      if (!bytes) throw new BlobCorrupt(name, 'is not in the store');
      return bytes;
    },
  };
};

export const manifestOf = (store: Store, digest: string): Manifest => {
  const bytes = store.read(digest);
  if (!bytes) throw new BlobCorrupt(digest, 'is not in the store');
  return decodeManifest(bytes);
};

export const located = (store: Store, digest: string): BlobLocation => {
  const at = store.locate(digest);
  if (!at) throw new BlobCorrupt(digest, 'is not whole in the store');
  return at;
};

/** The parts named by their indexes, with all that a worker needs to take units over from them. */
export const oldParts = (
  store: Store,
  { alignment, outputs, starts }: Base,
  indexes: readonly number[],
  chunks: { readonly neighbours: boolean } | null,
): Old => {
  const { parts } = alignment;
  // A part whose chunk (or that of a neighbour) has gone is only not used.
  const at = (i: number): BlobLocation | null | undefined =>
    i < 0 || i >= parts.length ? null : (store.locate(parts[i]!.name) ?? undefined);
  const usable = indexes.flatMap((i): OldPart[] => {
    const part = parts[i]!;
    const own = chunks ? at(i) : null;
    const before = chunks?.neighbours ? at(i - 1) : null;
    const after = Array.from({ length: chunks?.neighbours ? part.reach : 0 }, (_, k) => at(i + 1 + k));
    if (own === undefined || before === undefined || after.includes(undefined)) return [];
    const starting = starts.map(s => s[i]!);
    return [{ before, own, after: after.filter(c => c != null), codes: new Uint8Array(part.codes), starts: starting }];
  });
  return {
    parts: usable,
    streams: outputs.map((output, stream) =>
      covering(
        store,
        output,
        indexes.map(i => [starts[stream]![i]!, starts[stream]![i + 1]!]),
      ),
    ),
  };
};

/** The chunks of an output that hold these stretches of rows (in ascending order). */
const covering = (store: Store, output: Earlier, stretches: readonly (readonly [number, number])[]): OldChunk[] => {
  const wanted = new Set<number>();
  for (const [from, to] of stretches) {
    if (from === to) continue;
    for (let i = chunkAt(output.starts, from); i < output.chunks.length && output.starts[i]! < to; i++) wanted.add(i);
  }
  return [...wanted]
    .sort((a, b) => a - b)
    .map(i => {
      const chunk: ChunkRef = output.chunks[i]!;
      const beside = output.lineage?.[i];
      return {
        at: located(store, chunk.digest),
        lineage: beside ? located(store, beside.digest) : null,
        start: output.starts[i]!,
        rows: chunk.rows,
      };
    });
};
