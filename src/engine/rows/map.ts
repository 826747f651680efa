/** Runs a stage of kind rows or group over chunks, and takes over what an earlier run gave for units that are the same. */
import type { BlobLocation, BlobReader } from '../../../cache/blob.ts';
import { decodeRow } from '../../../cache/dataset.ts';
import type { Emit, Fields, GroupStage, Lineage, Row, RowsStage } from '../../../stages/contract.ts';
import type { Redact } from '../../redact.ts';
import type { Found } from '../row-memo.ts';
import { CodeWriter, eachUnit } from './alignment.ts';
import { type Emitted, emitter } from './emitter.ts';
import { OldLines } from './old-lines.ts';
import { type Piece, PieceMaker } from './pieces.ts';
import type { MapAnswer, Mapped, MapTask, Old } from './tasks.ts';
import { groupUnits, rowUnits, type Unit, WindowTooSmall } from './units.ts';

export interface Mapping {
  readonly stage: RowsStage | GroupStage;
  readonly state: unknown;
  readonly options: unknown;
  readonly reader: BlobReader;
  readonly redact: Redact;
  /** Keeps what a dear stage gave for a row; null for all others. */
  readonly memo: Memo | null;
  send(output: string, pieces: readonly Piece[]): Promise<void>;
  /** The stage is known to wait for each row. */
  readonly waits?: boolean;
  /** Called for each unit that the stage has answered. */
  readonly finished?: (() => void) | undefined;
}

/** What a dear stage gave before. */
export interface Memo {
  /** For each row, what was given for it; see `RowMemo.find`. */
  find(rows: readonly Row[]): Promise<readonly Found[]>;
  keep(row: Row, given: string): Promise<void>;
  leave(row: Row): void;
}

/** Where an earlier run's rows for a unit are. */
interface Known {
  readonly counts: readonly number[];
  readonly starts: readonly number[];
}

const KEEP = 0;
const REJECTS = 1;
const DROPPED = 2;

/** How many rows a stage may have emitted before they are sent on: one page can become thousands of sentences. */
const HELD = 1024;

