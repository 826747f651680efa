/** Brings the lock file to what its nodes stand on now; lines of other nodes and profiles stay as they are. */
import { join } from 'node:path';
import { canonical, digest } from '../../../cache/digest.ts';
import { lock as take } from '../../../cache/lock.ts';
import type { NodeRecord } from '../../../cache/records.ts';
import type { InputFile } from '../../../stages/contract.ts';
import type { GraphNode } from '../../load/graph.ts';
import type { Engine } from '../engine.ts';
import { findGit, heldByGit } from '../git.ts';
import { formatLock, type LockEntry, type LockFile, readLockFile, writeLockFile } from './lock-file.ts';
import { inputPins, isOfResult, isPinned, originsIn, type Pins, pathsOf, pinsResult, resultPins } from './pins.ts';

/** A node as it stands. */
export interface Standing {
  readonly node: GraphNode;
  readonly files: Readonly<Record<string, readonly InputFile[]>>;
  /** Null while the node is not built: then the result that is pinned stays pinned. */
  readonly result: { readonly key: string; readonly record: NodeRecord } | null;
}

export interface Updated {
  readonly file: LockFile;
  /** Nodes whose line is new or another than before. */
  readonly pinned: readonly string[];
  /** Of those, the ones whose result is another under the same key. */
  readonly remade: readonly string[];
  /** Nodes that had a line and have none any more. */
  readonly released: readonly string[];
}

/** Two at once take turns: each keeps what the other has pinned. */
export const updateLock = async (
  { graph, store }: Engine,
  profiles: readonly string[],
  standing: readonly Standing[],
): Promise<Updated> => {
  const turn = join(store.folder, 'locks', `lock-file-${digest(graph.path).slice(0, 24)}`);
  const release = await take(turn, new AbortController().signal);
  try {
    const before = readLockFile(graph.path);
    const profile = profiles.join(',');
    const pins = standing.filter(
      s => s.node.files.length > 0 || s.node.environment || Object.keys(s.node.code).length > 0,
    );
    const held = await heldByGit(
      findGit(graph.folder),
      pins.flatMap(s => pathsOf(s.node, s.files)),
    );
    const mine = (e: LockEntry, name: string) => e.node === name && e.profile === profile;
    const now = new Map(
      standing.map(s => [
        s.node.name,
        entryOf(
          s,
          profile,
          before.entries.filter(e => mine(e, s.node.name)),
          held,
        ),
      ]),
    );
    const known = new Set(graph.nodes.map(n => n.name));
    const kept = before.entries.filter(e => known.has(e.node) && !(e.profile === profile && now.has(e.node)));
    const entries = [...kept, ...[...now.values()].filter(e => e !== null)];
    const lines = new Set(before.entries.map(e => formatLock([e])));
    const changed = [...now.values()].filter(e => e !== null && !lines.has(formatLock([e]))).map(e => e!);
    const released = [...new Set(before.entries.map(e => e.node))].filter(n => !entries.some(e => e.node === n));
    const same = formatLock(entries) === formatLock(before.entries);
    const text = same ? before.text : writeLockFile(before.path, entries);
    return {
      file: { ...before, text, entries },
      pinned: changed.map(e => e.node),
      remade: changed
        .filter(e => before.entries.some(o => mine(o, e.node) && o.key !== null && o.key === e.key))
        .map(e => e.node),
      released,
    };
  } finally {
    release();
  }
};

/** Null when there is nothing to pin. */
const entryOf = (
  { node, files, result }: Standing,
  profile: string,
  before: readonly LockEntry[],
  held: (path: string) => boolean,
): LockEntry | null => {
  const inputs = inputPins(node, files, held);
  // What the next build tries again is not final yet.
  const isOpen = (result?.record.tallies.again ?? 0) > 0;
  const key = pinsResult(node) && !isOpen ? (result?.key ?? before.find(e => e.key !== null)?.key ?? null) : null;
  const old = before.find(e => e.key === key);
  const kept: Pins = Object.fromEntries(Object.entries(old?.pins ?? {}).filter(([p]) => isOfResult(p)));
  // The time of another run with the same result is no news.
  const pins =
    key === null ? {} : !result || (old && isNoNews(result.record, old.pins)) ? kept : resultPins(result.record);
  const all = { ...inputs, ...pins };
  return Object.keys(all).length === 0 ? null : { node: node.name, profile, key, pins: all };
};

/** A record without origins was made of what is pinned. */
const isNoNews = (record: NodeRecord, pins: Pins): boolean =>
  isPinned(record, pins) && (!record.origins || canonical(record.origins) === canonical(originsIn(pins)));
