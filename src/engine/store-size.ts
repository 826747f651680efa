/** How much the store may take: `FINETUNE_STORE_SIZE`, else 50 GB, but no more than a quarter of the disk. */
import { statfsSync } from 'node:fs';
import { fail } from '../failure.ts';

const DEFAULT = 50e9;
const SHARE = 0.25;

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/** "10GB", "500 MB", "1.5t", "0"; null for anything else. */
export const parseSize = (text: string): number | null => {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*$/i.exec(text) ?? [];
  return number === undefined ? null : Math.floor(Number(number) * UNITS[unit!.toLowerCase()]!);
};

/** "12.3 KB", "4.5 MB", "1.20 GB". */
export const sizeInWords = (n: number): string =>
  n < 1e6 ? `${(n / 1e3).toFixed(1)} KB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(2)} GB`;

/** Bytes; Infinity where there is no limit. Throws FailureError. */
export const storeSize = (env: NodeJS.ProcessEnv, folder: string): number => {
  const given = env.FINETUNE_STORE_SIZE;
  if (given === undefined || given === '') {
    const { blocks, bsize } = statfsSync(folder);
    return Math.min(DEFAULT, blocks * bsize * SHARE);
  }
  if (given === 'off') return Infinity;
  return parseSize(given) ?? fail('usage', `FINETUNE_STORE_SIZE takes a size such as 80GB, or off, not "${given}"`);
};
