/** make, with its built-in rules and without. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { ChainNode } from '../chains.ts';
import type { Peer } from './peer.ts';

const outOf = ({ name }: ChainNode): string => `out/${name}`;

const write = (folder: string, nodes: readonly ChainNode[]): void => {
  mkdirSync(join(folder, 'out'), { recursive: true });
  const rules = nodes.map(n => {
    const inputs = [...n.files, ...(n.before ? [outOf(n.before)] : [])].join(' ');
    return `${outOf(n)}: ${inputs}\n\tcat ${inputs} > ${outOf(n)}\n`;
  });
  writeFileSync(join(folder, 'Makefile'), `all: ${nodes.map(outOf).join(' ')}\n.PHONY: all\n${rules.join('')}`);
};

const jobs = `-j${availableParallelism()}`;

export const make = (program: string, version: string): Peer[] =>
  [[], ['-rR']].map(flags => ({
    name: ['make', ...flags].join(' '),
    looks: 'times',
    version,
    write,
    command: [program, '-s', jobs, ...flags],
    made: ['out/*'],
    output: outOf,
  }));
