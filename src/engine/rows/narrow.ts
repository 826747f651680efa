/**
 * After a small edit a rule that deals with all rows at once need only be applied to the rows that the edit can reach: those of
 * changed chunks, and whoever shares a key, a group, a band or a sketch with one of them or with a row that is gone, and so on
 * from those. All others are dealt as before: nobody that they have to do with has changed.
 *
 *   hot sketches ──> rows of changed chunks ──> their words ──> one look at all words ──> rows that share one ──┐
 *                                                  ^─────────────────── words that are new ───────────────────┘
 *
 * A word is 32 bits of what two rows may share: equal ones may be a coincidence, which only makes more rows to deal anew.
 */
import { FEW } from '../../../cache/grain.ts';
import type { Sketched } from './deal.ts';
import { type OldParts, ONE, segments } from './segments.ts';

/** As often everything is looked through. */
const ROUNDS = 12;

/** Where the words of a chunk's rows stand in its hot sketch. */
export interface Words {
  /** How many kinds of words there are: those of different kinds are never equal. */
  readonly kinds: number;
  /** The words of one kind in a chunk, in the order of its rows. */
  of(chunk: Pick<Sketched, 'rows' | 'hot'>, kind: number): WordColumn;
  /** One chunk of these rows alone. */
  gather(chunks: readonly Sketched[], rows: readonly (readonly number[])[]): Sketched;
}

export interface WordColumn {
  readonly words: Uint32Array;
  /** Where the first one stands, and how far the next is from it. */
  readonly first: number;
  readonly step: number;
  /** How many there are. */
  readonly count: number;
  /** The row of each, and of each row where its words begin (one more at the end); without them, one a row. */
  readonly rows?: Uint32Array;
  readonly starts?: Uint32Array;
  /** Stands for none where it is so. */
  isNone?(at: number): boolean;
}

export interface Narrow {
  /** Of each chunk the rows that are to be dealt anew, in order. */
  readonly rows: readonly (readonly number[])[];
  /** Of each chunk the part of the base that it was, or -1. */
  readonly from: readonly number[];
}

export interface NarrowOptions {
  readonly now: readonly {
    readonly name: string;
    readonly rows: number;
    readonly bytes: number;
    readonly end: number;
  }[];
  readonly old: OldParts;
  readonly sketched: readonly Sketched[];
  readonly words: Words;
  /** The hot sketch of a chunk of the base; null if it is not known any more. */
  sketchOf(name: string): Uint8Array | null;
  /** How many rows a part of the base had. */
  rowsOf(part: number): number;
}

/** Null where all rows have to be dealt. */
export const narrow = ({ now, old, sketched, words, sketchOf, rowsOf }: NarrowOptions): Narrow | null => {
  const from = new Array<number>(now.length).fill(-1);
  let at = 0;
  let last = -1;
  const kept = new Set<number>();
  for (const s of segments(now, old, () => true, ONE)) {
    if (s.do === 'work') {
      at = s.to;
      continue;
    }
    // Whoever stood first may stand second now.
    if (s.from <= last) return null;
    last = s.to - 1;
    for (let o = s.from; o < s.to; o++) {
      from[at++] = o;
      kept.add(o);
    }
  }
  const total = now.reduce((n, p) => n + p.rows, 0);
  const most = total * FEW;
  const changed = now.reduce((n, p, i) => n + (from[i] === -1 ? p.rows : 0), 0);
  if (changed > most) return null;

  const reach = new Reach(sketched, words);
  for (const [i, o] of from.entries()) if (o === -1) reach.addAll(i);
  let gone = 0;
  for (const [o, { name }] of old.parts.entries()) {
    if (kept.has(o)) continue;
    const hot = sketchOf(name);
    gone += rowsOf(o);
    if (!hot || gone > most) return null;
    reach.addGone({ rows: rowsOf(o), hot });
  }
  for (let round = 0; reach.isOpen; round++) {
    if (round === ROUNDS || reach.count > most) return null;
    reach.look();
  }
  return { rows: reach.rows(), from };
};

/** Bits by which most words are told to be none of those looked for. */
const BITS = 1 << 16;

/** The rows reached so far, and the words by which more are looked for. */
class Reach {
  readonly #chunks: readonly Sketched[];
  readonly #words: Words;
  readonly #reached: (Uint8Array | undefined)[];
  readonly #known: Set<number>[];
  #wanted: Set<number>[];
  count = 0;

  constructor(chunks: readonly Sketched[], words: Words) {
    this.#chunks = chunks;
    this.#words = words;
    this.#reached = new Array(chunks.length);
    this.#known = Array.from({ length: words.kinds }, () => new Set());
    this.#wanted = Array.from({ length: words.kinds }, () => new Set());
  }

  get isOpen(): boolean {
    return this.#wanted.some(w => w.size > 0);
  }

  addAll(chunk: number): void {
    const { rows } = this.#chunks[chunk]!;
    this.#reached[chunk] = new Uint8Array(rows).fill(1);
    this.count += rows;
    this.addGone(this.#chunks[chunk]!);
  }

  /** All words of a chunk are looked for; its rows are not, or need not be. */
  addGone(chunk: Pick<Sketched, 'rows' | 'hot'>): void {
    for (let kind = 0; kind < this.#words.kinds; kind++) {
      const column = this.#words.of(chunk, kind);
      for (let k = 0, at = column.first; k < column.count; k++, at += column.step)
        if (!column.isNone?.(at)) this.#want(kind, column.words[at]!);
    }
  }

  /** Looks for the words that are new. */
  look(): void {
    const wanted = this.#wanted;
    this.#wanted = Array.from({ length: this.#words.kinds }, () => new Set());
    for (const [kind, words] of wanted.entries()) if (words.size > 0) this.#lookFor(kind, words);
  }

  rows(): number[][] {
    return Array.from(this.#reached, reached => {
      const out: number[] = [];
      if (reached) for (let row = 0; row < reached.length; row++) if (reached[row] === 1) out.push(row);
      return out;
    });
  }

  #want(kind: number, word: number): void {
    if (this.#known[kind]!.has(word)) return;
    this.#known[kind]!.add(word);
    this.#wanted[kind]!.add(word);
  }

  #lookFor(kind: number, wanted: ReadonlySet<number>): void {
    const bits = new Uint32Array(BITS / 32);
    for (const word of wanted) bits[(word & (BITS - 1)) >>> 5]! |= 1 << (word & 31);
    for (let chunk = 0; chunk < this.#chunks.length; chunk++) {
      const column = this.#words.of(this.#chunks[chunk]!, kind);
      const { words, step, count } = column;
      for (let k = 0, at = column.first; k < count; k++, at += step) {
        const word = words[at]!;
        if ((bits[(word & (BITS - 1)) >>> 5]! & (1 << (word & 31))) === 0) continue;
        if (wanted.has(word) && !column.isNone?.(at)) this.#reachRow(chunk, column.rows ? column.rows[k]! : k);
      }
    }
  }

  #reachRow(chunk: number, row: number): void {
    const all = this.#chunks[chunk]!;
    const reached = (this.#reached[chunk] ??= new Uint8Array(all.rows));
    if (reached[row] === 1) return;
    reached[row] = 1;
    this.count++;
    for (let kind = 0; kind < this.#words.kinds; kind++) {
      const column = this.#words.of(all, kind);
      const { starts } = column;
      for (let k = starts?.[row] ?? row, to = starts?.[row + 1] ?? row + 1; k < to; k++) {
        const at = column.first + k * column.step;
        if (!column.isNone?.(at)) this.#want(kind, column.words[at]!);
      }
    }
  }
}
