/**
 * Embeddings as they are compared: whole numbers of one byte, which are as good as the model's own to about a thousandth of a
 * cosine, and with which all further arithmetic is exact, so that machines agree on it.
 *
 *   sum of squares u32, then the vector, i8 each
 */

/** Null for a vector without a direction. */
export const quantize = (vector: ArrayLike<number>): Int8Array | null => {
  let most = 0;
  for (let i = 0; i < vector.length; i++) most = Math.max(most, Math.abs(vector[i]!));
  if (!(most > 0) || !Number.isFinite(most)) return null;
  const out = new Int8Array(vector.length);
  for (let i = 0; i < vector.length; i++) out[i] = Math.round((vector[i]! / most) * 127);
  return out;
};

const HEAD = 4;

export const encodeVector = (vector: Int8Array): Uint8Array => {
  const out = new Uint8Array(HEAD + vector.length);
  let squares = 0;
  for (const x of vector) squares += x * x;
  new DataView(out.buffer).setUint32(0, squares, true);
  new Int8Array(out.buffer, HEAD).set(vector);
  return out;
};

/** Of two vectors as `encodeVector` gives them. Millions are compared: no view is made of either. */
export const cosine = (a: Uint8Array, b: Uint8Array): number => {
  let dot = 0;
  const { length } = a;
  for (let i = HEAD; i < length; i++) dot = (dot + ((a[i]! << 24) >> 24) * ((b[i]! << 24) >> 24)) | 0;
  return dot / Math.sqrt(squaresOf(a) * squaresOf(b));
};

const squaresOf = (bytes: Uint8Array): number =>
  (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
