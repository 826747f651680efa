/** The units in which a stage of kind rows or group sees chunks: a row alone, or neighbouring rows of one parent. */
import type { BlobLocation, BlobReader } from '../../../cache/blob.ts';
import { chunkLines, decodeRow } from '../../../cache/dataset.ts';
import type { Row } from '../../../stages/contract.ts';

export interface Unit {
  readonly rows: readonly Row[];
  /** Its rows as they are stored: units with equal text are equal. */
  readonly text: string;
}

/** The rows of a chunk, each a unit. */
export const rowUnits = (reader: BlobReader, chunk: BlobLocation): Unit[] =>
  chunkLines(reader.read(chunk)).map(text => ({ rows: [decodeRow(text)], text }));

/** Thrown when more chunks are needed than were given. */
export class WindowTooSmall extends Error {}

/**
 * The groups that begin in `own`. The first rows of it may belong to a group begun in the chunk `before`; its last group may
 * reach into those `after`: `reach` says into how many of them, counting the one that ended it, and the end of the data.
 */
export const groupUnits = (
  read: (chunk: BlobLocation) => Unit[],
  {
    before,
    own,
    after,
    whole,
  }: { before: BlobLocation | null; own: BlobLocation; after: readonly BlobLocation[]; whole: boolean },
): { units: Unit[]; reach: number } => {
  const last = before === null ? undefined : read(before).at(-1);
  const skip = last ? last.rows[0]!.parent : null;
  const groups: Unit[][] = [];
  let open: Unit[] = [];
  let skipping = skip !== null;
  const parentOf = (u: Unit) => u.rows[0]!.parent;
  for (const unit of read(own)) {
    const parent = parentOf(unit);
    if (skipping && parent === skip) continue;
    skipping = false;
    if (open.length > 0 && (parent === null || parent !== parentOf(open[0]!))) {
      groups.push(open);
      open = [];
    }
    open.push(unit);
  }
  let reach = 0;
  if (open.length > 0 && parentOf(open[0]!) !== null) {
    const parent = parentOf(open[0]!);
    complete: for (;;) {
      const chunk = after[reach];
      reach++;
      if (!chunk) {
        if (!whole) throw new WindowTooSmall();
        break;
      }
      for (const unit of read(chunk)) {
        if (parentOf(unit) !== parent) break complete;
        open.push(unit);
      }
    }
  }
  // A chunk that lies wholly within a group begun before it still depends on where that group ends: nothing begins here.
  if (open.length > 0) groups.push(open);
  return {
    units: groups.map(g => ({ rows: g.map(u => u.rows[0]!), text: g.map(u => u.text).join('\n') })),
    reach,
  };
};
