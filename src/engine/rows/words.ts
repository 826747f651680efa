/** What rows may share, in the sketches of each kind of rule: see `narrow.ts`, which looks through it, and `sketches.ts` for the layouts. */
import type { Sketched } from './deal.ts';
import type { WordColumn, Words } from './narrow.ts';

type Hot = Pick<Sketched, 'rows' | 'hot'>;

/** Bytes as 32-bit words (little-endian, as all machines are that run Node). */
export const words = (bytes: Uint8Array): Uint32Array =>
  bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
    : new Uint32Array(new Uint8Array(bytes).buffer);

const nothing = (): Uint8Array => new Uint8Array(0);

/** The key's hash. */
export const keyWords: Words = {
  kinds: 1,
  of: ({ rows, hot }) => {
    const w = words(hot);
    const isNone = (at: number): boolean => (w[at]! | w[at + 1]! | w[at + 2]! | w[at + 3]!) === 0;
    return { words: w, first: 0, step: 4, count: rows, isNone };
  },
  gather: (chunks, rows) => {
    const picked = pick(chunks, rows, (chunk, row) => chunk.hot.subarray(row * 16, row * 16 + 16));
    return { rows: picked.length, hot: Buffer.concat(picked), cold: nothing };
  },
};

interface Groups {
  /** Of each group: its row. */
  readonly rows: Uint32Array;
  /** Of each row: its first group; one more at the end. */
  readonly starts: Uint32Array;
  readonly hashes: Uint32Array;
}

/** The hashes of the groups. */
export const groupWords = (): Words => {
  const cut = new WeakMap<Uint8Array, Groups>();
  const groupsOf = ({ rows, hot }: Hot): Groups => {
    const known = cut.get(hot);
    if (known) return known;
    const view = new DataView(hot.buffer, hot.byteOffset);
    const hashes = words(hot.subarray(4 + rows * 2));
    const starts = new Uint32Array(rows + 1);
    const of = new Uint32Array(hashes.length / 4);
    for (let row = 0; row < rows; row++) {
      starts[row + 1] = starts[row]! + view.getUint16(4 + row * 2, true);
      of.fill(row, starts[row]!, starts[row + 1]!);
    }
    const groups = { rows: of, starts, hashes };
    cut.set(hot, groups);
    return groups;
  };
  return {
    kinds: 1,
    of: chunk => {
      const { rows, hashes, starts } = groupsOf(chunk);
      return { words: hashes, first: 0, step: 4, count: rows.length, rows, starts };
    },
    gather: (chunks, rows) => {
      const picked = pick(chunks, rows, (chunk, row) => {
        const { starts, hashes } = groupsOf(chunk);
        return hashes.subarray(starts[row]! * 4, starts[row + 1]! * 4);
      });
      const head = new Uint8Array(4 + picked.length * 2);
      const view = new DataView(head.buffer);
      view.setUint32(0, picked.length, true);
      for (const [i, p] of picked.entries()) view.setUint16(4 + i * 2, p.length / 4, true);
      const bytes = picked.map(p => new Uint8Array(p.buffer, p.byteOffset, p.byteLength));
      return { rows: picked.length, hot: Buffer.concat([head, ...bytes]), cold: nothing };
    },
  };
};

/** The hash of the sketch, and each band of it. */
export const bandWords = (bands: number): Words => ({
  kinds: 1 + bands,
  of: ({ rows, hot }, kind): WordColumn => {
    const w = words(hot);
    const isEmpty = (row: number): boolean => (w[(rows + row) * 2]! | w[(rows + row) * 2 + 1]!) === 0;
    if (kind === 0)
      return { words: w, first: rows * 2, step: 2, count: rows, isNone: at => isEmpty((at - rows * 2) >> 1) };
    const first = rows * (3 + kind);
    return { words: w, first, step: 1, count: rows, isNone: at => isEmpty(at - first) };
  },
  gather: (chunks, rows) => {
    const at = pick(chunks, rows, (chunk, row) => ({ chunk, row }));
    const hot = new Uint32Array(at.length * (4 + bands));
    for (const [i, { chunk, row }] of at.entries()) {
      const w = words(chunk.hot);
      for (let k = 0; k < 4; k++) {
        const [column, part] = [k >> 1, k & 1];
        hot[(column * at.length + i) * 2 + part] = w[(column * chunk.rows + row) * 2 + part]!;
      }
      for (let k = 4; k < 4 + bands; k++) hot[k * at.length + i] = w[k * chunk.rows + row]!;
    }
    const cold = (): Uint8Array => {
      const held = new Map(at.map(({ chunk }) => [chunk, chunk.cold()]));
      // Where no row of a chunk has a sketch, there are no bytes either.
      const width = Math.max(0, ...[...held].map(([chunk, bytes]) => bytes.length / chunk.rows));
      const out = new Uint8Array(at.length * width);
      for (const [i, { chunk, row }] of at.entries()) {
        const bytes = held.get(chunk)!;
        if (bytes.length > 0) out.set(bytes.subarray(row * width, (row + 1) * width), i * width);
      }
      return out;
    };
    return { rows: at.length, hot: new Uint8Array(hot.buffer), cold };
  },
});

const pick = <T>(
  chunks: readonly Sketched[],
  rows: readonly (readonly number[])[],
  take: (chunk: Sketched, row: number) => T,
): T[] => chunks.flatMap((chunk, i) => rows[i]!.map(row => take(chunk, row)));
