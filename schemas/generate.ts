/** Makes what follows from the stages' schemas: `types.ts` for our code, `recipe.schema.json` for editors, the README's table. */
import { readFileSync, writeFileSync } from 'node:fs';
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { RESOURCES, SECTIONS, type StageSchema, stageNames, stageSchema } from '../src/stages.ts';
import { readme } from './stage-table.ts';

type Schema = Record<string, unknown>;

/** `transforms/plain-text` -> `PlainTextOptions` */
const typeName = (stage: string): string =>
  `${stage.replaceAll(/(^|-)(\w)/g, (_, __, c: string) => c.toUpperCase())}Options`;

/** As a stage sees its options: with defaults filled in, so that what has a default is always there. */
const filledIn = (schema: Schema): Schema => {
  const properties = schema.properties as Record<string, Schema> | undefined;
  if (!properties) return schema;
  const given = Object.entries(properties)
    .filter(([, p]) => p.default !== undefined)
    .map(([name]) => name);
  return {
    ...schema,
    required: [...new Set([...((schema.required as string[] | undefined) ?? []), ...given])],
    properties: Object.fromEntries(Object.entries(properties).map(([name, p]) => [name, filledIn(p)])),
  };
};

/** Conditions between options are for ajv and editors; a type cannot say them. */
const plain = (schema: Schema): Schema => {
  const { not: _n, allOf: _a, anyOf, oneOf, if: _i, then: _t, else: _e, ...rest } = schema;
  return rest.properties ? rest : { ...rest, ...(anyOf ? { anyOf } : {}), ...(oneOf ? { oneOf } : {}) };
};

