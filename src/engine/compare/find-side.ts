/** Finds what a user means by one side of a comparison: a build, a key, a git revision, or the recipe as it stands. */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { Builds, type PastBuild } from '../../../cache/builds.ts';
import { Files } from '../../../cache/files.ts';
import type { NodeRecord } from '../../../cache/records.ts';
import { tags } from '../../../cache/tags.ts';
import { type Failure, FailureError } from '../../failure.ts';
import type { Engine } from '../engine.ts';
import { findGit, type Git } from '../git.ts';
import { knownKeys, needsOf } from '../keys.ts';
import { type LockEntry, parseLock, readLockFile } from '../lock/lock-file.ts';
import { pinnedBy } from '../lock/pinned.ts';
import { inputPins } from '../lock/pins.ts';
import { type Side, type SideNode, sideOf } from './side.ts';
import { openSnapshot } from './snapshot.ts';

export interface FindOptions {
  readonly engine: Engine;
  readonly profiles: readonly string[];
  readonly set: readonly string[];
}

/**
 * `now`; `last`, `previous`, `last~N` or the number of a build; a tag of the store; a key, at least 6 digits of it; else a
 * git revision. Throws FailureError `unknown-side`.
 */
export const findSide = async (what: string, options: FindOptions): Promise<Side> => {
  const { engine } = options;
  if (what === 'now') return await nowSide(engine);
  const builds = new Builds(engine.store.db);
  const numbers = builds.numbers(engine.graph.id);
  const back =
    what === 'previous' ? 1 : /^last(?:~(\d+))?$/.test(what) ? Number(what.slice('last~'.length) || 0) : null;
  if (back !== null) {
    const number = numbers[back];
    if (number === undefined) throw unknown(fewBuilds(what, numbers.length));
    return await buildSide(engine, builds.get(engine.graph.id, number)!);
  }
  if (/^\d{1,9}$/.test(what) && numbers.includes(Number(what)))
    return await buildSide(engine, builds.get(engine.graph.id, Number(what))!);
  const tagged = tags(engine.store.db).get(what);
  if (tagged) return await tagSide(engine, builds, numbers, what, tagged);
  const keyed = /^[0-9a-f]{6,64}$/.test(what) ? await keySide(engine, builds, numbers, what) : null;
  if (keyed) return keyed;
  const git = findGit(engine.graph.folder);
  const commit = git && (await commitOf(git, what));
  if (commit) return await revisionSide(options, git, what, commit);
  const least = numbers.length > 0 ? `last, previous, a number from ${numbers.at(-1)} to ${numbers[0]}` : 'none yet';
  throw unknown({
    reason: 'unknown-side',
    message: `"${what}" is neither a build of this recipe, nor a tag or a key of the store, nor ${git ? 'a revision that git knows' : 'can it be a git revision: this is no repository'}`,
    advice: `builds: ${least}; the recipe as it stands: now`,
  });
};

const unknown = (failure: Failure): FailureError => new FailureError([failure]);

const fewBuilds = (what: string, count: number): Failure => ({
  reason: 'unknown-side',
  message:
    count === 0
      ? 'this recipe has not been built here'
      : `there is no ${what} build: this store remembers ${count === 1 ? 'one' : count} of this recipe`,
  advice: count === 0 ? 'finetune build' : 'compare with the recipe of the last commit: finetune diff HEAD',
});

const nowSide = async (engine: Engine): Promise<Side> => {
  const pinned = pinnedBy(readLockFile(engine.graph.path));
  return sideOf('now', null, engine.graph, await knownKeys({ ...engine, pinned }, engine.graph.nodes));
};

const buildSide = async (engine: Engine, { number, at, settings, keys, wiring }: PastBuild): Promise<Side> => {
  const nodes = new Map<string, SideNode>();
  for (const [name, key] of Object.entries(keys))
    nodes.set(name, await nodeOf(engine, name, key, wiring[name] ?? null));
  return { name: `build ${number}${settings && ` (${settings})`}`, at, nodes };
};

const nodeOf = async ({ records }: Engine, name: string, key: string, wiring: string | null): Promise<SideNode> => {
  const record = await records.get(key);
  const lacks = record ? null : 'its result is no longer in the store';
  return { name, key, document: record?.document ?? null, wiring, record, lacks };
};

