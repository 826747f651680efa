/** Who may import whom, as ARCHITECTURE.md says: read off the sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

const sources = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(e => e.isFile() && e.name.endsWith('.ts'))
    .map(e => relative(root, join(e.parentPath, e.name)));

const importsOf = (file: string): string[] => {
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/^\s*(\*|\/\/|\/\*\*).*$/gm, '');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(m => {
    const specifier = m[1]!;
    return specifier.startsWith('.') ? relative(root, resolve(root, dirname(file), specifier)) : specifier;
  });
};

/** Folder to the folders and files of ours that it may import. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  'stages/': ['stages/', 'schemas/types.ts'],
  'cache/': ['cache/', 'stages/contract.ts', 'stages/postgres.ts'],
  'src/load/': [
    'src/load/',
    'src/failure.ts',
    'src/isolated.ts',
    'src/user-module.ts',
    'src/stages.ts',
    'src/version.ts',
    'cache/',
    'stages/surroundings.ts',
  ],
  'src/engine/': [
    'src/engine/',
    'src/load/',
    'src/events.ts',
    'src/failure.ts',
    'src/isolated.ts',
    'src/redact.ts',
    'src/stages.ts',
    'src/version.ts',
    'cache/',
    'stages/contract.ts',
    'stages/surroundings.ts',
  ],
  'src/watch/': [
    'src/watch/',
    'src/engine/',
    'src/load/',
    'src/events.ts',
    'src/failure.ts',
    'cache/',
    'stages/contract.ts',
  ],
  'src/views/': ['src/views/', 'src/events.ts', 'src/failure.ts', 'src/redact.ts'],
  'src/commands/': ['src/', 'cache/', 'stages/contract.ts'],
};

const ONCE = [
  'execa',
  'listr2',
  'keyv',
  'pg',
  '@redis/client',
  'es-module-lexer',
  'chokidar',
  '@duckdb/node-api',
  '@huggingface/hub',
  '@huggingface/jinja',
  'hyparquet',
  'hyparquet-compressors',
  'tinyld',
  'tokenizers',
  'robots-parser',
];

const files = ['stages', 'cache', 'src', 'schemas'].flatMap(sources);

describe('imports', () => {
  it.each(Object.entries(MAY))('%s imports only what it may', (folder, allowed) => {
    const of = files.filter(f => f.startsWith(folder));
    expect(of.length).toBeGreaterThan(0);
    const wrong = of.flatMap(f =>
      importsOf(f)
        .filter(
          i =>
            /^(src|stages|cache|schemas|test|bench|bin)\//.test(i) &&
            !allowed.some(a => (a.endsWith('/') ? i.startsWith(a) : i === a)),
        )
        .map(i => `${f} -> ${i}`),
    );
    expect(wrong).toEqual([]);
  });

  it.each(ONCE)('%s is imported in one module', name => {
    const users = files.filter(f => importsOf(f).includes(name));
    expect(users.length, users.join(', ')).toBeLessThanOrEqual(1);
  });

  it('yaml is imported for the recipe, and for the files that stages read', () => {
    expect(files.filter(f => importsOf(f).includes('yaml'))).toEqual(['stages/yaml.ts', 'src/load/yaml.ts']);
  });

  it('ajv is imported for recipes, and for the schemas of rows', () => {
    expect(files.filter(f => importsOf(f).includes('ajv'))).toEqual(['stages/json-schema.ts', 'src/load/check.ts']);
  });

  it('ONNX Runtime is loaded by one module; others know its types', () => {
    const loads = files.filter(f => /import\('onnxruntime-node'\)/.test(readFileSync(join(root, f), 'utf8')));
    const imports = files.filter(f =>
      /import (?!type)[^;]*from 'onnxruntime-node'/.test(readFileSync(join(root, f), 'utf8')),
    );
    expect([loads, imports]).toEqual([['stages/onnx/runtime.ts'], []]);
  });

  it('has no cycles', () => {
    const edges = new Map(files.map(f => [f, importsOf(f).filter(i => files.includes(i) && !isTypeOnly(f, i))]));
    const state = new Map<string, 1 | 2>();
    const cycles: string[] = [];
    const visit = (f: string, path: readonly string[]): void => {
      if (state.get(f) === 2) return;
      if (state.get(f) === 1) {
        cycles.push([...path.slice(path.indexOf(f)), f].join(' -> '));
        return;
      }
      state.set(f, 1);
      for (const next of edges.get(f) ?? []) visit(next, [...path, f]);
      state.set(f, 2);
    };
    for (const f of files) visit(f, []);
    expect(cycles).toEqual([]);
  });
});

/** `import type` is gone at run time. */
const isTypeOnly = (file: string, imported: string): boolean => {
  const text = readFileSync(join(root, file), 'utf8');
  const statements = [...text.matchAll(/import\s+(type\s)?[^;]*?from\s+'([^']+)'/g)].filter(
    m => m[2]!.startsWith('.') && relative(root, resolve(root, dirname(file), m[2]!)) === imported,
  );
  return statements.length > 0 && statements.every(m => m[1] !== undefined);
};
