/** One named entry of a recipe as it stands there: its keys known, its stage found, its axes read; options come later. */
import type { Failure, Place } from '../failure.ts';
import {
  SECTIONS,
  type Section,
  type StageSchema,
  stageModule,
  stageNames,
  stageSchema,
  type UserStageSays,
} from '../stages.ts';
import { interpolate } from './interpolate.ts';
import { type Axis, readAxes } from './matrix.ts';
import { didYouMean, nearest } from './suggest.ts';
import { userStage } from './user-stage.ts';
import { isMap, type Map_, type Path, type Value } from './value.ts';

/** What is known of an entry once its stage has been found. */
export interface Found {
  /** `transforms/sentences`, or the user's path. */
  readonly stage: string;
  readonly module: string;
  readonly version: number | string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly code: Readonly<Record<string, string>>;
  readonly schema: StageSchema;
  /** Of a user's stage. */
  readonly says?: UserStageSays;
}

export interface Entry {
  readonly section: Section;
  readonly name: string;
  readonly uses: string;
  /** Null when there is no such stage, or the entry is too wrong to look for one. */
  readonly found: Found | null;
  /** As written, not interpolated yet. */
  readonly from: Value | undefined;
  readonly with: Map_;
  readonly resources: Value | undefined;
  readonly axes: readonly Axis[];
  /** False when its matrix is wrong: then nothing is said of axes that are missing. */
  readonly sure: boolean;
  /** False when options cannot be judged. */
  readonly clean: boolean;
}

export interface LoadContext {
  readonly vars: Readonly<Record<string, Value>>;
  /** The recipe's. */
  readonly folder: string;
  place(path: Path, key?: boolean): Place;
  fail(failure: Failure): void;
}

/** A context, and the entry that is being read. */
export interface EntryContext extends LoadContext {
  readonly section: Section;
  readonly name: string;
}

const KEYS = ['uses', 'from', 'with', 'matrix', 'resources'];

/** Whatever is wrong is told to `fail`. */
export const readEntry = async (section: Section, name: string, raw: Value, context: LoadContext): Promise<Entry> => {
  const { place, fail } = context;
  const at = [section, name];
  const none: Entry = {
    ...{ section, name, uses: '', found: null, from: undefined, with: {}, resources: undefined },
    ...{ axes: [], sure: false, clean: false },
  };
  if (!isMap(raw)) {
    interpolate(raw, at, context);
    fail({ reason: 'wrong-type', message: `${name} must be a map with "uses"`, place: place(at, true) });
    return none;
  }
  const { from, misplaced } = checkKeys(raw, at, context);
  let sure = true;
  const strict = (f: Failure): void => {
    sure = false;
    fail(f);
  };
  const matrix = interpolate(raw.matrix ?? null, [...at, 'matrix'], { ...context, fail: strict });
  const axes = sure ? readAxes(matrix, { ...context, of: name, at: [...at, 'matrix'] }) : null;
  const common = { ...none, from, resources: raw.resources, axes: axes ?? [], sure: axes !== null };
  const uses = typeof raw.uses === 'string' ? interpolate(raw.uses, [...at, 'uses'], context) : raw.uses;
  if (typeof uses !== 'string') {
    const missing = raw.uses === undefined;
    const message = missing ? `${name} needs "uses": the stage it runs` : `uses of ${name} must be the name of a stage`;
    const where = missing ? place(at, true) : place([...at, 'uses']);
    fail({ reason: missing ? 'missing-input' : 'wrong-type', message, place: where });
    return common;
  }
  const input = { section, name, ...context };
  const found = /^\.{0,2}\//.test(uses) ? await userStage(uses, input) : builtIn(uses, input);
  const given = raw.with ?? {};
  if (isMap(given)) return { ...common, uses, found, with: given, clean: !misplaced };
  const message = `"with" of ${name} must be a map of options`;
  if (found) fail({ reason: 'wrong-type', message, place: place([...at, 'with']) });
  return { ...common, uses };
};

/** What was meant by a misspelt key is often clear enough to spare the mistakes that would follow. */
const checkKeys = (
  raw: Map_,
  at: readonly string[],
  { place, fail }: LoadContext,
): { readonly from: Value | undefined; readonly misplaced: boolean } => {
  const section = at[0] as Section;
  let { from } = raw;
  let misplaced = false;
  for (const key of Object.keys(raw)) {
    if (KEYS.includes(key)) continue;
    const known = typeof raw.uses === 'string' && stageNames(section).includes(raw.uses);
    const properties = known ? stageSchema(section, raw.uses as string).properties : undefined;
    const isOption = properties !== undefined && Object.hasOwn(properties, key);
    const meant = nearest(key, KEYS);
    if (meant === 'from') from ??= raw[key];
    if (meant === 'with' || isOption) misplaced = true;
    fail({
      reason: 'unknown-key',
      message: `"${key}" is not a key of a node${isOption ? `; options of ${String(raw.uses)} stand under "with"` : didYouMean(key, KEYS)}`,
      place: place([...at, key], true),
    });
  }
  return { from, misplaced };
};

const builtIn = (uses: string, { section, name, place, fail }: EntryContext): Found | null => {
  if (stageNames(section).includes(uses)) {
    const schema = stageSchema(section, uses);
    const stage = `${section}/${uses}`;
    return { stage, module: stageModule(stage), version: schema.stage.version, code: {}, schema };
  }
  const elsewhere = SECTIONS.find(s => stageNames(s).includes(uses));
  const more = elsewhere ? `; ${uses} belongs under ${elsewhere}` : didYouMean(uses, stageNames(section), 40);
  const advice = /\.[cm]?[jt]s$/.test(uses) ? { advice: `a file of your own is named with its folder: ./${uses}` } : {};
  fail({
    reason: 'unknown-stage',
    message: `${section} have no stage "${uses}"${more}`,
    place: place([section, name, 'uses']),
    ...advice,
  });
  return null;
};
