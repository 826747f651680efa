/** Which blobs a record stands for: those that its outputs are made of, and what the next run of its node goes on from. */
import { decodeManifest } from './dataset.ts';
import type { NodeRecord } from './node-record.ts';
import type { Store } from './store.ts';
import { decodeTree } from './tree.ts';

/** `from` names a manifest, a tree, or a blob that names no others. */
export interface Reached {
  readonly from: string;
  readonly blobs: readonly string[];
}

/** Each part that the record names and that is not known yet. One that cannot be read stands for itself alone. */
export const reach = function* (
  store: Store,
  { outputs, alignment }: Pick<NodeRecord, 'outputs' | 'alignment'>,
  isKnown: (from: string) => boolean = () => false,
): Generator<Reached> {
  for (const output of Object.values(outputs)) {
    // A model is referenced where it lies.
    if (output.type === 'model' && output.digest === '') continue;
    if (!isKnown(output.digest)) {
      if (output.type === 'rows') yield dataset(store, output.digest);
      else if (output.type === 'tree') yield tree(store, output.digest);
      else yield { from: output.digest, blobs: [output.digest] };
    }
    if (output.type === 'rows' && output.lineage !== null && !isKnown(output.lineage))
      yield dataset(store, output.lineage);
  }
  if (alignment && !isKnown(alignment)) yield { from: alignment, blobs: [alignment] };
};

const dataset = (store: Store, from: string): Reached => {
  const chunks = readOrNone(store, from, bytes => decodeManifest(bytes).chunks.map(c => c.digest));
  return { from, blobs: [from, ...chunks] };
};

const tree = (store: Store, from: string): Reached => {
  const files = readOrNone(store, from, bytes => decodeTree(bytes).map(([, digest]) => digest));
  return { from, blobs: [from, ...files] };
};

const readOrNone = (store: Store, name: string, parse: (bytes: Buffer) => string[]): string[] => {
  try {
    const bytes = store.read(name);
    return bytes ? parse(bytes) : [];
  } catch {
    return [];
  }
};
