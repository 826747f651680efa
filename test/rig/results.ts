/** Results put into a store by hand, as the engine would have recorded them. */
import { type ChunkRef, encodeManifest } from '../../cache/dataset.ts';
import { canonical, digest } from '../../cache/digest.ts';
import type { NodeRecord, Records, StoredOutput } from '../../cache/records.ts';
import type { Store } from '../../cache/store.ts';

export interface Made {
  readonly key: string;
  readonly outputs: Readonly<Record<string, StoredOutput>>;
  /** Digests of all its blobs. */
  readonly blobs: readonly string[];
}

/** A dataset of one chunk a text; durable. */
export const rowsOf = (store: Store, texts: readonly string[]): { output: StoredOutput; blobs: string[] } => {
  const chunks = texts.map((text): ChunkRef => {
    const { digest: name, size } = store.put(Buffer.from(text));
    return { digest: name, rows: 1, bytes: size, end: 0 };
  });
  const manifest = store.put(encodeManifest({ rows: texts.length, chunks, open: true })).digest;
  return {
    output: { type: 'rows', digest: manifest, rows: texts.length, lineage: null },
    blobs: [manifest, ...chunks.map(c => c.digest)],
  };
};

export const documentOf = (stage: string, options: unknown): string => canonical({ stage, options, files: {} });

export const recordOf = (
  document: string,
  outputs: Readonly<Record<string, StoredOutput>>,
  more: Partial<NodeRecord> = {},
): NodeRecord => ({
  document,
  outputs,
  alignment: null,
  seconds: 1,
  made: 1_700_000_000,
  computed: 1,
  tallies: {},
  warnings: [],
  note: null,
  failure: null,
  ...more,
});

/** A result of `texts` under the key of its document; `used` in Unix seconds. */
export const make = async (
  store: Store,
  records: Records,
  name: string,
  texts: readonly string[],
  { used, stage = 'transforms/filter' }: { readonly used?: number; readonly stage?: string } = {},
): Promise<Made> => {
  const { output, blobs } = rowsOf(store, texts);
  store.flush();
  const document = documentOf(stage, { name });
  const key = digest(document);
  const outputs = { rows: output };
  await records.publish(key, recordOf(document, outputs, used === undefined ? {} : { made: used }), true);
  if (used !== undefined) store.db.prepare('UPDATE uses SET used = ? WHERE key = ?').run(used, key);
  return { key, outputs, blobs };
};
