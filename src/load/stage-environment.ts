/** What a built-in stage runs besides its own module, where its options say so: a program in another language, its packages. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonical, digest } from '../../cache/digest.ts';
import { type StageSchema, stagesFolder } from '../stages.ts';
import type { Value } from './value.ts';

export interface StageEnvironment {
  /** For the key: a digest by the value of the option. */
  readonly environment: Readonly<Record<string, string>>;
  /** Digests of the files, by absolute path. */
  readonly code: Readonly<Record<string, string>>;
}

export const stageEnvironment = (
  { stage }: StageSchema,
  options: Readonly<Record<string, Value>>,
): StageEnvironment | null => {
  const found = stage.environment?.find(e => options[e.option] === e.is);
  if (!found) return null;
  const names = globSync([...found.files], { cwd: stagesFolder() }).sort();
  const files = names.map(name => [name, digest(readFileSync(join(stagesFolder(), name)))] as const);
  return {
    environment: { [found.is]: digest(canonical(Object.fromEntries(files))) },
    code: Object.fromEntries(files.map(([name, d]) => [join(stagesFolder(), name), d])),
  };
};
