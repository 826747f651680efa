/** A catalogue of mistakes that people make in recipes: what each is, and the recipe that has it. */
import type { Files } from '../rig/project.ts';

export interface Mistake {
  readonly what: string;
  readonly recipe: string | Uint8Array;
  readonly files?: Files;
  readonly profiles?: readonly string[];
  readonly set?: readonly string[];
}

const head = 'version: 1\nsources:\n  docs: { uses: files, with: { paths: "docs/*.md" } }\n';
const transforms = (...lines: string[]): string => `${head}transforms:\n${lines.map(l => `  ${l}\n`).join('')}`;
const stage = (code: string, more: Files = {}): Pick<Mistake, 'recipe' | 'files'> => ({
  recipe: transforms('mine: { uses: ./mine.ts, from: docs }'),
  files: { 'mine.ts': code, ...more },
});

const bomb = `version: 1
vars:
  a: &a [x, x, x, x, x, x, x, x, x, x]
  b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
  c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
  d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
  e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
  f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
  g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]
`;

export const MISTAKES: readonly Mistake[] = [
  // YAML
  { what: 'an empty file', recipe: '' },
  { what: 'only a comment', recipe: '# to do\n' },
  { what: 'a list instead of a map', recipe: '- version: 1\n- sources: {}\n' },
  { what: 'a text instead of a map', recipe: 'finetune\n' },
  { what: 'a tab as indentation', recipe: 'version: 1\nsources:\n\tdocs: { uses: files }\n' },
  { what: 'a bracket that is never closed', recipe: 'version: 1\nsources:\n  docs: { uses: files, with: { paths: a\n' },
  { what: 'a quote that is never closed', recipe: 'version: 1\nname: "handbook\nsources: {}\n' },
  { what: 'a colon in plain text', recipe: 'version: 1\nname: a: b\n' },
  { what: 'two documents', recipe: 'version: 1\n---\nversion: 1\n' },
  { what: 'not UTF-8', recipe: Buffer.from('version: 1\nname: caf\xe9\n', 'latin1') },
  { what: 'UTF-16', recipe: Buffer.from('\ufeffversion: 1\n', 'utf16le') },
  { what: 'aliases that multiply', recipe: bomb },
  { what: 'an alias of itself', recipe: 'version: 1\nvars: &v { a: *v }\n' },
  { what: 'an alias of nothing', recipe: 'version: 1\nname: *nothing\n' },
  {
    what: 'nested too deeply in blocks',
    recipe: `version: 1\nvars:\n${Array.from({ length: 150 }, (_, i) => `${' '.repeat(i + 1)}a:\n`).join('')}`,
  },
  { what: 'nested too deeply in brackets', recipe: `version: 1\nvars: { a: ${'['.repeat(150)}${']'.repeat(150)} }\n` },
  {
    what: 'a number that JSON does not have',
    recipe: transforms('good: { uses: filter, from: docs, with: { min: .nan } }'),
  },
  { what: 'a key that is a list', recipe: 'version: 1\n? [a, b]\n: 1\n' },
  // the top
  { what: 'an unknown key', recipe: `${head}transform:\n  text: { uses: plain-text, from: docs }\n` },
  { what: 'a stage at the top', recipe: `${head}plain-text: { from: docs }\n` },
  { what: 'no version', recipe: head.slice('version: 1\n'.length) },
  { what: 'another version', recipe: head.replace('version: 1', 'version: 2') },
  { what: 'a version in quotes', recipe: head.replace('version: 1', 'version: "1"') },
  { what: 'a name that is a list', recipe: `name: [a]\n${head}` },
  { what: 'no nodes', recipe: 'version: 1\nname: empty\n' },
  { what: 'a section that is a list', recipe: 'version: 1\nsources:\n  - { uses: files }\n' },
  { what: 'a section that is a text', recipe: `${head}transforms: none\n` },
  { what: 'vars that are a list', recipe: `vars: [a]\n${head}` },
  // nodes
  { what: 'a node that is a text', recipe: transforms('text: plain-text') },
  { what: 'a node without uses', recipe: transforms('text: { from: docs }') },
  { what: 'uses that is a list', recipe: transforms('text: { uses: [plain-text], from: docs }') },
  { what: 'a name with a capital', recipe: transforms('Text: { uses: plain-text, from: docs }') },
  { what: 'a name with a dot', recipe: transforms('text.v1: { uses: plain-text, from: docs }') },
  { what: 'an empty name', recipe: transforms('"": { uses: plain-text, from: docs }') },
  {
    what: 'a name of JavaScript',
    recipe: transforms('__proto__: { uses: plain-text, from: docs }', 'constructor: { uses: plain-text, from: docs }'),
  },
  {
    what: 'two nodes of one name',
    recipe: transforms('text: { uses: plain-text, from: docs }', 'text: { uses: sentences, from: docs }'),
  },
  { what: 'a name taken in another section', recipe: transforms('docs: { uses: plain-text, from: docs }') },
  { what: 'a key that stands twice', recipe: transforms('text: { uses: plain-text, uses: sentences, from: docs }') },
  { what: 'an option outside of with', recipe: transforms('good: { uses: filter, from: docs, min: 20 }') },
  { what: 'a key with a typing error', recipe: transforms('good: { uses: filter, form: docs, wiht: { min: 20 } }') },
  // stages and options
  { what: 'a stage with a typing error', recipe: transforms('text: { uses: plain_text, from: docs }') },
  { what: 'a stage of another section', recipe: transforms('more: { uses: files, with: { paths: "*.md" } }') },
  { what: 'a stage that nobody has', recipe: transforms('x: { uses: teleport, from: docs }') },
  {
    what: 'a stage named like a part of JavaScript',
    recipe: transforms('x: { uses: constructor, from: docs }', 'y: { uses: ../sources/files, from: docs }'),
  },
  {
    what: 'an unknown option',
    recipe: transforms('good: { uses: filter, from: docs, with: { mim: 20, __proto__: 1 } }'),
  },
  {
    what: 'an option of the wrong type',
    recipe: transforms('good: { uses: filter, from: docs, with: { min: many, field: 3, words: 5 } }'),
  },
  {
    what: 'an option out of range',
    recipe: transforms('good: { uses: filter, from: docs, with: { min: -1, mostly: 1.5 } }'),
  },
  {
    what: 'an option that is none of the choices',
    recipe: transforms('text: { uses: plain-text, from: docs, with: { headings: dropp, inline_code: all } }'),
  },
  { what: 'an option that is needed', recipe: 'version: 1\nsources:\n  docs: { uses: files }\n' },
  {
    what: 'an option deep inside',
    recipe: transforms('pairs: { uses: sentence-pairs, from: docs, with: { instruction: { mun: 3, max: long } } }'),
  },
  {
    what: 'a union that nothing fits',
    recipe: transforms('split: { uses: split, from: docs, with: { train: 0.9, eval: 0.1, by: page } }'),
  },
  { what: 'a split with one side', recipe: transforms('split: { uses: split, from: docs, with: { train: 1 } }') },
  { what: 'with that is a list', recipe: transforms('good: { uses: filter, from: docs, with: [min] }') },
  // references
  { what: 'a reference with a typing error', recipe: transforms('text: { uses: plain-text, from: dosc }') },
  { what: 'no input', recipe: transforms('text: { uses: plain-text }') },
  {
    what: 'an input of a source',
    recipe: 'version: 1\nsources:\n  docs: { uses: files, from: docs, with: { paths: "*.md" } }\n',
  },
  {
    what: 'an output that is not there',
    recipe: transforms(
      'text: { uses: plain-text, from: docs.text }',
      'more: { uses: plain-text, from: text.constructor }',
    ),
  },
  {
    what: 'a split without its side',
    recipe: transforms(
      'split: { uses: split, from: docs, with: { a: 1, b: 1 } }',
      'text: { uses: plain-text, from: split }',
    ),
  },
  {
    what: 'an input that does not exist',
    recipe: transforms('text: { uses: plain-text, from: { row: docs, model: docs } }'),
  },
  {
    what: 'an input of the wrong kind',
    recipe: `${head}  base: { uses: model, with: { path: m } }\ntransforms:\n  text: { uses: plain-text, from: base }\n`,
  },
  { what: 'a list where one is wanted', recipe: transforms('text: { uses: plain-text, from: [docs, docs] }') },
  { what: 'a number as reference', recipe: transforms('text: { uses: plain-text, from: 3 }') },
  { what: 'a node that waits for itself', recipe: transforms('text: { uses: plain-text, from: text }') },
  {
    what: 'a cycle of three',
    recipe: transforms(
      'a: { uses: plain-text, from: c }',
      'b: { uses: plain-text, from: a }',
      'c: { uses: plain-text, from: b }',
    ),
  },
  {
    what: 'two cycles',
    recipe: transforms(
      'a: { uses: plain-text, from: b }',
      'b: { uses: plain-text, from: a }',
      'c: { uses: plain-text, from: c }',
    ),
  },
  // interpolation
  {
    what: 'a var that is not there',
    recipe: `vars: { seed: 1 }\n${transforms('split: { uses: split, from: docs, with: { a: 1, b: 1, seed: "${vars.sed}" } }')}`,
  },
  {
    what: 'an expression that is unknown',
    recipe: transforms(
      'good: { uses: filter, from: docs, with: { field: "${field}", matches: "${matrix.x}", without: "${}" } }',
    ),
  },
  {
    what: 'a map inside of text',
    recipe: `vars: { m: { a: 1 } }\n${transforms('good: { uses: filter, from: docs, with: { field: "x-${vars.m}" } }')}`,
  },
  {
    what: 'a var with a name of JavaScript',
    recipe: `vars: { a: 1 }\n${transforms('good: { uses: filter, from: docs, with: { field: "${vars.constructor}" } }')}`,
  },
  {
    what: 'a var that stands below the one that uses it',
    recipe: `vars: { b: "\${vars.a}", a: 1 }\n${transforms('good: { uses: filter, from: docs, with: { min: "${vars.b}" } }')}`,
  },
  {
    what: 'a var of the wrong type',
    recipe: `vars: { min: many }\n${transforms('good: { uses: filter, from: docs, with: { min: "${vars.min}" } }')}`,
  },
  {
    what: 'a secret where none is allowed',
    recipe: transforms('good: { uses: filter, from: docs, with: { field: "${env:TOKEN}" } }'),
  },
  {
    what: 'a secret inside of text',
    recipe: transforms('good: { uses: filter, from: docs, with: { field: "Bearer ${env:TOKEN}" } }'),
  },
  {
    what: 'a secret as input, stage and node',
    recipe: transforms(
      'a: { uses: "${env:A}", from: docs }',
      'b: { uses: plain-text, from: "${env:B}" }',
      'c: "${env:C}"',
    ),
  },
  // matrix and resources
  {
    what: 'a matrix that is no map of lists',
    recipe: transforms(
      'a: { uses: filter, from: docs, matrix: [1, 2], with: { min: "${matrix.min}" } }',
      'b: { uses: filter, from: docs, matrix: { min: 5 }, with: { min: "${matrix.min}" } }',
      'c: { uses: filter, from: docs, matrix: { min: [] }, with: { min: "${matrix.min}" } }',
      'd: { uses: filter, from: docs, matrix: { min: [1, { a: 2 }, ~] }, with: { min: "${matrix.min}" } }',
      'e: { uses: filter, from: docs, matrix: { Min: [1, 2] }, with: { min: "${matrix.Min}" } }',
      'f: { uses: filter, from: a, with: { min: "${matrix.min}" } }',
    ),
  },
  {
    what: 'values of a matrix with the same name',
    recipe: transforms(
      'a: { uses: filter, from: docs, matrix: { min: [1, 2, "1"], word: [New, new] }, with: { min: "${matrix.min}", without: "${matrix.word}" } }',
    ),
  },
  {
    what: 'an axis that nothing uses',
    recipe: transforms('a: { uses: filter, from: docs, matrix: { min: [1, 2] }, with: { min: 5 } }'),
  },
  {
    what: 'an axis of a matrix that is not there',
    recipe: transforms(
      'a: { uses: filter, from: docs, matrix: { min: [1, 2] }, with: { min: "${matrix.min}", max: "${matrix.mim}" } }',
      'b: { uses: "${matrix.min}", from: a, matrix: { x: ["${matrix.min}"] } }',
    ),
  },
  {
    what: 'an axis whose value is wrong',
    recipe: transforms(
      'a: { uses: filter, from: docs, matrix: { min: [1, -2, many] }, with: { min: "${matrix.min}" } }',
    ),
  },
  {
    what: 'a variant that is not there',
    recipe: transforms(
      'a: { uses: filter, from: docs, matrix: { min: [1, 2], word: [red, green] }, with: { min: "${matrix.min}", without: "${matrix.word}" } }',
      'b: { uses: dedup, from: a@mim=1 }',
      'c: { uses: dedup, from: a@min=3 }',
      'd: { uses: dedup, from: "a@min=1,word=gren" }',
      'e: { uses: dedup, from: a@1 }',
      'f: { uses: dedup, from: docs@min=1 }',
      'g: { uses: dedup, from: { rows: a@min=1,word=red } }',
      'h: { uses: dedup, from: aa@min=1 }',
      'i: { uses: dedup, from: a@* }',
      'j: { uses: dedup, from: a.dropped@min=1.rows }',
    ),
  },
  {
    what: 'a value of an axis that no input has',
    recipe: transforms(
      'a: { uses: filter, from: docs, matrix: { min: [1, 2] }, with: { min: "${matrix.min}" } }',
      'b: { uses: dedup, from: a, matrix: { min: [2, 3] } }',
    ),
  },
  {
    what: 'more variants than a node may have',
    recipe: transforms(
      `a: { uses: filter, from: docs, matrix: { min: [${Array.from({ length: 40 }, (_, i) => i)}], max: [${Array.from({ length: 40 }, (_, i) => i + 50)}] }, with: { min: "\${matrix.min}", max: "\${matrix.max}" } }`,
      'b: { uses: dedup, from: a@min=1 }',
    ),
  },
  {
    what: 'resources that are none',
    recipe: transforms(
      'a: { uses: dedup, from: docs, resources: { cpu: 0, gpu: many, memory: 8 } }',
      'b: { uses: dedup, from: docs, resources: { cpus: 2, memory: 8 gigabytes } }',
      'c: { uses: dedup, from: docs, resources: 4 }',
    ),
  },
  // profiles and --set
  {
    what: 'a profile that is not there',
    recipe: `${head}profiles:\n  gpu: { set: { sources.docs.with.paths: "*.md" } }\n`,
    profiles: ['gpuu'],
  },
  {
    what: 'a profile without set',
    recipe: `${head}profiles:\n  gpu: { sources.docs.with.paths: "*.md" }\n  cpu: fast\n`,
  },
  {
    what: 'a path of a profile that leads nowhere',
    recipe: `${head}profiles:\n  a: { set: { sources.doc.with.paths: "*.md", trainer.x.with.r: 8, vars.seed: 1 } }\n`,
    profiles: ['a'],
  },
  {
    what: 'a profile whose value is wrong',
    recipe: `${head}profiles:\n  a: { set: { sources.docs.with.by: page } }\n`,
    profiles: ['a'],
  },
  { what: 'a --set without a value', recipe: head, set: ['sources.docs.with.paths', '=x'] },
  {
    what: 'a --set path that leads nowhere',
    recipe: head,
    set: ['source.docs.with.paths=x', 'sources.docs.with.paths.x=1', 'sources..with=1', 'vars.x=1'],
  },
  {
    what: 'a --set value that is wrong',
    recipe: head,
    set: ['sources.docs.with.by=page', 'sources.docs.with.key=[a', 'sources.docs.uses=flies'],
  },
  // code of the user's own
  {
    what: 'a file of code that is not there',
    recipe: transforms('mine: { uses: ./mine.ts, from: docs }', 'more: { uses: mine.ts, from: docs }'),
  },
  {
    what: 'a folder as code',
    recipe: transforms('mine: { uses: ./folder, from: docs }'),
    files: { 'folder/a.txt': '' },
  },
  { what: 'code that is not TypeScript', ...stage('export default (fields => {\n') },
  { what: 'code that Node cannot strip', ...stage('enum Colour { Red }\nexport default () => Colour.Red;\n') },
  {
    what: 'code that imports what is not there',
    ...stage("import { a } from './helper.ts';\nexport default () => a;\n"),
  },
  {
    what: 'code that imports a package that is not installed',
    ...stage("import a from 'no-such-package';\nexport default () => a;\n"),
  },
  { what: 'code whose import is computed', ...stage("const name = './a.ts';\nexport default () => import(name);\n") },
  { what: 'code that throws when it is loaded', ...stage("throw new Error('no luck');\nexport default () => 1;\n") },
  { what: 'code without a default export', ...stage('export const run = () => 1;\n') },
  { what: 'code of an unknown kind', ...stage("export const kind = 'magic';\nexport default () => 1;\n") },
  {
    what: 'code whose options are no schema',
    ...stage("export const options = { type: 'text' };\nexport default () => 1;\n"),
  },
  {
    what: 'code that is given unknown options',
    ...{
      ...stage(
        "export const options = { type: 'object', additionalProperties: false, properties: { size: { type: 'integer' } } };\nexport default () => 1;\n",
      ),
      recipe: transforms('mine: { uses: ./mine.ts, from: docs, with: { siz: 1 } }'),
    },
  },
  {
    what: 'code as a source',
    recipe: 'version: 1\nsources:\n  mine: { uses: ./mine.ts }\n',
    files: { 'mine.ts': 'export default () => []' },
  },
  // all at once
  {
    what: 'many mistakes, told in the order of the file',
    recipe: `version: 2
name: [x]
colour: red
sources:
  docs: { uses: flies, with: { paths: "docs/*.md" } }
  more: { uses: files, with: { path: "docs/*.md" } }
transforms:
  text: { uses: plain-text, from: docz }
  good: { uses: filter, from: text, with: { min: few, max: "\${vars.max}" } }
  docs: { uses: sentences, from: more }
templates:
  chat: { uses: chat, from: { rows: text } }
profiles:
  gpu: {}
`,
    profiles: ['cpu'],
    set: ['transforms.nope.with.a=1'],
  },
];
