/**
 * How long the reliability tests go on: FINETUNE_EFFORT=20 (`npm run test:long`) does twenty times what CI does. Each test
 * prints its seed; FINETUNE_SEED does the same again.
 */
export const EFFORT = Number(process.env.FINETUNE_EFFORT ?? 1);

export const SEED = Number(process.env.FINETUNE_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** So many in CI. */
export const often = (count: number): number => Math.ceil(count * EFFORT);

/** For a test that takes so many seconds in CI, on a machine that has much else to do. */
export const within = (seconds: number): number => seconds * 1000 * 10 * Math.max(1, EFFORT);
