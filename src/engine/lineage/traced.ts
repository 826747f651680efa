/** What a walk along lineage finds: rows, and how they came out of each other. */
import type { Lineage, Row } from '../../../stages/contract.ts';

/** A row in an output of a node's run. */
export interface Traced {
  readonly row: Row;
  /** Number of the row in its output, from 0. */
  readonly position: number;
  /** Where it stands in what it was made of: offsets in the parent's text, or a file and line. */
  readonly place: Lineage | null;
}

/**
 * How rows came of those before them: as they were, with other fields, cut out of one, made of several, read from a file, or
 * in a way that the stage does not tell.
 */
export type Relation = 'unchanged' | 'changed' | 'cut' | 'made' | 'read' | 'untold';

/** One node on the way back. */
export interface Origin {
  readonly node: string;
  readonly output: string;
  readonly stage: string;
  readonly relation: Relation;
  readonly rows: readonly Traced[];
}

/** What became of rows at one node. */
export interface Outcome {
  readonly node: string;
  readonly stage: string;
  /** By output; of `rejects` and `dropped` the field `reason` says why. Empty for a node that takes rows and gives none. */
  readonly outputs: Readonly<Record<string, readonly Traced[]>>;
  /** Not the run that these rows went into, or none yet: it has to be built first. */
  readonly stale: boolean;
}
