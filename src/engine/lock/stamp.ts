/** Whether a build has anything new to write: equal stamps mean that it has not. */
import { digest } from '../../../cache/digest.ts';
import type { NodeSummary } from '../../events.ts';
import type { LockFile } from './lock-file.ts';

/** The lock file as a build found it, and the build's settings: those of `--set` pin nothing. */
export interface BuildLock {
  readonly file: LockFile;
  readonly profiles: readonly string[];
  readonly set: readonly string[];
  /** Drift is an error, and the file is left alone. */
  readonly locked: boolean;
}

export const isDone = ({ state, key }: NodeSummary): boolean =>
  (state === 'built' || state === 'cached') && key !== null;

export const settingsOf = ({ profiles, set }: Pick<BuildLock, 'profiles' | 'set'>): string =>
  [...profiles.map(p => `--profile ${p}`), ...set.map(s => `--set ${s}`)].join(' ');

/** Builds that leave the lock file as it is. */
export const pinsNothing = ({ locked, set }: BuildLock): boolean => locked || set.length > 0;

/** Of the keys, and after them of the lock file, where the build has seen to it. */
export const stampOf = (keys: ReadonlyMap<string, string>, file: LockFile | null): string =>
  `${digest([...keys].flat().join('\n'))} ${file ? digest(file.text ?? '') : ''}`;