/** A stage that waits (for an answer of a server) gets the units of a chunk at once. */
export const map = async (task: MapTask, with_: Mapping): Promise<MapAnswer> => {
  const { stage, reader, options } = with_;
  const makers = task.streams.map(() => new PieceMaker());
  const known = task.old ? earlierUnits(task.old, stage, reader) : null;
  const lines = task.old && new OldLines(reader, task.old.streams);
  const parts: Mapped[] = [];
  let computed = 0;
  let held = 0;
  const send = async (last: boolean): Promise<void> => {
    for (const [i, maker] of makers.entries()) {
      const pieces = maker.take(last);
      if (pieces.length > 0) await with_.send(task.streams[i]!, pieces);
    }
    held = 0;
  };
  const shared = emitter();
  /** Whether the stage has been seen to return a promise. */
  let waits = with_.waits === true;
  const cache = new Map<BlobLocation, Unit[]>();
  const read = (chunk: BlobLocation): Unit[] => {
    let units = cache.get(chunk);
    if (!units) cache.set(chunk, (units = rowUnits(reader, chunk)));
    return units;
  };
  const { before, own, after, whole } = task.window;
  const groupsOf = (chunk: BlobLocation, i: number) =>
    groupUnits(read, {
      before: i === 0 ? before : own[i - 1]!.at,
      own: chunk,
      after: [...own.slice(i + 1).map(c => c.at), ...after],
      whole,
    });
  let groups: { units: readonly Unit[]; reach: number }[] = [];
  try {
    // Before the first call: a stage is not given a row twice because the last group reaches far.
    if (stage.kind === 'group') groups = own.map((chunk, i) => groupsOf(chunk.at, i));
  } catch (error) {
    if (error instanceof WindowTooSmall) return { computed: 0, parts: null };
    throw error;
  }
  for (const [i, chunk] of own.entries()) {
    const found = groups[i] ?? { units: rowUnits(reader, chunk.at), reach: 0 };
    const codes = new CodeWriter(makers.length);
    const tallies: Record<string, number> = {};
    const emit = (out: Emitted): void => {
      for (const { row, at } of out.rows) {
        makers[KEEP]!.add(row, at);
        if (stage.kind === 'rows' && stage.tally) addUp(tallies, stage.tally(row, options));
        if (at?.spent) addUp(tallies, at.spent);
      }
      for (const { row, reason, transient, at } of out.rejects) {
        const fields: Fields = {
          reason: with_.redact(reason),
          ...(transient ? { transient } : {}),
          row: row.fields,
        };
        // Answers that were kept before they had a lineage have none.
        makers[REJECTS]!.add({ ...row, fields }, at ?? null);
        if (at?.spent) addUp(tallies, at.spent);
      }
      for (const { row, reason, at } of out.dropped) {
        makers[DROPPED]!.add({ ...row, fields: { reason: with_.redact(reason), row: row.fields } }, at ?? null);
        if (at?.spent) addUp(tallies, at.spent);
      }
      const again = out.rejects.some(r => r.transient);
      codes.add([out.rows.length, out.rejects.length, out.dropped.length], again);
      held += out.rows.length;
    };
    const takeOver = ({ counts, starts }: Known): void => {
      for (const [stream, n] of counts.entries()) {
        for (let k = 0; k < n; k++) {
          const { id, line, lineage } = lines!.get(stream, starts[stream]! + k);
          makers[stream]!.addLine(id, line, lineage);
          if (lineage.includes('"spent":')) addUp(tallies, (JSON.parse(lineage) as Lineage).spent ?? {});
          if (stream === KEEP && stage.kind === 'rows' && stage.tally)
            addUp(tallies, stage.tally(decodeRow(line), options));
          held++;
        }
      }
      codes.add(counts, false);
    };
    const remembered = with_.memo
      ? await with_.memo.find(found.units.filter(u => !known?.has(u.text)).map(u => u.rows[0]!))
      : null;
    let asked = 0;
    /** What has been begun and may still wait, in order: a unit taken over, or one that the stage works on. */
    let begun: (Known | Promise<Emitted> | Emitted)[] = [];
    const ask = (unit: Unit): Promise<Emitted> => {
      computed += unit.rows.length;
      return call(unit, with_);
    };
    /** An equal row is being asked for, perhaps in another chunk. */
    const afterAnother = async (other: Promise<string | null>, unit: Unit): Promise<Emitted> => {
      for (let found: Found = other; ; [found] = (await with_.memo!.find(unit.rows)) as [Found]) {
        const given = await found;
        if (given === null && found !== null) continue;
        return (given === null ? null : recall(given, unit.rows[0]!)) ?? ask(unit);
      }
    };
    for (const unit of found.units) {
      const same = known?.get(unit.text);
      if (same) {
        if (begun.length > 0) begun.push(same);
        else takeOver(same);
      } else if (remembered || waits) {
        const found = remembered ? remembered[asked++]! : null;
        const given = typeof found === 'string' ? recall(found, unit.rows[0]!) : null;
        if (given) begun.push(given);
        else {
          const out = found instanceof Promise ? afterAnother(found, unit) : ask(unit);
          // Whoever waits for it hears of its failure; until then nobody may.
          out.catch(() => {});
          begun.push(out);
        }
      } else {
        computed += unit.rows.length;
        shared.next();
        const wait = apply(stage, unit, shared.emit, with_);
        if (wait) {
          // One that has waited once may still answer at once for another row.
          await wait;
          waits = true;
        }
        with_.finished?.();
        emit(shared.out);
        shared.out.rows.length = 0;
        shared.out.rejects.length = 0;
        shared.out.dropped.length = 0;
      }
      if (held >= HELD && begun.length === 0) await send(false);
    }
    try {
      for (const one of begun) {
        if ('counts' in one) takeOver(one);
        else emit(await one);
      }
    } catch (error) {
      // What has been asked for is paid for: it is waited for, and kept.
      await Promise.allSettled(begun);
      throw error;
    }
    begun = [];
    await send(false);
    parts.push({
      units: codes.units,
      reach: found.reach,
      codes: codes.finish(),
      totals: codes.totals,
      tallies,
    });
  }
  await send(true);
  return { computed, parts };
};

