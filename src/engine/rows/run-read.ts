/**
 * Sources of kind read: files are read one by one, long ones of lines in stretches; only what changed is read again.
 *
 *   cut      files of lines into stretches, by their bytes; others into parts, where the stage knows of any
 *   scan     changed stretches: a hash of each line, and of its id
 *   number   ids that come again (in all files, in order): `~2`, `~3` …; a key that does is an error
 *   read     stretches that changed, or whose numbers did, into rows
 */
import { digest } from '../../../cache/digest.ts';
import { type InputFile, type ReadStage, StageError } from '../../../stages/contract.ts';
import { HashTable, Repeats } from '../hash-table.ts';
import type { Part } from './alignment.ts';
import { oldParts } from './base.ts';
import { ChunkLog } from './chunk-log.ts';
import { ask, counts, logPath, type Ran, type RowsContext, stitch } from './context.ts';
import { type KnownStretch, stretchName } from './cut-file.ts';
import { inOrder } from './in-order.ts';
import { SCAN } from './read-file.ts';
import { type NowPart, ONE, segments } from './segments.ts';
import type { CutAnswer, ReadAnswer, ScanAnswer } from './tasks.ts';

interface Stretch extends NowPart {
  readonly file: number;
  readonly start: number;
  readonly end_: number;
  readonly byLine: boolean;
  readonly givesIds: boolean;
}

/** Units whose id has come before, and how often. */
type Repeated = readonly (readonly [unit: number, times: number])[];

export const runRead = async (c: RowsContext, stage: ReadStage, files: readonly InputFile[]): Promise<Ran> => {
  const { options } = c.job;
  stage.check?.(files, options);
  const log = new ChunkLog(logPath(c, 'scan'), true, c.fresh);
  try {
    const now = await cutAll(c, stage, files);
    const old = c.base && { parts: c.base.alignment.parts, index: c.base.index };
    const near = new Map<number, readonly number[]>();
    for (const s of segments(now, old, () => true, ONE))
      if (s.do === 'work') for (let i = s.from; i < s.to; i++) near.set(i, s.old);

    const scans = now.map(p => (p.givesIds ? null : log.get(p.name)));
    /** Lines of each stretch that the stage has read in this run. */
    const read = new Map<number, number>();
    const missing = now.flatMap((p, i) => (p.givesIds || scans[i] ? [] : [i]));
    await inOrder(
      missing.map(i => async () => {
        const p = now[i]!;
        const known = (near.get(i) ?? []).flatMap(o => own(log.get(old!.parts[o]!.name)) ?? []);
        const task = { do: 'scan', file: files[p.file]!, start: p.start, end: p.end_, byLine: p.byLine } as const;
        return (await ask<ScanAnswer>(c, { ...task, old: p.byLine ? known : [] })).answer;
      }),
      c.pool.size,
      (answer, k) => {
        const i = missing[k]!;
        read.set(i, answer.computed);
        scans[i] = answer.scan;
        log.add(now[i]!.name, answer.scan);
        c.progress(k + 1, missing.length, 'parts', 'looked at');
      },
    );

    const lines = lineNumbers(now, scans);
    const repeated = numberIds(scans);
    const key = stage.key?.(options);
    if (key !== undefined) throwIfTwice(key, now, files, scans, lines, repeated);

    const rejects = c.streams.indexOf('rejects');
    const before = c.base?.alignment;
    const same = (i: number, o: number): boolean => {
      if ((repeated[i] ?? []).flat().join() !== (before!.repeated[o] ?? []).join()) return false;
      // Rejects hold the place where they stand.
      const part = before!.parts[o]!;
      return (
        part.totals[rejects] === 0 || (part.line === lines[i] && before!.files[part.file] === files[now[i]!.file]!.name)
      );
    };
    const all = segments(now, old, same, ONE);
    const found = new Map<number, Part>();
    await stitch<ReadAnswer>(c, all, {
      rows: s => s.to - s.from,
      work: segment => {
        const p = now[segment.from]!;
        const kept = p.byLine && c.base ? segment.old.filter(o => log.get(before!.parts[o]!.name)) : [];
        return ask<ReadAnswer>(c, {
          do: 'read',
          streams: c.streams,
          file: files[p.file]!,
          start: p.start,
          end: p.end_,
          byLine: p.byLine,
          line: lines[segment.from]!,
          repeated: repeated[segment.from] ?? [],
          old:
            kept.length === 0
              ? null
              : {
                  ...oldParts(c.store, c.base!, kept, null),
                  scans: kept.map(o => own(log.get(before!.parts[o]!.name))!),
                  repeated: kept.map(o => pairs(before!.repeated[o] ?? [])),
                },
        });
      },
      parts: (answer, segment) => {
        const i = segment.from;
        const p = now[i]!;
        read.set(i, Math.max(read.get(i) ?? 0, answer.computed));
        const part = { ...answer.part, name: p.name, end: 0, file: p.file, line: lines[i]!, tallies: [] };
        found.set(i, part);
        return [part];
      },
    });
    // Where a stretch stands in its file is known of all of them now, of those taken over, too.
    let i = 0;
    const parts: Part[] = [];
    for (const s of all) {
      for (let k = s.from; k < s.to; k++, i++) {
        const part = s.do === 'copy' ? before!.parts[k]! : found.get(i)!;
        const { file, byLine, bytes } = now[i]!;
        parts.push({ ...part, file, line: lines[i]!, reach: byLine ? bytes : 0 });
      }
    }
    if (parts.every(p => p.totals.every(n => n === 0))) {
      throw new StageError(
        'empty-source',
        `no row is in ${files.length === 1 ? files[0]!.name : `these ${files.length} files`}`,
        {
          ...(files[0] ? { place: { path: files[0].name } } : {}),
          advice: 'The files are empty, or hold headings without text.',
        },
      );
    }
    const live = new Set([...now.map(p => p.name), ...(old?.parts.map(p => p.name) ?? [])]);
    log.save(live);
    const again = Object.fromEntries(repeated.flatMap((r, k) => (r.length > 0 ? [[k, r.flat()]] : [])));
    const computed = read.values().reduce((n, lines) => n + lines, 0);
    return {
      computed,
      seen: parts.reduce((n, p) => n + p.totals.reduce((a, b) => a + b, 0), 0),
      tallies: counts(c.streams, parts),
      alignment: { streams: c.streams, tallies: [], files: files.map(f => f.name), repeated: again, parts },
    };
  } finally {
    log.close();
  }
};