/** Results that were given a name; their nodes by the builds that had them. */
const tagSide = async (
  engine: Engine,
  builds: Builds,
  numbers: readonly number[],
  name: string,
  keys: readonly string[],
): Promise<Side> => {
  const found = new Map<string, SideNode>();
  const left = new Set(keys);
  for (const number of numbers) {
    const build = left.size > 0 ? builds.get(engine.graph.id, number) : null;
    for (const [node, key] of Object.entries(build?.keys ?? {}))
      if (left.delete(key)) found.set(node, await nodeOf(engine, node, key, build!.wiring[node] ?? null));
  }
  for (const { key, node } of left.size > 0 ? engine.records.all() : [])
    if (left.has(key) && node !== null && !found.has(node)) found.set(node, await nodeOf(engine, node, key, null));
  const order = new Map(engine.graph.nodes.map((n, i) => [n.name, i]));
  const place = (node: string) => order.get(node) ?? order.size;
  const nodes = new Map([...found].sort(([a], [b]) => place(a) - place(b)));
  return { name: `tag ${name}`, at: Math.max(...[...nodes.values()].map(n => n.record?.made ?? 0)) || null, nodes };
};

/** The one node that had a result under this key, in any build that is remembered. */
const keySide = async (
  engine: Engine,
  builds: Builds,
  numbers: readonly number[],
  prefix: string,
): Promise<Side | null> => {
  for (const number of numbers) {
    const { keys, wiring } = builds.get(engine.graph.id, number)!;
    const found = Object.entries(keys).find(([, key]) => key.startsWith(prefix));
    if (!found) continue;
    const node = await nodeOf(engine, ...found, wiring[found[0]] ?? null);
    return {
      name: `${found[0]} ${found[1].slice(0, 12)}`,
      at: node.record?.made ?? null,
      nodes: new Map([[found[0], node]]),
    };
  }
  return null;
};

const commitOf = async (git: Git, what: string): Promise<string | null> => {
  if (what.startsWith('-')) return null;
  try {
    return (await git.run(['rev-parse', '--verify', '--quiet', '--end-of-options', `${what}^{commit}`]))
      .toString()
      .trim();
  } catch (error) {
    if (error instanceof FailureError && error.failures[0]!.reason === 'git-failed') return null;
    throw error;
  }
};

const revisionSide = async (
  { engine, profiles, set }: FindOptions,
  git: Git,
  what: string,
  commit: string,
): Promise<Side> => {
  const recipe = realpathSync(engine.graph.path);
  const snapshot = await openSnapshot({ git, commit, shown: what, recipe, profiles, set });
  try {
    const { graph, lock, held, folder } = snapshot;
    const entries = lock === null ? [] : tryParse(lock);
    const pinned = pinnedBy({ path: '', shown: '', text: lock, entries });
    const files = new Files(join(folder, 'files'));
    const known = await knownKeys({ ...engine, graph, files, pinned }, graph.nodes);
    const profile = profiles.join(',');
    const locked = new Map<string, NodeRecord>();
    const gone = new Set<string>();
    for (const { node, files: read } of known.values()) {
      const entry = entries.find(e => e.node === node.name && e.profile === profile);
      const record = entry?.key ? await engine.records.get(entry.key) : null;
      if (record) locked.set(node.name, record);
      // Files of today stand in for those that git does not hold: only where they are still what was pinned then.
      const now = entry && read ? inputPins(node, read, held) : {};
      const moved = Object.entries(now).some(([pin, value]) => pin.startsWith('files.') && entry!.pins[pin] !== value);
      if (moved || needsOf(node).some(n => gone.has(n))) gone.add(node.name);
    }
    const time = Number((await git.run(['show', '-s', '--format=%ct', commit])).toString().trim());
    const name = commit.startsWith(what) ? what : `${what} (${commit.slice(0, 7)})`;
    return sideOf(name, time, graph, known, {
      untrue: node => (gone.has(node) ? 'files that are not in git have changed since' : null),
      locked: node => locked.get(node) ?? null,
    });
  } finally {
    snapshot.remove();
  }
};

const tryParse = (text: string): readonly LockEntry[] => {
  try {
    return parseLock(text, '');
  } catch {
    // It only adds what the files themselves do not say.
    return [];
  }
};
