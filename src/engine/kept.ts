/** The folder in which a node keeps what came from elsewhere (pages), from one run to the next: disposable, and in no key. */
import { join } from 'node:path';
import { digest } from '../../cache/digest.ts';
import type { Store } from '../../cache/store.ts';
import type { GraphNode } from '../load/graph.ts';
import { removeSoon } from './remover.ts';

/** `recipe` is the recipe's path relative to the project. */
export const keptFolder = (store: Store, recipe: string, { name, stage }: GraphNode): string =>
  join(store.folder, 'kept', digest(`${recipe}\n${name}\n${stage}`).slice(0, 24));

/** A forced run begins with nothing. Whoever is at work in it meanwhile goes on with what is gone. */
export const forgetKept = (store: Store, folder: string): void => removeSoon(folder, store.scratch());
