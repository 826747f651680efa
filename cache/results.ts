/** The results that a store holds, as `cache ls` and `cache gc` see them: what made each, its use, and what protects it. */
import type { BlobTable } from './blob-table.ts';
import type { Held } from './lease.ts';
import { type NodeRecord, stageOf } from './node-record.ts';
import { reach } from './reach.ts';
import type { Records } from './records.ts';
import type { Store } from './store.ts';

/** Keys whose results are never dropped, and why: "last build", "finetune.lock". */
export type Roots = ReadonlyMap<string, readonly string[]>;

export interface StoredResult extends Pick<NodeRecord, 'outputs' | 'alignment' | 'made' | 'seconds'> {
  readonly key: string;
  readonly stage: string;
  readonly recipe: string | null;
  readonly node: string | null;
  /** Unix seconds, no more exact than a day. */
  readonly used: number;
  /** What it took cannot be had again for free: it goes only when that is asked for. */
  readonly paid: boolean;
  readonly protectedBy: readonly string[];
}

/** Last used first. */
export const storedResults = (records: Records, roots: Roots, live: readonly Held[]): StoredResult[] => {
  const out: StoredResult[] = [];
  for (const { key, record, used, recipe, node } of records.all()) {
    const { outputs, alignment, made, seconds } = record;
    const stage = stageOf(record);
    const running = live.some(l => l.keys.has(key)) ? ['a running build'] : [];
    const protectedBy = [...(roots.get(key) ?? []), ...running];
    const paid = stage.startsWith('trainer/');
    out.push({ key, stage, recipe, node, used, paid, protectedBy, outputs, alignment, made, seconds });
  }
  return out.sort((a, b) => b.used - a.used || b.made - a.made || (a.key < b.key ? -1 : 1));
};

/** Weighs results one after another; parts that several have in common are read once. */
export class Scales {
  readonly #store: Store;
  readonly #table: BlobTable;
  readonly #weights = new Map<string, number>();

  constructor(store: Store, table: BlobTable) {
    this.#store = store;
    this.#table = table;
  }

  /** Bytes on disk of everything that it stands for, whatever else stands for it too. */
  whole(result: StoredResult): number {
    let bytes = 0;
    for (const name of partsOf(result)) bytes += this.#weights.get(name) ?? 0;
    for (const { from, blobs } of reach(this.#store, result, name => this.#weights.has(name))) {
      const weight = blobs.reduce((n, d) => n + this.#lengthOf(d), 0);
      this.#weights.set(from, weight);
      bytes += weight;
    }
    return bytes;
  }

  #lengthOf(digest: string): number {
    const i = this.#table.indexOf(digest);
    return i === -1 ? 0 : this.#table.lengths[i]!;
  }
}

const partsOf = ({ outputs, alignment }: StoredResult): string[] => [
  ...new Set([
    ...Object.values(outputs).flatMap(o => (o.type === 'rows' && o.lineage ? [o.digest, o.lineage] : [o.digest])),
    ...(alignment ? [alignment] : []),
  ]),
];
