/**
 * Blobs that were there when a node was looked up, and could not be read when they were needed: which of what the node read
 * is wrong, so that only that is made again.
 */
import { reach } from '../../cache/reach.ts';
import type { Store } from '../../cache/store.ts';
import { verify } from '../../cache/verify.ts';
import type { Artifact } from './artifact.ts';

/** How often a node may be tried again. */
export const REWINDS = 3;

/** Reads all of the artifacts; what is wrong is set aside, so that it will be made again. Whether anything was. */
export const isDamaged = (store: Store, artifacts: Readonly<Record<string, Artifact>>): boolean => {
  store.recheck();
  const blobs = new Set<string>();
  for (const part of reach(store, { outputs: artifacts, alignment: null }))
    for (const blob of part.blobs) blobs.add(blob);
  return verify(store, blobs).wrong.length > 0;
};
