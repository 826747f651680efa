/** Reads a stretch of a file: for the ids of its records (`scan`), and then into rows (`readPart`). */
import { closeSync, openSync, readSync } from 'node:fs';
import { blake3 } from '@napi-rs/blake-hash';
import type { BlobReader } from '../../../cache/blob.ts';
import { hasher, shortHash } from '../../../cache/digest.ts';
import type { Fields, InputFile, Read, ReadStage } from '../../../stages/contract.ts';
import type { Redact } from '../../redact.ts';
import { hashText } from '../hash-table.ts';
import { CodeWriter, eachUnit } from './alignment.ts';
import { OldLines } from './old-lines.ts';
import { type Piece, PieceMaker } from './pieces.ts';
import type { ReadAnswer, ReadTask, ScanAnswer, ScanTask } from './tasks.ts';

/** Bytes of a scan a line: its hash, and that of its id (0 where it has none). */
export const SCAN = 24;

interface Stretch {
  readonly file: InputFile;
  readonly start: number;
  readonly end: number;
}

/** Ids before it is known how often each has come: `<hash>` of the fields, or the value of the key field. */
const idOf = (fields: Fields, key: string | undefined): string | null => {
  if (key === undefined) return shortHash(fields);
  const value = fields[key];
  return (typeof value === 'string' && value !== '') || Number.isFinite(value) ? String(value) : null;
};

interface Line {
  readonly start: number;
  readonly end: number;
  /** 8 bytes, of the line with its break: equal bytes are read equally. */
  readonly hash: Uint8Array;
}

const PIECE = 8 << 20;

/** A byte-order mark is read otherwise at the beginning of a file than anywhere else: so it counts there for more. */
const lineHash = (line: Buffer, offset: number): Uint8Array => {
  const hash = blake3(line).subarray(0, 8);
  if (offset === 0 && line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf) hash[0]! ^= 1;
  return hash;
};

/** The lines of a stretch; memory stays at one piece, however long a line is. */
const linesOf = (path: string, { start, end }: Stretch): Line[] => {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(Math.min(PIECE, end - start));
    const out: Line[] = [];
    /** A line that does not end in the piece it began in. */
    let open: { start: number; hash: ReturnType<typeof hasher> } | null = null;
    for (let offset = start; offset < end; ) {
      const n = readSync(fd, bytes, 0, Math.min(bytes.length, end - offset), offset);
      if (n === 0) break;
      for (let at = 0; at < n; ) {
        const newline = bytes.indexOf(10, at);
        const ends = newline !== -1 && newline < n;
        const to = ends ? newline + 1 : n;
        const piece = bytes.subarray(at, to);
        if (open) open.hash.update(piece);
        else if (!ends && offset + n < end) {
          open = { start: offset + at, hash: hasher() };
          open.hash.update(piece);
        } else out.push({ start: offset + at, end: offset + to, hash: lineHash(piece, offset + at) });
        if (open && (ends || offset + to === end)) {
          out.push({
            start: open.start,
            end: offset + to,
            hash: Buffer.from(open.hash.digest(), 'hex').subarray(0, 8),
          });
          open = null;
        }
        at = to;
      }
      offset += n;
    }
    return out;
  } finally {
    closeSync(fd);
  }
};

