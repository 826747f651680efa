/** Collects what a row or group stage emits, and gives child rows their ids. */
import { shortHash } from '../../../cache/digest.ts';
import type { Emit, Fields, Lineage, Row } from '../../../stages/contract.ts';

export interface Emitted {
  readonly rows: { row: Row; at: Lineage | null }[];
  readonly rejects: { row: Row; reason: string; transient: boolean; at: Lineage | null }[];
  readonly dropped: { row: Row; reason: string; at: Lineage | null }[];
}

/** `next()` starts a new call of the stage: occurrence numbers of equal children count within one call. */
export const emitter = (): { emit: Emit; out: Emitted; next(): void } => {
  const out: Emitted = { rows: [], rejects: [], dropped: [] };
  let seen = new Map<string, number>();
  const emit: Emit = {
    keep: (row, fields, at) => {
      out.rows.push({ row: fields ? { id: row.id, parent: row.parent, fields } : row, at: at ?? null });
    },
    child: (parent: string, fields: Fields, at?: Lineage) => {
      const base = `${parent}/${shortHash(fields)}`;
      const n = (seen.get(base) ?? 0) + 1;
      seen.set(base, n);
      out.rows.push({ row: { id: n === 1 ? base : `${base}~${n}`, parent, fields }, at: at ?? null });
    },
    // Braces: a stage that says `return emit.drop(…)` must not return the array's length.
    reject: (row, reason, transient = false, at) => {
      out.rejects.push({ row, reason, transient, at: at ?? null });
    },
    drop: (row, reason, at) => {
      out.dropped.push({ row, reason, at: at ?? null });
    },
  };
  return {
    emit,
    out,
    next: () => {
      if (seen.size > 0) seen = new Map();
    },
  };
};