/** Bytes with a buffer of their own: of a view, all that it looks at would be sent to a worker. */
const own = (bytes: Uint8Array | null): Uint8Array | null => bytes && new Uint8Array(bytes);

const pairs = (flat: readonly number[]): [number, number][] =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[i * 2]!, flat[i * 2 + 1]!]);

/** Every file, in stretches where it can be cut. */
const cutAll = async (c: RowsContext, stage: ReadStage, files: readonly InputFile[]): Promise<Stretch[]> => {
  const { options } = c.job;
  const whole = (file: InputFile, i: number): Stretch => {
    // What a document or a table gives depends on what it is called.
    const name = digest(`${file.name}\n${file.digest}`);
    const [byLine, givesIds] = [false, stage.givesIds(file, options)];
    return { name, rows: 1, bytes: file.size, end: 0, file: i, start: 0, end_: file.size, byLine, givesIds };
  };
  const out: Stretch[][] = [];
  const cuts = files.map((file, i) => async (): Promise<Stretch[]> => {
    const byLine = stage.byLine(file, options);
    if (!byLine && !stage.hasParts?.(file, options)) return [whole(file, i)];
    let cut: CutAnswer;
    try {
      cut = (await ask<CutAnswer>(c, { do: 'cut', file, byLine, known: byLine ? knownOf(c, file) : [] })).answer;
    } catch {
      // Why it cannot be read, reading it will say.
      return [{ ...whole(file, i), givesIds: true }];
    }
    if (!byLine && cut.stretches.length === 0) return [whole(file, i)];
    if (!byLine) {
      const givesIds = stage.givesIds(file, options);
      return cut.stretches.map(s => ({
        ...{ name: s.digest, rows: 1, bytes: s.end - s.start, end: 0 },
        ...{ file: i, start: s.start, end_: s.end, byLine, givesIds },
      }));
    }
    return cut.stretches.map(s => ({
      name: stretchName(s.start, s.digest),
      rows: 1,
      bytes: s.end - s.start,
      end: 0,
      file: i,
      start: s.start,
      end_: s.end,
      byLine: true,
      givesIds: false,
    }));
  });
  await inOrder(cuts, c.pool.size, stretches => void out.push(stretches));
  return out.flat();
};

