/** What is kept of a node's run, and the text that it is kept as. */
import { canonical, digest } from './digest.ts';

/** An output of a node as the store keeps it. */
export type StoredOutput =
  | { readonly type: 'rows'; readonly digest: string; readonly rows: number; readonly lineage: string | null }
  | { readonly type: 'tree'; readonly digest: string }
  | { readonly type: 'metrics'; readonly digest: string }
  /** Names its list (`models.ts`); empty for a model that lies in the recipe's own folder. */
  | { readonly type: 'model'; readonly digest: string };

export interface NodeRecord {
  /** The fingerprint's document, as canonical JSON; its digest is the key. */
  readonly document: string;
  readonly outputs: Readonly<Record<string, StoredOutput>>;
  /** Blob that says which rows came of which (`src/engine/rows/alignment.ts`); null where rows are not the unit. */
  readonly alignment: string | null;
  /** Wall time of the run that made it. */
  readonly seconds: number;
  /** When it was made, Unix seconds. */
  readonly made: number;
  /** Rows that the stage's code was run on. */
  readonly computed: number | null;
  /** Counts of `rejects` and `dropped`, and the stage's own totals. */
  readonly tallies: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  /** The stage's own words about its totals, for the table. */
  readonly note: string | null;
  /** What names from elsewhere meant in this run (a repository's branch its commit), where it told. */
  readonly origins?: Readonly<Record<string, string>>;
  /** Set when the stage judged its totals to be wrong: the outputs are kept to be looked at, the node fails. */
  readonly failure: { readonly reason: string; readonly message: string; readonly advice?: string } | null;
}

/** What a node of a recipe was at its last builds: for `plan`, `explain` and `show`. */
export interface NodeHistory {
  readonly key: string;
  /** The key before that one, where it differed. */
  readonly previous: string | null;
}

const DIGEST = 64;

/** Canonical JSON after its own digest. */
export const seal = (value: unknown): string => {
  const text = canonical(value);
  return digest(text) + text;
};

/** Null for anything that is not as it was sealed. */
export const unseal = <T>(sealed: string): T | null => {
  // Where the database is damaged, what it holds may not even be a text.
  if (typeof sealed !== 'string') return null;
  const text = sealed.slice(DIGEST);
  return text !== '' && digest(text) === sealed.slice(0, DIGEST) ? (JSON.parse(text) as T) : null;
};

/** A record that others have written: its document has to be the key's, and its outputs of kinds that we know. */
export const recordOf = (key: string, sealed: string): NodeRecord | null => {
  const record = unseal<NodeRecord>(sealed);
  if (!record || typeof record.document !== 'string' || digest(record.document) !== key) return null;
  const known = Object.values(record.outputs ?? {}).every(
    o => (o.type === 'model' && o.digest === '') || (KINDS.has(o.type) && isDigest(o.digest)),
  );
  return known ? record : null;
};

const KINDS: ReadonlySet<string> = new Set(['rows', 'tree', 'metrics', 'model']);

const isDigest = (text: unknown): boolean => typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);

/** `trainer/lora` */
export const stageOf = ({ document }: NodeRecord): string => (JSON.parse(document) as { stage: string }).stage;
