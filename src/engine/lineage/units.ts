/** Where a unit of a node's input (a row, a group of rows, a line) has its rows in the outputs, and the other way round. */
import { type Alignment, eachUnit } from '../rows/alignment.ts';
import type { StoredRows } from './stored-rows.ts';

/** A part of the alignment, and which unit of it. */
export interface UnitAt {
  readonly part: number;
  readonly unit: number;
}

/** The unit that gave row `position` of a stream. */
export const unitOf = (alignment: Alignment, stream: string, position: number): UnitAt | null => {
  const s = alignment.streams.indexOf(stream);
  let first = 0;
  for (const [part, { codes, totals }] of alignment.parts.entries()) {
    const after = first + (totals[s] ?? 0);
    if (position < after) {
      let unit = -1;
      let at = first;
      let u = 0;
      eachUnit(codes, alignment.streams.length, counts => {
        at += counts[s]!;
        if (unit === -1 && position < at) unit = u;
        u++;
      });
      return unit === -1 ? null : { part, unit };
    }
    first = after;
  }
  return null;
};

/** By stream, the rows that a unit gave: from, up to before. */
export const rowsOfUnit = (
  alignment: Alignment,
  { part, unit }: UnitAt,
): ReadonlyMap<string, readonly [number, number]> => {
  const { streams, parts } = alignment;
  const at = streams.map((_, s) => parts.slice(0, part).reduce((n, p) => n + p.totals[s]!, 0));
  const out = new Map<string, readonly [number, number]>();
  let u = 0;
  eachUnit(parts[part]!.codes, streams.length, counts => {
    for (const [s, n] of counts.entries()) {
      if (u === unit && n > 0) out.set(streams[s]!, [at[s]!, at[s]! + n]);
      at[s]! += n;
    }
    u++;
  });
  return out;
};

/** The group that a row of a group stage's input is in: neighbours of one parent. A group counts where it begins. */
export const groupAt = (input: StoredRows, position: number): UnitAt => {
  const { parent } = input.row(position);
  let begin = position;
  if (parent !== null) while (begin > 0 && input.row(begin - 1).parent === parent) begin--;
  const part = input.chunkOf(begin);
  const first = input.starts[part]!;
  let unit = -1;
  for (let i = first; i <= begin; i++) {
    const own = input.row(i).parent;
    const goesOn = own !== null && i > 0 && input.row(i - 1).parent === own;
    if (!goesOn) unit++;
  }
  return { part, unit };
};

/** The rows of the group that is unit `unit` of its part. */
export const rowsOfGroup = (input: StoredRows, { part, unit }: UnitAt): readonly [number, number] => {
  let seen = -1;
  for (let i = input.starts[part]!; i < input.count; i++) {
    const { parent } = input.row(i);
    const goesOn = parent !== null && i > 0 && input.row(i - 1).parent === parent;
    if (!goesOn) seen++;
    if (seen !== unit) continue;
    let end = i + 1;
    if (parent !== null) while (end < input.count && input.row(end).parent === parent) end++;
    return [i, end];
  }
  return [0, 0];
};