/** The stretches of the file of this name in the base. */
const knownOf = ({ base }: RowsContext, { name }: InputFile): KnownStretch[] => {
  const file = base?.alignment.files.indexOf(name) ?? -1;
  const own = base?.alignment.parts.filter(p => p.file === file) ?? [];
  return own.map((p, i) => ({ name: p.name, bytes: p.reach, isLast: i === own.length - 1 }));
};

/** How many lines of its file stand before each stretch. */
const lineNumbers = (now: readonly Stretch[], scans: readonly (Uint8Array | null)[]): number[] => {
  let line = 0;
  return now.map((p, i) => {
    if (p.start === 0) line = 0;
    const before = line;
    if (p.byLine) line += scans[i]!.length / SCAN;
    return before;
  });
};

/** Of each stretch, the units whose id has come before in any of them, and how often. */
const numberIds = (scans: readonly (Uint8Array | null)[]): Repeated[] => {
  const all = scans.map(s => s && words(s));
  const repeats = new Repeats(all.reduce((n, h) => n + (h ? h.length / 6 : 0), 0));
  for (const h of all) if (h) for (let at = 2; at < h.length; at += 6) repeats.add(h[at]!);
  const ids = new HashTable();
  const times: number[] = [];
  return all.map(h => {
    const out: [number, number][] = [];
    if (!h) return out;
    for (let at = 2, unit = 0; at < h.length; at += 6, unit++) {
      const [a, b, d, e] = [h[at]!, h[at + 1]!, h[at + 2]!, h[at + 3]!];
      if (!repeats.has(a) || (a | b | d | e) === 0) continue;
      const id = ids.getOrSetHash(a, b, d, e, times.length);
      if (id === -1) times.push(1);
      else out.push([unit, times[id]!++]);
    }
    return out;
  });
};

const words = (bytes: Uint8Array): Uint32Array =>
  bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
    : new Uint32Array(new Uint8Array(bytes).buffer);

/** A declared key names one row: the first that comes again is told with both places. */
const throwIfTwice = (
  key: string,
  now: readonly Stretch[],
  files: readonly InputFile[],
  scans: readonly (Uint8Array | null)[],
  lines: readonly number[],
  repeated: readonly Repeated[],
): void => {
  const part = repeated.findIndex(r => r.length > 0);
  if (part === -1) return;
  const [unit] = repeated[part]![0]!;
  const idAt = (i: number, u: number) => Buffer.from(scans[i]!.slice(u * SCAN + 8, (u + 1) * SCAN)).toString('hex');
  const wanted = idAt(part, unit);
  const place = (i: number, u: number) => ({ path: files[now[i]!.file]!.name, line: lines[i]! + u + 1 });
  for (let i = 0; i <= part; i++) {
    const units = (scans[i]?.length ?? 0) / SCAN;
    for (let u = 0; u < units; u++) {
      if (idAt(i, u) !== wanted) continue;
      const first = place(i, u);
      throw new StageError(
        'duplicate-key',
        `the ${key} of this record occurs twice: first at ${first.path}:${first.line}, again here`,
        {
          place: place(part, unit),
          advice:
            'Row ids must be unique: correct the data, name another `key`, or leave it out (ids are then made from the content).',
        },
      );
    }
  }
};
