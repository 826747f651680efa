/**
 * Parquet's hybrid of run lengths and packed bits, which its levels and dictionary indices are written in (parquet-format,
 * Encodings.md). Strict about what it is given: of a damaged file any number may be anything.
 */

/** Fills `out` with the runs at the beginning of `bytes`, whose values have `width` bits (up to 32). */
export const unpackRuns = (bytes: Uint8Array, width: number, out: Uint8Array | Int32Array): void => {
  if (width > 32) throw new Error(`values of ${width} bits`);
  let at = 0;
  let seen = 0;
  const byte = (): number => {
    if (at >= bytes.length) throw new Error('runs end too early');
    return bytes[at++]!;
  };
  while (seen < out.length) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const b = byte();
      header += (b & 127) * 2 ** shift;
      if (b < 128) break;
      if (shift > 28) throw new Error('a run cannot be that long');
    }
    const half = Math.floor(header / 2);
    if (half === 0) throw new Error('a run of nothing');
    if (header % 2 === 0) {
      let value = 0;
      for (let i = 0; i * 8 < width; i++) value |= byte() << (i * 8);
      const to = Math.min(out.length, seen + half);
      out.fill(value, seen, to);
      seen = to;
    } else {
      const to = Math.min(out.length, seen + half * 8);
      const packed = bytes.subarray(at, at + half * width);
      if (packed.length * 8 < (to - seen) * width) throw new Error('runs end too early');
      unpackBits(packed, width, out.subarray(seen, to));
      at += packed.length;
      seen = to;
    }
  }
};

const unpackBits = (packed: Uint8Array, width: number, out: Uint8Array | Int32Array): void => {
  let held = 0;
  let bits = 0;
  let at = 0;
  if (width <= 24) {
    const mask = (1 << width) - 1;
    for (let i = 0; i < out.length; i++) {
      for (; bits < width; bits += 8) held |= packed[at++]! << bits;
      out[i] = held & mask;
      held >>>= width;
      bits -= width;
    }
    return;
  }
  // Up to 39 bits, more than a 32-bit word holds.
  const span = 2 ** width;
  for (let i = 0; i < out.length; i++) {
    for (; bits < width; bits += 8) held += packed[at++]! * 2 ** bits;
    out[i] = held % span;
    held = Math.floor(held / span);
    bits -= width;
  }
};

/** Bits that it takes to write the numbers up to `most`. */
export const bitWidth = (most: number): number => 32 - Math.clz32(most);
