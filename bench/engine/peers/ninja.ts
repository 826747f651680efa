/** ninja. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './peer.ts';

export const ninja = (program: string, version: string): Peer => ({
  name: 'ninja',
  looks: 'times',
  version,
  write: (folder, nodes) => {
    mkdirSync(join(folder, 'out'), { recursive: true });
    const rules = nodes.map(
      n => `build out/${n.name}: cat ${[...n.files, ...(n.before ? [`out/${n.before.name}`] : [])].join(' ')}\n`,
    );
    writeFileSync(join(folder, 'build.ninja'), `rule cat\n  command = cat $in > $out\n${rules.join('')}`);
  },
  command: [program, '--quiet'],
  made: ['out/*', '.ninja_log', '.ninja_deps'],
  output: n => `out/${n.name}`,
});
