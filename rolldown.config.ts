/**
 * The published program: the command line, its workers and each stage as bundles that share what they have in common, so
 * that a start reads a few files instead of a hundred. Stages stay where their names say; packages stay packages.
 */
import { cpSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { defineConfig } from 'rolldown';

/** Modules that others find by their path at run time: new URL(`./worker${extname(…)}`, import.meta.url). */
const besides = globSync('{src,stages,cache}/**/*.ts').flatMap(file =>
  [...readFileSync(file, 'utf8').matchAll(/new URL\(`\.\/([\w/-]+)\$\{extname\(/g)].map(found =>
    posix.join(dirname(file), `${found[1]}.ts`),
  ),
);

const entries = new Set([
  'src/cli.ts',
  ...besides,
  ...globSync('schemas/stages/*/*.json').map(f => f.replace(/^schemas\/(.*)\.json$/, '$1.ts')),
  'stages/transforms/user.ts',
]);

/** Stands for a module's own path until it is known in which file it ends up. */
const PLACE = 'finetune-module:/';

export default defineConfig({
  input: Object.fromEntries([...entries].map(f => [f.replace(/\.ts$/, ''), f])),
  platform: 'node',
  logLevel: 'warn',
  // What the start needs is in it, whoever else would wait for it.
  checks: { ineffectiveDynamicImport: false },
  external: id => !/^[./]/.test(id),
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    // What a build needs to see that there is nothing to do, with what it imports, in one file.
    codeSplitting: { groups: [{ name: 'start', test: /\/src\/(cli|commands\/build|views\/view)\.ts$/ }] },
  },
  plugins: [
    {
      name: 'modules find what lies beside them',
      transform: (code, id) => {
        const path = posix.relative(process.cwd(), id).replace(/\.ts$/, '.js');
        return code.replaceAll('import.meta.url', `new URL('${PLACE}${path}', import.meta.url).href`);
      },
      renderChunk: (code, { fileName }) =>
        code.replaceAll(
          new RegExp(`${PLACE}([^'"]*)`, 'g'),
          (_, path: string) => `./${posix.relative(dirname(fileName), path)}`,
        ),
    },
    {
      name: 'of what is built into Node only the parts that are used are loaded',
      // `import` fills in every export of node:fs first, and so loads its streams and promises: 5 ms at each start.
      renderChunk: code =>
        code
          .replaceAll(
            /^import \{([^}]*)\} from "(node:[^"]+)";$/gm,
            (_, names: string, from: string) =>
              `const {${names.replaceAll(' as ', ': ')}} = process.getBuiltinModule("${from}");`,
          )
          .replaceAll(/^import (?:\* as )?(\w+) from "(node:[^"]+)";$/gm, 'const $1 = process.getBuiltinModule("$2");'),
    },
    {
      name: 'what is no module is copied',
      writeBundle: ({ dir = 'dist' }) => {
        const others = globSync(['schemas/stages/**/*', 'stages/**/*'], { exclude: ['**/*.ts', '**/__pycache__'] });
        for (const file of others) if (statSync(file).isFile()) cpSync(file, `${dir}/${file}`);
      },
    },
  ],
});
