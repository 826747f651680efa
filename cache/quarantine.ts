/**
 * Bad blobs, set aside with the reason for people who want to know what happened to their disk: the newest few, for a
 * while. Nothing ever reads them again.
 *
 *   quarantine/<digest>        the bytes as they lay in the store
 *   quarantine/<digest>.json   {"why", "from", "at"}
 */
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { disk } from './disk.ts';
import { makeFolder } from './durable.ts';

const KEPT = 100;
const KEPT_BYTES = 256 << 20;
const KEPT_MS = 30 * 86_400_000;

/** `bytes` as they can be read, or a file that is to be moved. Fails silently: the store is better off in any case. */
export const quarantine = (
  folder: string,
  digest: string,
  why: string,
  bad: { bytes(): Uint8Array; readonly from: string } | { readonly file: string },
): void => {
  const path = join(folder, 'quarantine', digest);
  try {
    makeFolder(join(folder, 'quarantine'));
    if ('file' in bad) disk.rename(bad.file, path);
    else writeFileSync(path, bad.bytes());
    const from = 'file' in bad ? bad.file : bad.from;
    writeFileSync(`${path}.json`, `${JSON.stringify({ why, from, at: new Date().toISOString() })}\n`);
    trimQuarantine(folder);
  } catch {
    if ('file' in bad) disk.remove(bad.file);
  }
};

/** Removes the oldest beyond what is kept. */
export const trimQuarantine = (folder: string, now = Date.now()): void => {
  const at = join(folder, 'quarantine');
  if (!existsSync(at)) return;
  const all = readdirSync(at)
    .filter(name => !name.endsWith('.json'))
    .flatMap(name => {
      const stat = statSync(join(at, name), { throwIfNoEntry: false });
      return stat ? [{ name, size: stat.size, set: stat.ctimeMs }] : [];
    })
    .sort((a, b) => b.set - a.set);
  let bytes = 0;
  for (const [i, { name, size, set }] of all.entries()) {
    bytes += size;
    if (i < KEPT && bytes <= KEPT_BYTES && now - set < KEPT_MS) continue;
    for (const file of [name, `${name}.json`]) disk.remove(join(at, file));
  }
};
