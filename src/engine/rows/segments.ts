/**
 * Compares the parts of an input with those of an earlier run: stretches whose results are taken over whole, and stretches to
 * work on, each with the parts of the earlier run in which its unchanged rows are likely to be.
 */

export interface NowPart {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  /** What ends it, the same in every version; 0 if nothing does. */
  readonly end: number;
}

export interface OldParts {
  readonly parts: readonly { readonly name: string; readonly end: number }[];
  readonly index: ReadonlyMap<string, number>;
}

export type Segment =
  /** Parts `from` up to before `to` of the earlier run. */
  | { readonly do: 'copy'; readonly from: number; readonly to: number }
  /** Parts `from` up to before `to` of the input. */
  | { readonly do: 'work'; readonly from: number; readonly to: number; readonly old: readonly number[] };

export interface Goal {
  readonly rows: number;
  readonly bytes: number;
}

/** Each part is work of its own. */
export const ONE: Goal = { rows: 0, bytes: 0 };

/** `same(i, o)` says whether part `i` of the input would give what part `o`, of the same name, gave. */
export const segments = (
  now: readonly NowPart[],
  old: OldParts | null,
  same: (now: number, old: number) => boolean,
  goal: Goal,
): Segment[] => {
  const out: Segment[] = [];
  const from = now.map((part, i) => {
    const o = old?.index.get(part.name);
    return o !== undefined && same(i, o) ? o : -1;
  });
  const taken = new Set(from);
  let done = 0;
  for (let i = 0; i < now.length; ) {
    let to = i + 1;
    if (from[i] !== -1) {
      while (to < now.length && from[to] === from[to - 1]! + 1) to++;
      out.push({ do: 'copy', from: from[i]!, to: from[i]! + to - i });
      done = from[to - 1]! + 1;
      i = to;
      continue;
    }
    while (to < now.length && from[to] === -1) to++;
    // What lay between the same neighbours before; where they have changed places, nothing is known.
    const until = to < now.length ? from[to]! : (old?.parts.length ?? 0);
    const between: number[] = [];
    for (let o = done; o < until; o++) if (!taken.has(o)) between.push(o);
    out.push(...cut(now, i, to, old, between, goal));
    i = to;
  }
  return out;
};

/** Cuts a stretch into pieces of work, where it is long: at parts that ended with the same row before. */
const cut = (
  now: readonly NowPart[],
  from: number,
  to: number,
  old: OldParts | null,
  between: readonly number[],
  goal: Goal,
): Segment[] => {
  const out: Segment[] = [];
  const ends = new Map(between.map((o, k) => [old!.parts[o]!.end, k]));
  let used = 0;
  for (let i = from; i < to; ) {
    let end = i;
    let rows = 0;
    let bytes = 0;
    let reached = -1;
    while (end < to) {
      const part = now[end]!;
      rows += part.rows;
      bytes += part.bytes;
      const k = part.end === 0 ? undefined : ends.get(part.end);
      end++;
      if (k !== undefined && k >= used) reached = k + 1;
      const enough = rows >= goal.rows || bytes >= goal.bytes;
      if (enough && (between.length === 0 || (k !== undefined && k >= used) || rows >= goal.rows * 2)) break;
    }
    const upTo = end === to ? between.length : Math.max(used, reached);
    const near =
      reached === -1 && end < to
        ? about(between, (i - from) / (to - from), (end - from) / (to - from))
        : between.slice(used, upTo);
    // Most of what was there before may be gone: then a few parts at both ends are looked at.
    const most = (end - i) * 3 + 8;
    out.push({
      do: 'work',
      from: i,
      to: end,
      old: near.length <= most ? near : [...near.slice(0, most >> 1), ...near.slice(-(most >> 1))],
    });
    used = upTo;
    i = end;
  }
  return out;
};

/** Where nothing marks the same place in both, what lies at about the same share of the way. */
const about = (between: readonly number[], from: number, to: number): readonly number[] =>
  between.slice(Math.max(0, Math.floor(from * between.length) - 1), Math.ceil(to * between.length) + 1);