export const types = async (): Promise<string> => {
  const parts = [
    '/** The options of every stage as it sees them, defaults filled in. Made by schemas/generate.ts from schemas/stages/. */\n',
  ];
  const known = new Set<string>();
  for (const section of SECTIONS) {
    for (const name of stageNames(section)) {
      const {
        stage: _,
        $id: __,
        $schema: ___,
        title: ____,
        ...schema
      } = stageSchema(section, name) as StageSchema & Schema;
      // A stage that belongs to two sections has the same options in both.
      const made = typeName(name);
      if (known.has(made)) continue;
      known.add(made);
      const text = await compile(plain(filledIn(schema)) as JSONSchema, made, {
        bannerComment: '',
        ignoreMinAndMaxItems: true,
        additionalProperties: false,
        style: { singleQuote: true, printWidth: 120 },
      });
      parts.push(
        text
          .replaceAll(/^( +)(["'\w-]+\??:|\[k: string\]:)/gm, '$1readonly $2')
          .replaceAll(/: (\w+|\([^()]*\))\[\]/g, ': readonly $1[]')
          .replaceAll(/\| (\w+|\([^()]*\))\[\]/g, '| readonly $1[]'),
      );
    }
  }
  return parts.join('\n');
};

/** An option may also be an interpolation, whatever its type. */
const interpolated = (option: Schema): Schema =>
  option.type === 'string' && !option.enum && !option.pattern
    ? option
    : {
        description: option.description,
        default: option.default,
        anyOf: [option, { type: 'string', pattern: '^\\$\\{(vars|matrix|env)[.:][^}]+\\}$' }],
      };

const REFERENCE: Schema = {
  type: 'string',
  description: 'A node, or node.output; of a node with a matrix also one variant (node@r=8, node@r=8.output).',
  pattern: '^([a-z][a-z0-9_-]*(@.+)?(\\.[A-Za-z0-9_-]+)?|.*\\$\\{.*)$',
};

const MATRIX: Schema = {
  type: 'object',
  description:
    'Axes with their values: a variant of the node for each combination, which uses them as "${matrix.axis}".',
  propertyNames: { pattern: '^[a-z][a-z0-9_-]*$' },
  additionalProperties: {
    anyOf: [
      { type: 'array', minItems: 1, items: { type: ['string', 'number', 'boolean'] } },
      { type: 'string', pattern: '^\\$\\{vars\\.[^}]+\\}$' },
    ],
  },
};

const nodeSchema = (section: (typeof SECTIONS)[number]): Schema => ({
  type: 'object',
  required: ['uses'],
  additionalProperties: false,
  properties: {
    uses: {
      description: `The stage: ${stageNames(section).join(', ')}${section === 'transforms' ? ', or a TypeScript file of your own (./my-clean.ts)' : ''}.`,
      anyOf: [
        { enum: stageNames(section) },
        ...(section === 'transforms' ? [{ type: 'string', pattern: '^\\.{0,2}/.+\\.[cm]?[jt]s$' }] : []),
      ],
    },
    from: {
      anyOf: [
        REFERENCE,
        { type: 'array', items: REFERENCE },
        { type: 'object', additionalProperties: { anyOf: [REFERENCE, { type: 'array', items: REFERENCE }] } },
      ],
    },
    with: { type: 'object' },
    matrix: MATRIX,
    resources: {
      ...RESOURCES,
      properties: Object.fromEntries(Object.entries(RESOURCES.properties).map(([k, p]) => [k, interpolated(p)])),
    },
  },
  allOf: stageNames(section).map(name => {
    const { stage, $id: _, $schema: __, title: ___, ...schema } = stageSchema(section, name) as StageSchema & Schema;
    const properties = Object.fromEntries(
      Object.entries((schema.properties ?? {}) as Record<string, Schema>).map(([k, p]) => [k, interpolated(p)]),
    );
    const mostly =
      stage.rejects !== false && (stage.outputs.rows === 'rows' || stage.outputFromOption?.types.rows === 'rows')
        ? {
            mostly: {
              type: 'number',
              minimum: 0,
              maximum: 1,
              default: 0.99,
              description: 'Share of rows that must not be rejected.',
            },
          }
        : {};
    return {
      if: { properties: { uses: { const: name } }, required: ['uses'] },
      // biome-ignore lint/suspicious/noThenProperty: JSON Schema's keyword
      then: {
        description: schema.description,
        properties: { with: { ...schema, properties: { ...properties, ...mostly } } },
        ...(schema.required ? { required: ['with'] } : {}),
      },
    };
  }),
});

export const recipeSchema = (): string =>
  `${JSON.stringify(
    {
      $schema: 'http://json-schema.org/draft-07/schema#',
      title: 'finetune recipe',
      type: 'object',
      required: ['version'],
      additionalProperties: false,
      properties: {
        version: { const: 1 },
        name: { type: 'string' },
        vars: { type: 'object', description: 'Values for ${vars.name}.' },
        ...Object.fromEntries(
          SECTIONS.map(s => [
            s,
            { type: 'object', propertyNames: { pattern: '^[a-z][a-z0-9_-]*$' }, additionalProperties: nodeSchema(s) },
          ]),
        ),
        profiles: {
          type: 'object',
          description: 'Sets of values that --profile puts in place.',
          additionalProperties: {
            type: 'object',
            required: ['set'],
            additionalProperties: false,
            properties: { set: { type: 'object', description: 'Path (sources.base.with.path) to value.' } },
          },
        },
      },
    },
    null,
    2,
  )}\n`;

const FILES = {
  'types.ts': types,
  'recipe.schema.json': async () => recipeSchema(),
  '../README.md': async () => readme(),
};

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const stale: string[] = [];
  for (const [name, make] of Object.entries(FILES)) {
    const path = new URL(name, import.meta.url);
    const text = await make();
    if (process.argv.includes('--check')) {
      if (readFileSync(path, 'utf8') !== text) stale.push(name.replace('../', ''));
    } else writeFileSync(path, text);
  }
  if (stale.length > 0) {
    process.stderr.write(`not what the stages' schemas give: ${stale.join(', ')}; run npm run schemas\n`);
    process.exitCode = 1;
  }
}