/** Stretches of lines (from, to) that are not found in `known`. */
const unknownRuns = (known: readonly unknown[]): [from: number, to: number][] => {
  const out: [number, number][] = [];
  for (const [i, k] of known.entries()) {
    if (k) continue;
    const last = out.at(-1);
    if (last && last[1] === i) last[1]++;
    else out.push([i, i + 1]);
  }
  return out;
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');

export const scan = async (task: ScanTask, stage: ReadStage, options: unknown): Promise<ScanAnswer> => {
  const key = stage.key?.(options);
  const idHash = (item: Read): Uint8Array | null => {
    const id = item === null || 'reason' in item || item.id !== undefined ? null : idOf(item.fields, key);
    return id === null ? null : hashText(id).subarray(0, 16);
  };
  if (!task.byLine) {
    const ids: (Uint8Array | null)[] = [];
    for await (const batch of stage.read(task, options)) for (const item of batch) ids.push(idHash(item));
    const out = new Uint8Array(ids.length * SCAN);
    for (const [i, id] of ids.entries()) if (id) out.set(id, i * SCAN + 8);
    return { computed: ids.length, scan: out };
  }
  const before = new Map<string, Uint8Array>();
  for (const old of task.old) {
    for (let at = 0; at < old.length; at += SCAN)
      before.set(hex(old.subarray(at, at + 8)), old.subarray(at + 8, at + SCAN));
  }
  const lines = linesOf(task.file.path, task);
  const out = new Uint8Array(lines.length * SCAN);
  const known = lines.map((line, i) => {
    out.set(line.hash, i * SCAN);
    const id = before.size > 0 ? before.get(hex(line.hash)) : undefined;
    if (id) out.set(id, i * SCAN + 8);
    return id;
  });
  let computed = 0;
  for (const [from, to] of unknownRuns(known)) {
    let i = from;
    const part = { file: task.file, start: lines[from]!.start, end: lines[to - 1]!.end };
    for await (const batch of stage.read(part, options)) {
      for (const item of batch) {
        const id = idHash(item);
        if (id) out.set(id, i * SCAN + 8);
        i++;
      }
    }
    if (i !== to) throw new Error(`the source gave ${i - from} records for ${to - from} lines of ${task.file.name}`);
    computed += to - from;
  }
  return { computed, scan: out };
};

export const readPart = async (
  task: ReadTask,
  stage: ReadStage,
  {
    options,
    reader,
    redact,
    send,
  }: {
    readonly options: unknown;
    readonly reader: BlobReader;
    readonly redact: Redact;
    send(output: string, pieces: readonly Piece[]): Promise<void>;
  },
): Promise<ReadAnswer> => {
  const key = stage.key?.(options);
  const [rows, rejects] = [new PieceMaker(), new PieceMaker()];
  const codes = new CodeWriter(task.streams.length);
  const { name } = task.file;
  const times = new Map(task.repeated);
  const none = task.streams.map(() => 0);
  const [ROW, REJECT] = [none.with(task.streams.indexOf('rows'), 1), none.with(task.streams.indexOf('rejects'), 1)];
  const flush = async (last: boolean) => {
    for (const [output, maker] of [
      ['rows', rows],
      ['rejects', rejects],
    ] as const) {
      const pieces = maker.take(last);
      if (pieces.length > 0) await send(output, pieces);
    }
  };
  const refuse = (reason: string, line: number | undefined, text: string | undefined): void => {
    const place = { path: name, ...(line === undefined ? {} : { line }) };
    const id = line === undefined ? name : `${name}:${line}`;
    const fields = { reason: redact(reason), ...place, ...(text === undefined ? {} : { text: redact(text) }) };
    rejects.add({ id, parent: null, fields }, place);
    codes.add(REJECT, false);
  };
  let computed = 0;
  const take = (item: Read, unit: number, line: number | undefined): void => {
    if (item === null) {
      codes.add(none, false);
      return;
    }
    if ('reason' in item) {
      refuse(item.reason, line, item.text);
      return;
    }
    const base = item.id ?? idOf(item.fields, key);
    if (base === null) {
      refuse(`field "${key}" names no row: it is neither text nor a number`, line, undefined);
      return;
    }
    const n = times.get(unit) ?? 0;
    const id = n === 0 ? base : `${base}~${n + 1}`;
    // Of lines, the place follows from the alignment: kept beside each row, it would change with every line inserted above.
    const at = task.byLine ? null : { path: name, ...(line === undefined ? {} : { line }) };
    rows.add({ id, parent: null, fields: item.fields }, at);
    codes.add(ROW, false);
  };

  if (!task.byLine) {
    let unit = 0;
    for await (const batch of stage.read(task, options)) {
      for (const item of batch) take(item, unit++, item?.line);
      await flush(false);
    }
    computed = unit;
  } else {
    const lines = linesOf(task.file.path, task);
    const old = task.old && new OldLines(reader, task.old.streams);
    const before = earlierLines(task);
    const known = lines.map((line, i) => {
      const row = before?.get(hex(line.hash));
      // A row keeps its id only while as many of the same content come before it.
      return row && row.times === (times.get(i) ?? 0) ? row : undefined;
    });
    const runs = unknownRuns(known).values();
    for (let i = 0; i < lines.length; ) {
      const same = known[i];
      if (same) {
        const { id, line, lineage } = old!.get(same.stream, same.row);
        rows.addLine(id, line, lineage);
        codes.add(ROW, false);
        i++;
      } else {
        const [from, to] = runs.next().value!;
        computed += to - from;
        const part = { file: task.file, start: lines[from]!.start, end: lines[to - 1]!.end };
        for await (const batch of stage.read(part, options)) {
          for (const item of batch) {
            take(item, i, task.line + i + 1);
            i++;
          }
          await flush(false);
        }
        if (i !== to) throw new Error(`the source gave ${i - from} records for ${to - from} lines of ${name}`);
      }
      await flush(false);
    }
  }
  await flush(true);
  return {
    computed,
    part: { units: codes.units, reach: 0, codes: codes.finish(), totals: codes.totals, tallies: {} },
  };
};

/** The rows of an earlier run by the hash of their line; rejects hold line numbers, and are made anew. */
const earlierLines = (task: ReadTask): Map<string, { stream: number; row: number; times: number }> | null => {
  if (!task.old) return null;
  const stream = task.streams.indexOf('rows');
  const out = new Map<string, { stream: number; row: number; times: number }>();
  for (const [k, part] of task.old.parts.entries()) {
    const lines = task.old.scans[k]!;
    const times = new Map(task.old.repeated[k]);
    let row = part.starts[stream]!;
    let i = 0;
    eachUnit(part.codes, task.streams.length, counts => {
      if (counts[stream] === 1)
        out.set(hex(lines.subarray(i * SCAN, i * SCAN + 8)), { stream, row: row++, times: times.get(i) ?? 0 });
      i++;
    });
  }
  return out;
};
