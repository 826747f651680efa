/** Everything a command needs to work on one recipe: the graph, its project, and the store, opened and closed together. */
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { Files } from '../../cache/files.ts';
import { Records } from '../../cache/records.ts';
import { distrust, isDamage, isDistrusted, salvage } from '../../cache/salvage.ts';
import { StoreVersion } from '../../cache/schema.ts';
import { Store } from '../../cache/store.ts';
import { type Failure, FailureError, fail, systemFailure } from '../failure.ts';
import { closure, type Graph, type GraphNode } from '../load/graph.ts';
import { loadGraphFrom } from '../load/remembered.ts';
import { select } from '../load/select.ts';
import { findProject, isShared, type Project } from './project.ts';
import { teamOf } from './team.ts';

export interface EngineOptions {
  readonly recipe: string;
  readonly profiles: readonly string[];
  readonly set: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface Engine {
  readonly graph: Graph;
  readonly project: Project;
  readonly store: Store;
  readonly records: Records;
  readonly files: Files;
  /** What happened to a store that was found damaged, for people to know. */
  readonly salvaged: string | null;
  close(): void;
}

export const loadGraph = async (options: EngineOptions): Promise<{ graph: Graph; project: Project }> => {
  const path = resolve(options.recipe);
  const project = findProject(path, options.env);
  const graph = await loadGraphFrom(join(project.store, 'graphs'), {
    path,
    project: project.folder,
    shared: isShared(project),
    profiles: options.profiles,
    set: options.set,
  });
  return { graph, project };
};

/** Throws FailureError: the recipe's mistakes, or a store that cannot be opened. */
export const openEngine = async (options: EngineOptions): Promise<Engine> => {
  const { graph, project } = await loadGraph(options);
  const { store, salvaged, records } = openBoth(options.env, project);
  const files = new Files(join(project.store, 'files.bin'));
  return {
    graph,
    project,
    store,
    files,
    records,
    salvaged,
    close: () => {
      records.close();
      try {
        files.save();
        records.save();
      } catch {
        // Only a shortcut for the next build: a full disk must not turn a finished one into a failure.
      }
      store.close();
    },
  };
};

/** Once more where the tables prove not to be as they were made: what they hold is saved first. */
const openBoth = (
  env: NodeJS.ProcessEnv,
  project: Project,
  last = false,
): Pick<Engine, 'store' | 'salvaged' | 'records'> => {
  const { store, salvaged } = openSound(project);
  try {
    return { store, salvaged, records: openRecords(env, store) };
  } catch (error) {
    if (last || !isDamage(error)) throw error;
    distrust(project.store);
    return openBoth(env, project, true);
  }
};

/** Throws FailureError when the environment names a team's records or blobs by what is no URL. */
const openRecords = (env: NodeJS.ProcessEnv, store: Store): Records => {
  try {
    const records: Records = new Records(
      store.db,
      teamOf(env, store, message => records.onWarning(message)),
    );
    return records;
  } catch (error) {
    store.close();
    throw error;
  }
};

export const openStore = (project: Project): Store => openSound(project).store;

const openSound = (project: Project): Pick<Engine, 'store' | 'salvaged'> => {
  try {
    const { store, salvaged } = openOrSalvage(project.store);
    // Nobody wants it in git; a project of its own then needs no line for it.
    const ignore = join(project.store, '.gitignore');
    if (!existsSync(ignore)) writeFileSync(ignore, '*\n');
    return { store, salvaged };
  } catch (error) {
    if (error instanceof StoreVersion)
      return fail('store-version', error.message, {
        advice: 'use a matching finetune, or another store: FINETUNE_STORE=<folder>',
      });
    const code = (error as { errcode?: number }).errcode;
    if (code === 11 || code === 26) {
      return fail('store-corrupt', `${join(project.store, 'store.db')} is damaged: ${(error as Error).message}`, {
        advice: `move ${project.store} aside; everything in it can be built again`,
      });
    }
    const { code: errno } = error as { code?: string };
    if (errno === 'EEXIST' || errno === 'ENOTDIR' || errno === 'ENOENT') {
      return fail('read-only', `the store cannot be at ${project.store}: no folder can be made there`, {
        advice: 'move what is in the way, or name another folder: FINETUNE_STORE=<folder>',
      });
    }
    const known = systemFailure(code === 14 ? { code: 'EACCES', path: project.store } : error, 'opening the store');
    if (known) throw new FailureError([known]);
    throw error;
  }
};

const openOrSalvage = (folder: string): Pick<Engine, 'store' | 'salvaged'> => {
  try {
    if (!isDistrusted(folder)) return { store: new Store(folder), salvaged: null };
  } catch (error) {
    if (!isDamage(error)) throw error;
    distrust(folder);
  }
  const salvaged = salvage(folder);
  return { store: new Store(folder), salvaged };
};

/** The nodes that people name: each a node, a variant (`loss@r=8`), or a node of which all variants are meant. */
export const namedNodes = (graph: Graph, names: readonly string[]): readonly GraphNode[] => {
  const wrong: Failure[] = [];
  const nodes = new Set<GraphNode>();
  for (const name of names) {
    const chosen = select(graph, name);
    if (typeof chosen === 'string') wrong.push({ reason: 'unknown-node', message: chosen });
    else if (chosen.output !== null)
      wrong.push({
        reason: 'unknown-node',
        message: `the recipe has no node "${name}": ${chosen.output} is an output`,
      });
    else for (const node of chosen.nodes) nodes.add(node);
  }
  if (wrong.length > 0) throw new FailureError(wrong);
  return [...nodes];
};

/** The nodes asked for and all that they need; every node when none is named. */
export const selectNodes = (graph: Graph, names: readonly string[]): readonly GraphNode[] =>
  names.length === 0
    ? graph.nodes
    : closure(
        graph,
        namedNodes(graph, names).map(n => n.name),
      );

export const defaultJobs = (): number => availableParallelism();
