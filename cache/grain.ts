/**
 * How finely data is cut into chunks and stretches. Tests cut it finely (FINETUNE_GRAIN=fine), so that a hundred rows have as
 * many borders as a hundred thousand; results cut otherwise have other digests, so a project keeps to one.
 */
const fine = process.env.FINETUNE_GRAIN === 'fine';

/** A chunk of rows ends after one in so many, a power of two. */
export const CHUNK_ROWS = fine ? 4 : 128;

/** Bytes of a stretch of a file: no border before the least; then one in so many, a power of two; at most. */
export const STRETCH = fine ? { least: 64, one: 256, most: 2048 } : { least: 48 << 10, one: 16 << 10, most: 256 << 10 };

/** When no more than this share of all rows is reached by an edit, they alone are dealt anew. */
export const FEW = fine ? 0.6 : 0.05;
