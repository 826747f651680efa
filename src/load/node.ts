/** Makes a node of one variant of an entry: options interpolated, checked by the stage's schema, defaults filled in. */
import type { Failure, Place } from '../failure.ts';
import type { OptionSchema, Section, StageSchema } from '../stages.ts';
import { check } from './check.ts';
import type { Entry, Found, LoadContext } from './entry.ts';
import type { Expanded, Variant } from './expand.ts';
import type { FileOption } from './graph.ts';
import { axesIn, interpolate, wholeAxis } from './interpolate.ts';
import { makesRows } from './outputs.ts';
import { type Resources, readResources } from './resources.ts';
import { takeSecrets } from './take-secrets.ts';
import type { Map_, Path, Value } from './value.ts';

/** A node whose references are not resolved yet. */
export interface Draft extends Found {
  /** The variant's. */
  readonly name: string;
  readonly section: Section;
  readonly uses: string;
  readonly entry: Entry;
  readonly variant: Variant;
  readonly options: Map_;
  readonly unkeyed: readonly string[];
  readonly elsewhere: boolean;
  readonly files: readonly FileOption[];
  readonly mostly: number;
  readonly resources: Resources | null;
}

const complete = { rows: new WeakMap<StageSchema, object>(), other: new WeakMap<StageSchema, object>() };

/**
 * The schema with every option that a node can have: one object for each stage (two where an option decides whether it makes
 * rows), since compiling it takes milliseconds.
 */
const checked = (schema: StageSchema, properties: object, of: keyof typeof complete): object => {
  let known = complete[of].get(schema);
  if (!known) complete[of].set(schema, (known = { ...schema, $id: undefined, properties }));
  return known;
};

/** Share of rows that must not be rejected. */
const MOSTLY: OptionSchema = { type: 'number', minimum: 0, maximum: 1, default: 0.99 };

interface Instance {
  readonly entry: Entry;
  readonly found: Found;
  readonly variant: Variant;
  readonly sure: boolean;
}

/** The nodes of an entry; none when its stage is unknown. Options that no axis enters are made once for all variants. */
export const draftNodes = ({ entry, variants, sure }: Expanded, context: LoadContext): Draft[] => {
  const { found } = entry;
  if (!found) return [];
  const varies = axesIn([entry.with, entry.resources ?? null]).size > 0;
  // What is wrong with an option is said of the first variant that has it, not of all.
  const told = new Set<string>();
  let last: Draft | null = null;
  return variants.map(variant => {
    if (last && !varies) return { ...last, name: variant.name, variant };
    const failures: Failure[] = [];
    last = draft({ entry, found, variant, sure }, { ...context, fail: f => void failures.push(f) });
    const fresh = failures.filter(f => !told.has(where(f)));
    for (const f of failures) told.add(where(f));
    fresh.forEach(context.fail);
    return last;
  });
};

const where = ({ reason, place }: Failure): string => `${reason} ${place?.path} ${place?.line} ${place?.column}`;

const draft = ({ entry, found, variant, sure }: Instance, context: LoadContext): Draft => {
  const { section, name, uses } = entry;
  const at = [section, name];
  let clean = entry.clean;
  const scope = {
    ...context,
    place: placeInMatrix(entry, variant, context),
    matrix: { sure, values: new Map([...variant.point].map(([axis, { value }]) => [axis, value] as const)) },
    fail: (f: Failure) => {
      clean = false;
      context.fail(f);
    },
    blur: () => {
      clean = false;
    },
  };
  const options = structuredClone(interpolate(entry.with, [...at, 'with'], scope)) as Map_;
  const rowwise = makesRows(found.schema.stage, options);
  const properties: Readonly<Record<string, OptionSchema>> = {
    ...found.schema.properties,
    ...(rowwise ? { mostly: MOSTLY } : {}),
  };
  const { place, fail } = scope;
  if (clean) {
    const path = [...at, 'with'];
    const secrets = takeSecrets(options, properties, path, scope);
    const schema = checked(found.schema, properties, rowwise ? 'rows' : 'other');
    if (secrets) for (const f of check(schema, options, { path, of: uses, place })) fail(f);
    for (const put of secrets ?? []) put();
  }
  const { mostly, ...others } = options;
  // Where the stage rejects nothing, an option of that name is its own.
  const rest = rowwise ? others : options;
  const files = fileOptions(rest, found.schema, path => place([...at, 'with', ...path]));
  const marked = (keyword: 'unkeyed' | 'elsewhere'): string[] =>
    Object.entries(properties).flatMap(([option, p]) => (p[keyword] && rest[option] !== undefined ? [option] : []));
  const asked = interpolate(entry.resources ?? null, [...at, 'resources'], scope);
  const resources = readResources(asked, found.schema.stage.resources, {
    of: name,
    at: [...at, 'resources'],
    place,
    fail,
  });
  return {
    ...found,
    ...{ name: variant.name, section, uses, entry, variant, files, resources },
    options: rest,
    unkeyed: marked('unkeyed'),
    elsewhere: marked('elsewhere').length > 0,
    mostly: typeof mostly === 'number' ? mostly : 0.99,
  };
};

/** A value that is wholly an axis's stands, for mistakes, where the axis lists it. */
const placeInMatrix = ({ with: options, section, name }: Entry, { point }: Variant, { place }: LoadContext) => {
  const written = (path: Path): Value | undefined =>
    path.slice(3).reduce<Value | undefined>((v, key) => (v as Map_ | null | undefined)?.[key as string], options);
  return (path: Path, key?: boolean): ReturnType<typeof place> => {
    const isOption = !key && path[0] === section && path[1] === name && path[2] === 'with' && path.length > 3;
    const value = isOption ? point.get(wholeAxis(written(path)) ?? '') : undefined;
    return value ? place(value.at) : place(path, key);
  };
};

const fileOptions = (options: Map_, schema: StageSchema, place: (path: string[]) => Place): FileOption[] => {
  const properties = Object.entries(schema.properties ?? {});
  const rootName = properties.find(([, p]) => p.root)?.[0];
  const root = rootName === undefined ? undefined : options[rootName];
  const out: FileOption[] = [];
  for (const [option, p] of properties) {
    const value = options[option];
    const kind = p.file ? 'file' : p.files ? 'files' : p.folder ? 'folder' : null;
    if (kind === null || value === undefined || value === null) continue;
    const values = (Array.isArray(value) ? value : [value]).filter(v => typeof v === 'string');
    out.push({
      kind,
      option,
      values,
      place: place([option]),
      ...(p.folder ? { globs: p.folder } : {}),
      ...(typeof root === 'string' ? { root } : {}),
    });
  }
  return out;
};
