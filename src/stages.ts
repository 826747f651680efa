/** The registry: which stages there are, their schemas, and the module that does each one's work. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stage } from '../stages/contract.ts';
import { importUserModule } from './user-module.ts';

export type ArtifactType = 'rows' | 'model' | 'tree' | 'metrics';

export interface Port {
  readonly type: ArtifactType;
  readonly optional?: boolean;
  /** Takes a list of nodes; row ids are then prefixed by the input's name. */
  readonly list?: boolean;
  /** Of a model: the files of it that this stage reads, so the only ones in its key. */
  readonly files?: readonly string[];
}

/** The keyword `stage` in a stage's schema: what the graph has to know of it. */
export interface StageInterface {
  /** Raised when the same inputs and options give another output. */
  readonly version: number;
  /** By name; a bare `from: node` goes to the first. */
  readonly inputs: Readonly<Record<string, Port>>;
  /**
   * Takes any number of inputs under names of the recipe's choosing: of any type, a bare `from: node` being called `in`; or,
   * one or more of the type that it says, a bare one being called so.
   */
  readonly anyInputs?: true | { readonly bare: string; readonly type: ArtifactType };
  readonly outputs: Readonly<Record<string, ArtifactType>>;
  /** What a bare reference to the node means. */
  readonly default?: string;
  /** Every option but these names an output of rows (`split`). */
  readonly outputsFromOptions?: { readonly except: readonly string[] };
  /** The value of this option names the only output; the first of them without it. */
  readonly outputFromOption?: { readonly option: string; readonly types: Readonly<Record<string, ArtifactType>> };
  /** false: gives rows, but neither rejects nor drops any, so it has no such outputs and takes no `mostly` of the engine's. */
  readonly rejects?: false;
  /** With this value of the option it runs a program of these files (globs below `stages/`), which are in the key. */
  readonly environment?: readonly { readonly option: string; readonly is: string; readonly files: readonly string[] }[];
  /** `all`: uses every core, so nothing else runs beside it. */
  readonly threads?: 'all';
  /** What it needs of the machine where the recipe does not say. */
  readonly resources?: ResourceOptions;
}

/** As in the recipe: `resources: { cpu: 4, gpu: 1, memory: 8GB }`. */
export interface ResourceOptions {
  readonly cpu?: number | 'all';
  readonly gpu?: number;
  readonly memory?: string;
}

/** JSON Schema of `ResourceOptions`. */
export const RESOURCES = {
  type: 'object',
  description: 'What the node needs of the machine while it runs; never part of its key.',
  additionalProperties: false,
  properties: {
    cpu: {
      description: 'Cores, or all of them.',
      anyOf: [{ title: 'a whole number from 1', type: 'integer', minimum: 1 }, { const: 'all' }],
    },
    gpu: { description: 'GPUs, each for this node alone.', type: 'integer', minimum: 0 },
    memory: {
      description: 'Main memory: 8GB, 512MiB.',
      type: 'string',
      pattern: '^\\d+(\\.\\d+)? *([KMGT]i?)?B$',
      advice: 'write a number and a unit: 8GB, 512MiB',
    },
  },
} as const;

export interface StageSchema {
  readonly title: string;
  readonly description: string;
  readonly stage: StageInterface;
  readonly properties?: Readonly<Record<string, OptionSchema>>;
  readonly [keyword: string]: unknown;
}

/** The keywords of ours on an option; see `schemas/README.md`. */
export interface OptionSchema {
  readonly file?: boolean;
  readonly files?: boolean;
  readonly folder?: readonly string[];
  readonly root?: boolean;
  readonly secret?: boolean;
  readonly elsewhere?: boolean;
  readonly unkeyed?: boolean;
  readonly [keyword: string]: unknown;
}

/** The recipe's sections, in the order in which people read them, and the folder of stages that each one uses. */
export const SECTIONS = ['sources', 'transforms', 'templates', 'trainer', 'evaluators'] as const;
export type Section = (typeof SECTIONS)[number];

const schemas = new URL('../schemas/stages/', import.meta.url);

const names = new Map<Section, readonly string[]>();

export const stageNames = (section: Section): readonly string[] => {
  let known = names.get(section);
  if (!known) {
    known = readdirSync(new URL(`${section}/`, schemas))
      .filter(f => f.endsWith('.json'))
      .map(f => f.slice(0, -'.json'.length))
      .sort();
    names.set(section, known);
  }
  return known;
};

const read = new Map<string, StageSchema>();

/** The same object each time: what is compiled from it is kept by its identity. */
export const stageSchema = (section: Section, name: string): StageSchema => {
  const path = `${section}/${name}.json`;
  let known = read.get(path);
  if (!known) read.set(path, (known = JSON.parse(readFileSync(new URL(path, schemas), 'utf8')) as StageSchema));
  return known;
};

/** Paths of the stages' schemas, and of the folders that they lie in. */
export const schemaFiles = (): string[] => {
  const folder = fileURLToPath(schemas);
  return SECTIONS.flatMap(section => [
    `${folder}${section}`,
    ...stageNames(section).map(name => `${folder}${section}/${name}.json`),
  ]);
};

/** Changes when the stages' schemas may have: their files' times and sizes. */
export const stamp = (): string =>
  schemaFiles()
    .filter(path => path.endsWith('.json'))
    .map(path => {
      const { mtimeMs, size } = statSync(path);
      return `${path}:${mtimeMs}:${size}`;
    })
    .join(' ');

/** Where the stages lie. */
export const stagesFolder = (): string => fileURLToPath(new URL('../stages/', import.meta.url));

/** URL of the module of `transforms/sentences`; it runs in this process or in a worker. */
export const stageModule = (stage: string): string =>
  new URL(`../stages/${stage}${extname(new URL(import.meta.url).pathname)}`, import.meta.url).href;

/** What a user's stage exports about itself. */
export interface UserStageSays {
  readonly kind?: 'rows' | 'group' | 'whole';
  readonly dear?: boolean;
}

/** A stage as the main thread sees it: of a user's only what it says of itself, for its code runs in processes of its own. */
export const stageOf = async ({ module, says }: { module: string; says?: UserStageSays }): Promise<Stage> => {
  if (!says) return loadStage(module);
  const { adapt } = (await import(stageModule('transforms/user'))) as UserAdapter;
  return adapt({ ...says, default: () => Promise.reject(new Error('runs elsewhere')) }, '');
};

interface UserAdapter {
  adapt(module: unknown, name: string): Stage;
}

const loaded = new Map<string, Promise<Stage>>();

/** Imports a stage, once; a user's file (a file URL with the fragment `#user`) is adapted first. */
export const loadStage = (module: string): Promise<Stage> => {
  let stage = loaded.get(module);
  if (!stage) loaded.set(module, (stage = importStage(module)));
  return stage;
};

const importStage = async (module: string): Promise<Stage> => {
  if (!module.includes('#user')) return ((await import(module)) as { default: Stage }).default;
  const [theirs, { adapt }] = await Promise.all([
    importUserModule(module),
    import(stageModule('transforms/user')) as Promise<UserAdapter>,
  ]);
  return adapt(theirs, `./${basename(new URL(module).pathname)}`);
};
