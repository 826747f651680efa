/** Snakemake: one rule a node. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Peer } from './peer.ts';

export const snakemake = (program: string, version: string): Peer => ({
  name: 'Snakemake',
  looks: 'times',
  version,
  write: (folder, nodes) => {
    mkdirSync(join(folder, 'out'), { recursive: true });
    const rules = nodes.map(n => {
      const inputs = [...n.files, ...(n.before ? [`out/${n.before.name}`] : [])];
      return `rule ${n.name}:\n    input: ${JSON.stringify(inputs).slice(1, -1)}\n    output: "out/${n.name}"\n    shell: "cat {input} > {output}"\n`;
    });
    const all = `rule all:\n    input: ${JSON.stringify(nodes.map(n => `out/${n.name}`)).slice(1, -1)}\n`;
    writeFileSync(join(folder, 'Snakefile'), `${all}${rules.join('')}`);
  },
  command: [program, '--quiet', 'all', '--cores', String(availableParallelism())],
  made: ['out/*', '.snakemake'],
  output: n => `out/${n.name}`,
});
