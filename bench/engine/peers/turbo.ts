/** Turborepo: a chain is a package, a node a task of it. */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChainNode } from '../chains.ts';
import type { Peer } from './peer.ts';

const json = (path: string, value: unknown): void => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

export const turbo = (program: string, version: string): Peer => ({
  name: 'Turborepo',
  looks: 'content',
  version,
  write: (folder, nodes) => {
    const task = ({ step }: ChainNode): string => `n${step}`;
    const chains = Map.groupBy(nodes, n => n.chain);
    const first = [...chains.values()][0]!;
    for (const [chain, all] of chains) {
      const home = join(folder, 'packages', `c${chain}`);
      mkdirSync(home, { recursive: true });
      renameSync(join(folder, `in/${chain}`), join(home, 'in'));
      symlinkSync(join(home, 'in'), join(folder, `in/${chain}`));
      const scripts = Object.fromEntries(
        all.map(n => {
          const before = n.before ? ` out/${n.before.step}` : '';
          return [task(n), `mkdir -p out && cat in/${n.step}/*${before} > out/${n.step}`];
        }),
      );
      json(join(home, 'package.json'), { name: `c${chain}`, version: '1.0.0', scripts });
    }
    json(join(folder, 'package.json'), {
      name: 'bench',
      private: true,
      packageManager: 'npm@11.0.0',
      workspaces: ['packages/*'],
    });
    const lock = Object.fromEntries(
      [...chains.keys()].map(c => [`packages/c${c}`, { name: `c${c}`, version: '1.0.0' }]),
    );
    json(join(folder, 'package-lock.json'), {
      name: 'bench',
      lockfileVersion: 3,
      requires: true,
      packages: { '': { name: 'bench', workspaces: ['packages/*'] }, ...lock },
    });
    json(join(folder, 'turbo.json'), {
      tasks: Object.fromEntries(
        first.map(n => [
          task(n),
          {
            inputs: [`in/${n.step}/**`],
            outputs: [`out/${n.step}`],
            dependsOn: n.before ? [task(n.before)] : [],
          },
        ]),
      ),
    });
  },
  command: [program, 'run', 'n9', '--output-logs=none', '--no-update-notifier'],
  env: { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
  made: ['packages/*/out', '.turbo', 'packages/*/.turbo', 'node_modules'],
  output: n => `packages/c${n.chain}/out/${n.step}`,
});
