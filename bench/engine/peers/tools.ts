/**
 * Where the peers are: make and ninja as the system has them (apt-get install make ninja-build), the others in a folder of
 * their own, where they are installed by pip and npm when they are not there yet.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dvc } from './dvc.ts';
import { make } from './make.ts';
import { ninja } from './ninja.ts';
import type { Peer } from './peer.ts';
import { snakemake } from './snakemake.ts';
import { turbo } from './turbo.ts';
import { wireit } from './wireit.ts';

const firstLine = (program: string, args: readonly string[]): string | null => {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0]!.trim() : null;
};

const number = (text: string): string => /\d+(\.\d+)+/.exec(text)?.[0] ?? text;

const python = (folder: string): string | null => {
  const bin = join(folder, 'python/bin');
  if (!existsSync(join(bin, 'dvc')) || !existsSync(join(bin, 'snakemake'))) {
    if (!firstLine('python3', ['--version'])) return null;
    try {
      execFileSync('python3', ['-m', 'venv', join(folder, 'python')], { stdio: ['ignore', 'ignore', 'inherit'] });
      execFileSync(join(bin, 'pip'), ['install', '--quiet', 'dvc', 'snakemake'], { stdio: ['ignore', 2, 'inherit'] });
    } catch {
      return null;
    }
  }
  return bin;
};

const npm = (folder: string): string | null => {
  const modules = join(folder, 'npm/node_modules');
  if (!existsSync(join(modules, 'wireit')) || !existsSync(join(modules, '.bin/turbo'))) {
    mkdirSync(join(folder, 'npm'), { recursive: true });
    writeFileSync(join(folder, 'npm/package.json'), '{ "private": true }\n');
    const args = ['install', '--no-audit', '--no-fund', '--loglevel=error', 'turbo', 'wireit'];
    if (spawnSync('npm', args, { cwd: join(folder, 'npm'), stdio: ['ignore', 2, 'inherit'] }).status !== 0) return null;
  }
  return modules;
};

/** Every peer that can be had; `missing` hears of the others and of how to get them. */
export const findPeers = (folder: string, missing: (line: string) => void): Peer[] => {
  mkdirSync(folder, { recursive: true });
  const peers: Peer[] = [];
  for (const [program, of] of [
    ['make', make],
    ['ninja', (p: string, v: string) => [ninja(p, v)]],
  ] as const) {
    const version = firstLine(program, ['--version']);
    if (version) peers.push(...of(program, number(version)));
    else missing(`${program}: apt-get install ${program === 'ninja' ? 'ninja-build' : program}`);
  }
  const bin = python(folder);
  if (bin) {
    const [d, s] = [join(bin, 'dvc'), join(bin, 'snakemake')];
    peers.push(
      dvc(d, number(firstLine(d, ['--version']) ?? '')),
      snakemake(s, number(firstLine(s, ['--version']) ?? '')),
    );
  } else missing('DVC, Snakemake: python3 with venv, and a package index that can be reached');
  const modules = npm(folder);
  if (modules) {
    const versionOf = (name: string): string =>
      (JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')) as { version: string }).version;
    peers.push(turbo(join(modules, '.bin/turbo'), versionOf('turbo')), wireit(modules, versionOf('wireit')));
  } else missing('Turborepo, wireit: npm, and a registry that can be reached');
  return peers;
};
