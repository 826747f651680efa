/**
 * Keeps the answer of a build that found nothing to do, with all that it looked at, so that the next one only looks
 * whether that is still so:
 *
 *   recipe, stages' schemas, users' code, files, folders that globs looked into, lock file, out/
 *   store.db (records, index, history), packs, loose blobs
 *
 * It is kept only if nothing of it had been touched since shortly before the build began: then whatever touches it later
 * is bound to show.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isRacy, isSame, NOTHING, type Sight, sightOf } from '../../../cache/sight.ts';
import { sealStill } from '../../../cache/still.ts';
import type { BuildEvent } from '../../events.ts';
import type { GraphNode } from '../../load/graph.ts';
import { schemaFiles } from '../../stages.ts';
import { treeFiles } from '../artifact.ts';
import type { Engine } from '../engine.ts';
import { lockPath } from '../lock/lock-file.ts';
import { secretNames } from '../secrets.ts';
import type { Answer } from './answer.ts';
import type { Question } from './question.ts';

type Summary = Extract<BuildEvent, { type: 'summary' }>;

/** What the answers kept in one store may take, but for the last: of 100,000 files each takes 14 MB. */
const KEPT_BYTES = 32 << 20;

/**
 * To be called before the store is closed; what it gives is to be called after that. Null when there is nothing to keep.
 */
export const standing = async (
  engine: Engine,
  question: Question,
  nodes: readonly GraphNode[],
  events: readonly BuildEvent[],
): Promise<(() => void) | null> => {
  const answer = answerOf(nodes, events);
  if (!answer || !(await isRepeated(engine, events))) return null;
  const sights = question.recipe && sightsOf(engine, question, nodes, events);
  if (!sights) return null;
  const { store } = engine.project;
  return () => {
    const database = ['store.db', 'store.db-wal'].map(name => look(join(store, name)));
    if (!isSettled(database)) return;
    for (const [path, sight] of [...database, ...storeFiles(store).map(look)]) sights.set(path, sight);
    write(question.file, sealStill(question.text, sights, JSON.stringify(answer)));
  };
};

/** Whether all that was warned of is told at every build: what belongs to a result, not what happened to this build. */
const isRepeated = async ({ records }: Engine, events: readonly BuildEvent[]): Promise<boolean> => {
  for (const event of events) {
    if (event.type !== 'warn') continue;
    const done = events.find(e => e.type === 'done' && e.node === event.node);
    const record = done?.type === 'done' ? await records.get(done.key) : null;
    if (!record?.warnings.includes(event.message)) return false;
  }
  return true;
};

const answerOf = (nodes: readonly GraphNode[], events: readonly BuildEvent[]): Answer | null => {
  const build = events.find(e => e.type === 'build');
  const summary = events.at(-1);
  if (!build || summary?.type !== 'summary' || !isIdle(summary)) return null;
  const { jobs: _, ...begun } = build;
  const told = events.filter(e => e.type === 'warn' || e.type === 'done');
  return {
    build: begun,
    told: told.map(e => (e.type === 'done' ? { ...e, seconds: 0 } : e)),
    nodes: summary.nodes.map(n => ({ ...n, seconds: 0 })),
    secrets: [...new Set(nodes.flatMap(n => secretNames(n)))],
  };
};

const isIdle = ({ ok, nodes }: Summary): boolean => ok && nodes.every(n => n.state === 'cached');

/** All that the answer follows from outside the store; null when some of it may have moved while we looked. */
const sightsOf = (
  { files, store, graph }: Engine,
  { recipe, asked }: Question,
  nodes: readonly GraphNode[],
  events: readonly BuildEvent[],
): Map<string, Sight> | null => {
  for (const node of nodes)
    for (const [path, digest] of Object.entries(node.code)) if (files.find(path)?.digest !== digest) return null;
  for (const event of events) {
    if (event.type !== 'done' || event.out === undefined) continue;
    const output = nodes.find(n => n.name === event.node)?.defaultOutput;
    const tree = treeFiles(store, event.outputs[output ?? '']?.digest ?? '');
    for (const [name, digest] of tree) if (files.find(join(resolve(event.out), name))?.digest !== digest) return null;
  }
  const noted = files.noted();
  if (!noted || !recipe) return null;
  const sights = new Map([[recipe.path, recipe.sight]]);
  for (const [path, { sight }] of noted) sights.set(path, sight);
  for (const path of [lockPath(graph.path), ...schemaFiles()]) sights.set(path, sightOf(path) ?? NOTHING);
  for (const sight of sights.values()) if (isRacy(sight, asked)) return null;
  return sights;
};

const look = (path: string): readonly [string, Sight] => [path, sightOf(path) ?? NOTHING];

/** Coarser than the clock tick of any file system that has nanoseconds, ms. */
const TICK = 20;

/** Waits, if need be, until a change would carry another time than those seen; false if that takes too long. */
const isSettled = (seen: readonly (readonly [string, Sight])[]): boolean => {
  for (const [path, { mtimeNs, ctimeNs }] of seen) {
    const newest = mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
    const left = Number(newest / 1_000_000n) + 1 + TICK - Date.now();
    if (left > TICK + 1) return false;
    // Whole milliseconds: a file system with a coarse clock, perhaps.
    if (left > -2000 && newest !== 0n && newest % 1_000_000n === 0n) return false;
    if (left > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, left);
    if (!isSame(look(path)[1], seen.find(([p]) => p === path)![1])) return false;
  }
  return true;
};

/** Packs and loose blobs lie where the database says; what was last put into out/ is written beside it. */
const storeFiles = (store: string): string[] => [
  join(store, 'outs.json'),
  // Somebody has come upon a bad page of the database.
  join(store, 'damaged'),
  ...['packs', 'blobs'].flatMap(part => filesIn(join(store, part))),
];

const filesIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter(e => e.isFile())
        .map(e => join(e.parentPath, e.name))
    : [];

/** Renamed into place, but not forced to disk: what is not whole after a crash is no answer. */
const write = (file: string, bytes: Uint8Array): void => {
  try {
    const folder = dirname(file);
    mkdirSync(folder, { recursive: true });
    const temp = `${file}.${process.pid}.tmp`;
    writeFileSync(temp, bytes);
    renameSync(temp, file);
    const byAge = filesIn(folder)
      .map(path => ({ path, stat: statSync(path) }))
      .sort((a, b) => b.stat.mtimeMs - a.stat.mtimeMs);
    let total = 0;
    for (const [i, { path, stat }] of byAge.entries())
      if ((total += stat.size) > KEPT_BYTES && i > 0) rmSync(path, { force: true });
  } catch {
    // Only a shortcut for the next build: a full disk must not turn a finished one into a failure.
  }
};
