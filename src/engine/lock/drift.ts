/** What `--locked` is about: whether things stand as the lock file says, and if not, what has drifted. */
import type { Failure } from '../../failure.ts';
import type { GraphNode } from '../../load/graph.ts';
import type { Engine } from '../engine.ts';
import { differences, inWords } from '../fingerprint.ts';
import { findGit, heldByGit } from '../git.ts';
import { type KnownNode, knownKeys } from '../keys.ts';
import type { LockEntry, LockFile } from './lock-file.ts';
import { pinnedBy, pinnedRecord } from './pinned.ts';
import { inputPins, isOfResult, originsIn, type Pins, pathsOf, pinsResult, treeDigest } from './pins.ts';

/** `nodes` are closed under what they depend on. Empty when the build would change nothing in the lock file. */
export const drift = async (
  engine: Engine,
  nodes: readonly GraphNode[],
  file: LockFile,
  profiles: readonly string[],
): Promise<Failure[]> => {
  const profile = profiles.join(',');
  const pinned = pinnedBy(file);
  const known = await knownKeys({ ...engine, pinned }, nodes);
  const held = await heldByGit(
    findGit(engine.graph.folder),
    [...known.values()].flatMap(k => (k.files ? pathsOf(k.node, k.files) : [])),
  );
  const out: Failure[] = [];
  for (const k of known.values()) {
    if (!k.files) continue;
    const entries = file.entries.filter(e => e.node === k.node.name && e.profile === profile);
    const entry = entries.find(e => e.key === (k.print?.key ?? null)) ?? entries[0] ?? null;
    const say = sayer(file, k.node, entry);
    const now = inputPins(k.node, k.files, held);
    const then = Object.fromEntries(Object.entries(entry?.pins ?? {}).filter(([p]) => !isOfResult(p)));
    for (const field of [...new Set([...Object.keys(then), ...Object.keys(now)])].sort()) {
      if (then[field] === now[field]) continue;
      // Git holds them by now: what they are is in the key.
      if (now[field] === undefined && field.startsWith('files.')) continue;
      const words = inputWords(field, then[field], now[field]);
      out.push(say('lock-drift', `${words}${await filesBehind(engine, k, field, then[field])}`));
    }
    if (pinsResult(k.node)) out.push(...(await resultDrift(engine, k, entries, say)));
  }
  const gone =
    nodes.length === engine.graph.nodes.length ? file.entries.filter(e => !nodes.some(n => n.name === e.node)) : [];
  for (const e of gone) {
    const advice = ADVICE;
    out.push({ reason: 'lock-drift', message: `the recipe has no node ${e.node}`, place: placeOf(file, e), advice });
  }
  return out;
};

type Say = (reason: 'lock-drift' | 'lock-missing-result', message: string) => Failure;

const ADVICE = 'if it is meant so, build without --locked (or run: finetune lock), and commit the lock file';

const sayer =
  (file: LockFile, node: GraphNode, entry: LockEntry | null): Say =>
  (reason, message) => ({
    reason,
    message: `${node.name}: ${message}`,
    place: entry ? placeOf(file, entry) : { path: file.shown },
    advice:
      reason === 'lock-drift'
        ? ADVICE
        : 'use the store that has it (FINETUNE_STORE), or build without --locked: it is made again and pinned anew',
  });

const placeOf = (file: LockFile, { line }: LockEntry) => ({
  path: file.shown,
  ...(line === undefined ? {} : { line }),
});

const inputWords = (field: string, then: string | undefined, now: string | undefined): string => {
  const name = field.slice(field.indexOf('.') + 1);
  if (field === 'code')
    return then && now
      ? `its code has changed (${short(then)} is pinned, it is ${short(now)})`
      : unpinned('its code', then);
  if (field.startsWith('env.')) return `${name} is ${now ?? 'not there'}; ${then ?? 'nothing'} is pinned`;
  if (then === undefined || now === undefined) return unpinned(`files of "${name}"`, then);
  const [count = '', were = ''] = [now.split('/')[1], then.split('/')[1]];
  return `files of "${name}" have changed: ${count} of ${short(now)}; ${were} of ${short(then)} are pinned`;
};

const unpinned = (what: string, then: string | undefined): string =>
  then === undefined
    ? `${what} are not in git and not pinned`
    : `${what} are pinned, though git has them now, or there are none`;

/** Which files these are, where the store still has a fingerprint with the pinned ones. */
const filesBehind = async (
  { records, graph }: Engine,
  { node, own }: KnownNode,
  field: string,
  then: string | undefined,
): Promise<string> => {
  const option = field.slice('files.'.length);
  if (!field.startsWith('files.') || then === undefined || !own) return '';
  const history = await records.history(graph.id, node.name);
  for (const key of [history?.key, history?.previous]) {
    const record = key ? await records.get(key) : null;
    const files =
      record && (JSON.parse(record.document) as { files: Record<string, Record<string, string>> }).files[option];
    if (!files || treeDigest(Object.entries(files)) !== then.split('/')[0]) continue;
    const all = differences(record.document, own.document).filter(d => d.path.startsWith(`${field}.`));
    return `: ${all.slice(0, 3).map(inWords).join(', ')}${all.length > 3 ? ` and ${all.length - 3} more` : ''}`;
  }
  return '';
};

const resultDrift = async (
  engine: Engine,
  k: KnownNode,
  entries: readonly LockEntry[],
  say: Say,
): Promise<Failure[]> => {
  const results = entries.filter(e => e.key !== null);
  if (results.length === 0) return [say('lock-drift', 'no result of it is pinned')];
  const wanted = k.print ? results.find(e => e.key === k.print!.key) : results[0];
  if (!wanted) {
    const record = await engine.records.get(results[0]!.key!);
    const all = record ? differences(record.document, k.print!.document).map(inWords) : [];
    const why = all.length > 0 ? `: ${all.slice(0, 3).join('; ')}` : '';
    return [
      say(
        'lock-drift',
        `the result of key ${short(results[0]!.key!)} is pinned, its key is now ${short(k.print!.key)}${why}`,
      ),
    ];
  }
  if (isThere(engine, k, wanted.key!, wanted.pins)) return [];
  // It can be had again, and must then be the same.
  if (Object.keys(originsIn(wanted.pins)).length > 0) return [];
  return [say('lock-missing-result', `the pinned result (key ${short(wanted.key!)}) is not in this store`)];
};

const isThere = ({ store }: Engine, { node }: KnownNode, key: string, pins: Pins): boolean =>
  pinnedRecord({ store, node, print: { key, document: '' }, pins }, null) !== null;

const short = (digest: string): string => digest.slice(0, 12);
