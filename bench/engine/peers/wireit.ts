/** wireit: one script a node, started by `node --run`, which is quicker than `npm run`. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { Peer } from './peer.ts';

/** `modules` is the folder node_modules that it is installed in. */
export const wireit = (modules: string, version: string): Peer => ({
  name: 'wireit',
  looks: 'content',
  version,
  write: (folder, nodes) => {
    mkdirSync(join(folder, 'out'), { recursive: true });
    symlinkSync(modules, join(folder, 'node_modules'));
    const lasts = nodes.filter(n => !nodes.some(m => m.before === n));
    const entries = nodes.map(n => {
      const before = n.before ? ` out/${n.before.name}` : '';
      return [
        n.name,
        {
          command: `cat ${n.folder}/*${before} > out/${n.name}`,
          files: [`${n.folder}/*`],
          output: [`out/${n.name}`],
          packageLocks: [],
          ...(n.before ? { dependencies: [n.before.name] } : {}),
        },
      ];
    });
    const scripts = Object.fromEntries([...nodes.map(n => n.name), 'all'].map(name => [name, 'wireit']));
    const all = { dependencies: lasts.map(n => n.name) };
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify(
        { name: 'bench', private: true, scripts, wireit: { ...Object.fromEntries(entries), all } },
        null,
        1,
      ),
    );
  },
  command: [process.execPath, '--run', 'all'],
  env: {
    WIREIT_LOGGER: 'quiet',
    WIREIT_PARALLEL: String(availableParallelism()),
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
  },
  made: ['out/*', '.wireit'],
  output: n => `out/${n.name}`,
});
