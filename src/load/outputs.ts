/** The outputs that a node has: the ones its stage declares, the ones its options decide, and those of every stage of rows. */
import type { ArtifactType, StageInterface } from '../stages.ts';

export type Outputs = Readonly<Record<string, ArtifactType>>;

/** The ones that the stage itself gives. `options` as they stand in the recipe, defaults filled in or not. */
const given = (stage: StageInterface, options: Readonly<Record<string, unknown>>): Outputs => {
  const { outputs, outputsFromOptions, outputFromOption } = stage;
  if (outputsFromOptions) {
    const sides = Object.keys(options).filter(name => !outputsFromOptions.except.includes(name));
    return { ...outputs, ...Object.fromEntries(sides.map(name => [name, 'rows' as const])) };
  }
  if (outputFromOption) {
    const { option, types } = outputFromOption;
    const name = String(options[option] ?? Object.keys(types)[0]);
    return Object.hasOwn(types, name) ? { ...outputs, [name]: types[name]! } : outputs;
  }
  return outputs;
};

/** Whether the stage makes rows under that name: it then has `rejects` and `dropped`, too, and takes `mostly`. */
export const makesRows = (stage: StageInterface, options: Readonly<Record<string, unknown>>): boolean =>
  stage.rejects !== false && !stage.outputsFromOptions && given(stage, options).rows === 'rows';

export const outputsOf = (stage: StageInterface, options: Readonly<Record<string, unknown>>): Outputs =>
  makesRows(stage, options)
    ? { ...given(stage, options), rejects: 'rows', dropped: 'rows' }
    : { ...given(stage, options) };

/** What a bare reference to the node means; null when it has to say which. */
export const defaultOutput = (stage: StageInterface, options: Readonly<Record<string, unknown>>): string | null => {
  if (stage.default !== undefined) return stage.default;
  if (makesRows(stage, options)) return 'rows';
  return stage.outputFromOption ? (Object.keys(given(stage, options))[0] ?? null) : null;
};
