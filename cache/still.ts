/**
 * Whether all that an answer was made of is still as it was: paths with their sights, kept beside the answer. Many paths
 * are gone through in one go, without a promise, a digest or a parser: 10,000 take 25 ms, most of it the kernel's.
 */
import { readSealed, seal } from './sealed.ts';
import { NOTHING, type Sight, sightOf } from './sight.ts';
import { fromSights, Sights } from './sights.ts';

/** `of` says what the answer is to, and by whom; `answer` is the caller's. */
export const sealStill = (of: string, sights: ReadonlyMap<string, Sight>, answer: string): Uint8Array =>
  seal([
    Buffer.from(of),
    Buffer.from(answer),
    fromSights([...sights.values()]),
    // No path holds a zero byte.
    Buffer.from([...sights.keys()].join('\0')),
  ]);

/** The answer to `of` that is kept in a file; null when there is none, or one of the paths is not as it was. */
export const readStill = (file: string, of: string): string | null => {
  const [about, answer, block, names] = readSealed(file) ?? [];
  if (!about || !answer || !block || !names || about.toString() !== of) return null;
  const sights = new Sights(block);
  const paths = names.toString().split('\0');
  if (sights.length !== paths.length) return null;
  try {
    for (const [i, path] of paths.entries()) if (!sights.isAt(i, sightOf(path) ?? NOTHING)) return null;
  } catch {
    return null;
  }
  return answer.toString();
};
