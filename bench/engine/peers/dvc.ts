/** DVC: one stage a node. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './peer.ts';

export const dvc = (program: string, version: string): Peer => ({
  name: 'DVC',
  looks: 'content',
  version,
  write: (folder, nodes) => {
    mkdirSync(join(folder, 'out'), { recursive: true });
    const stages = Object.fromEntries(
      nodes.map(n => {
        const deps = [...n.files, ...(n.before ? [`out/${n.before.name}`] : [])];
        return [n.name, { cmd: `cat ${deps.join(' ')} > out/${n.name}`, deps, outs: [`out/${n.name}`] }];
      }),
    );
    // JSON is YAML.
    writeFileSync(join(folder, 'dvc.yaml'), JSON.stringify({ stages }, null, 1));
    mkdirSync(join(folder, '.dvc'), { recursive: true });
    writeFileSync(
      join(folder, '.dvc/config'),
      '[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n',
    );
  },
  command: [program, 'repro', '--quiet'],
  made: ['out/*', '.dvc/cache', '.dvc/tmp', 'dvc.lock'],
  output: n => `out/${n.name}`,
});
