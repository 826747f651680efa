/**
 * What a run gave for each part of its input: which rows of the outputs came from which row (or group) of which chunk. With
 * it a later run takes over what has not changed, and a row can be followed back to what it was made of.
 *
 *   header    "fta1", length u32, then JSON: streams (output names), tallies (names), files, repeated
 *   columns   one value a part: name 32 B; units, end, reach, file, line, codes (bytes of codes) u32;
 *             totals u32 a stream; tallies f64 a name
 *   codes     one byte a unit:  0-63 one row into that stream   64-191 so many rows (less 64) into the first stream
 *                               255 a varint for each stream   254 the same, to be tried again by the next build
 */

/** One chunk of the input, or one stretch of a file. */
export interface Part {
  /** Content digest of the chunk or stretch, 64 hex digits. */
  readonly name: string;
  /** Rows, groups that begin here, or lines. */
  readonly units: number;
  /** `endHash` of a chunk's last row. */
  readonly end: number;
  /**
   * How many further chunks were looked at to complete the last unit; one more than there were, if the end was. Of a stretch of
   * lines, its bytes.
   */
  readonly reach: number;
  /** Of a stretch of a file: index of the file, and number of lines before it. */
  readonly file: number;
  readonly line: number;
  readonly codes: Uint8Array;
  /** Rows that it gave, by stream. */
  readonly totals: readonly number[];
  readonly tallies: readonly number[];
}

export interface Alignment {
  readonly streams: readonly string[];
  readonly tallies: readonly string[];
  /** Names of files, where parts are stretches of them. */
  readonly files: readonly string[];
  /** By part: units whose id has come before, and how often: unit, times, unit, times … */
  readonly repeated: Readonly<Record<number, readonly number[]>>;
  readonly parts: readonly Part[];
}

export const MANY = 64;
export const AGAIN = 254;
export const ESCAPE = 255;

const MAGIC = 'fta1';
const COLUMNS = ['units', 'end', 'reach', 'file', 'line'] as const;

export const encodeAlignment = ({ streams, tallies, files, repeated, parts }: Alignment): Buffer => {
  const header = Buffer.from(JSON.stringify({ streams, tallies, files, repeated, parts: parts.length }));
  const n = parts.length;
  const words = COLUMNS.length + 1 + streams.length;
  const codes = parts.reduce((sum, p) => sum + p.codes.length, 0);
  const out = Buffer.alloc(8 + header.length + n * (32 + words * 4 + tallies.length * 8) + codes);
  out.write(MAGIC, 0, 'latin1');
  out.writeUInt32LE(header.length, 4);
  header.copy(out, 8);
  let at = 8 + header.length;
  for (const p of parts) {
    out.write(p.name, at, 32, 'hex');
    at += 32;
  }
  const values = new Uint32Array(n);
  const column = (value: (p: Part) => number) => {
    for (let i = 0; i < n; i++) values[i] = value(parts[i]!);
    out.set(new Uint8Array(values.buffer), at);
    at += n * 4;
  };
  for (const name of COLUMNS) column(p => p[name]);
  column(p => p.codes.length);
  for (const i of streams.keys()) column(p => p.totals[i]!);
  for (const i of tallies.keys()) {
    for (const p of parts) {
      out.writeDoubleLE(p.tallies[i]!, at);
      at += 8;
    }
  }
  for (const p of parts) {
    out.set(p.codes, at);
    at += p.codes.length;
  }
  return out;
};

/** Throws on anything that is not whole. */
export const decodeAlignment = (bytes: Buffer): Alignment => {
  if (bytes.toString('latin1', 0, 4) !== MAGIC) throw new Error('not an alignment');
  const length = bytes.readUInt32LE(4);
  const {
    streams,
    tallies,
    files,
    repeated,
    parts: n,
  } = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as {
    streams: string[];
    tallies: string[];
    files: string[];
    repeated: Record<number, number[]>;
    parts: number;
  };
  let at = 8 + length;
  const names = bytes.toString('hex', at, at + n * 32);
  at += n * 32;
  const column = (): Uint32Array => {
    // Little-endian, as all machines are that run Node.
    const values = new Uint32Array(new Uint8Array(bytes.subarray(at, at + n * 4)).buffer);
    if (values.length !== n) throw new Error('an alignment that is not whole');
    at += n * 4;
    return values;
  };
  const [units, end, reach, file, line] = COLUMNS.map(column) as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  const codes = column();
  const totals = streams.map(column);
  const sums = tallies.map(() => {
    const values = new Float64Array(n);
    for (let i = 0; i < n; i++) values[i] = bytes.readDoubleLE(at + i * 8);
    at += n * 8;
    return values;
  });
  const parts: Part[] = new Array(n);
  for (let i = 0; i < n; i++) {
    parts[i] = {
      name: names.slice(i * 64, i * 64 + 64),
      units: units[i]!,
      end: end[i]!,
      reach: reach[i]!,
      file: file[i]!,
      line: line[i]!,
      codes: bytes.subarray(at, at + codes[i]!),
      totals: totals.map(t => t[i]!),
      tallies: sums.map(t => t[i]!),
    };
    at += codes[i]!;
  }
  if (at !== bytes.length) throw new Error('an alignment that is not whole');
  return { streams, tallies, files, repeated, parts };
};

/** Writes the codes of a part's units, one after another. */
export class CodeWriter {
  #bytes = new Uint8Array(256);
  #length = 0;
  units = 0;
  readonly totals: number[];

  constructor(streams: number) {
    this.totals = new Array<number>(streams).fill(0);
  }

  /** `counts` are the unit's rows by stream; `again` says that the one row that it gave is to be tried again. */
  add(counts: readonly number[], again: boolean): void {
    this.units++;
    let sum = 0;
    let last = 0;
    for (let i = 0; i < counts.length; i++) {
      const n = counts[i]!;
      this.totals[i]! += n;
      sum += n;
      if (n > 0) last = i;
    }
    if (again) {
      this.#push(AGAIN);
      for (const n of counts) this.#varint(n);
    } else if (sum === 1 && last < MANY) this.#push(last);
    else if (sum === counts[0] && sum < 128) this.#push(MANY + sum);
    else {
      this.#push(ESCAPE);
      for (const n of counts) this.#varint(n);
    }
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #varint(n: number): void {
    let rest = n;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#push((rest & 127) | 128);
    this.#push(rest);
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const more = new Uint8Array(this.#length * 2);
      more.set(this.#bytes);
      this.#bytes = more;
    }
    this.#bytes[this.#length++] = byte;
  }
}

/** Calls `unit` for each unit of a part with its rows by stream (the same array each time) and whether to try it again. */
export const eachUnit = (
  codes: Uint8Array,
  streams: number,
  unit: (counts: readonly number[], again: boolean) => void,
): void => {
  const counts = new Array<number>(streams).fill(0);
  for (let at = 0; at < codes.length; ) {
    const code = codes[at++]!;
    counts.fill(0);
    if (code < MANY) counts[code] = 1;
    else if (code < AGAIN) counts[0] = code - MANY;
    else {
      for (let i = 0; i < streams; i++) {
        let n = 0;
        let scale = 1;
        for (;;) {
          const byte = codes[at++]!;
          n += (byte & 127) * scale;
          if (byte < 128) break;
          scale *= 128;
        }
        counts[i] = n;
      }
    }
    unit(counts, code === AGAIN);
  }
};
