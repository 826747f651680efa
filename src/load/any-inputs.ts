/** The inputs of a stage that takes whatever it is given: the recipe names them, and their types are those of what it refers to. */
import type { Failure, Place } from '../failure.ts';
import type { ArtifactType, Port } from '../stages.ts';
import type { GraphNode, Reference } from './graph.ts';
import type { Path, Value } from './value.ts';

interface Asked {
  readonly from: Value | undefined;
  /** What the input of a bare `from: node` is called. */
  readonly bare: string;
  /** Whether the names become those of environment variables. */
  readonly inEnvironment: boolean;
  /** Path of `from`. */
  readonly at: Path;
  place(path: Path, key?: boolean): Place;
  fail(failure: Failure): void;
  /** Empty where there is a mistake, which has been told. */
  resolve(reference: Value, at: Path): readonly Reference[];
  typeOf(reference: Reference): ArtifactType;
}

const NAME = /^[a-z][a-z0-9_-]*$/;

export const anyInputs = ({
  from,
  bare,
  inEnvironment,
  at,
  place,
  fail,
  resolve,
  typeOf,
}: Asked): GraphNode['inputs'] => {
  if (from === undefined || from === null) return {};
  const inputs: Record<string, { port: Port; from: readonly Reference[] }> = {};
  const named = typeof from === 'object' && !Array.isArray(from);
  /** By the name in the environment. */
  const taken = new Map<string, string>();
  for (const [name, value] of named ? Object.entries(from) : [[bare, from] as const]) {
    const path = named ? [...at, name] : at;
    const word = name.replaceAll('-', '_');
    const before = inEnvironment ? taken.get(word) : undefined;
    const why = !NAME.test(name)
      ? `"${name}" is not a name: small letters, digits, "_" and "-", a letter first`
      : before !== undefined
        ? `"${before}" and "${name}" would both be IN_${word} in the environment`
        : null;
    if (why !== null) {
      fail({ reason: 'invalid-name', message: why, place: place(path, true) });
      continue;
    }
    taken.set(word, name);
    const references = resolve(value, path);
    if (references[0]) inputs[name] = { port: { type: typeOf(references[0]) }, from: references };
  }
  return inputs;
};