const apply = (
  stage: RowsStage | GroupStage,
  unit: Unit,
  emit: Emit,
  { state, options }: Mapping,
): void | Promise<void> =>
  stage.kind === 'rows' ? stage.map(unit.rows[0]!, emit, state, options) : stage.map(unit.rows, emit, state, options);

/** Calls a stage that waits: with an emitter of its own, so that the order holds. */
const call = async (unit: Unit, with_: Mapping): Promise<Emitted> => {
  const { emit, out } = emitter();
  const { memo, finished } = with_;
  const row = unit.rows[0]!;
  let kept = false;
  try {
    await apply(with_.stage, unit, emit, with_);
    if (memo && !out.rejects.some(r => r.transient)) {
      await memo.keep(row, JSON.stringify({ of: row, out }));
      kept = true;
    }
  } finally {
    if (!kept) memo?.leave(row);
  }
  finished?.();
  return out;
};

/** What was given for a row with the same fields, as if it had been given for `row`; null if it cannot be. */
const recall = (given: string, row: Row): Emitted | null => {
  const { of, out } = JSON.parse(given) as { of: Row; out: Emitted };
  if (of.id === row.id && of.parent === row.parent) return out;
  let fits = true;
  const renamed = (r: Row): Row => {
    if (r.id === of.id) return { ...r, id: row.id, parent: row.parent };
    if (r.parent === of.id && r.id.startsWith(`${of.id}/`))
      return { ...r, id: row.id + r.id.slice(of.id.length), parent: row.id };
    fits = false;
    return r;
  };
  const placed = (at: Lineage | null): Lineage | null =>
    at?.from ? { ...at, from: at.from.map(id => (id === of.id ? row.id : id)) } : at;
  const renamedOut: Emitted = {
    rows: out.rows.map(e => ({ at: placed(e.at), row: renamed(e.row) })),
    rejects: out.rejects.map(e => ({ ...e, at: placed(e.at), row: renamed(e.row) })),
    dropped: out.dropped.map(e => ({ ...e, at: placed(e.at), row: renamed(e.row) })),
  };
  return fits ? renamedOut : null;
};

/** By their text, the units of an earlier run, but for those that are to be tried again. */
const earlierUnits = (old: Old, stage: RowsStage | GroupStage, reader: BlobReader): Map<string, Known> => {
  const known = new Map<string, Known>();
  const cache = new Map<string, Unit[]>();
  const read = (chunk: BlobLocation): Unit[] => {
    let units = cache.get(chunk.digest);
    if (!units) cache.set(chunk.digest, (units = rowUnits(reader, chunk)));
    return units;
  };
  for (const part of old.parts) {
    const units =
      stage.kind === 'rows'
        ? rowUnits(reader, part.own!)
        : groupUnits(read, { before: part.before, own: part.own!, after: part.after, whole: true }).units;
    const at = [...part.starts];
    let i = 0;
    eachUnit(part.codes, at.length, (counts, again) => {
      const unit = units[i++];
      if (unit && !again) known.set(unit.text, { counts: [...counts], starts: [...at] });
      for (const [stream, n] of counts.entries()) at[stream]! += n;
    });
  }
  return known;
};

export const addUp = (into: Record<string, number>, more: Readonly<Record<string, number>>): void => {
  for (const [name, n] of Object.entries(more)) into[name] = (into[name] ?? 0) + n;
};
