/** finetune itself, as it is published: the compiled command line under a `node_modules` of its own. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { recipeOf } from '../chains.ts';
import type { Peer } from './peer.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Compiles it into `folder`; returns the path of its command. */
export const compiled = (folder: string): string => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const part of ['bin', 'package.json']) cpSync(join(root, part), join(folder, part), { recursive: true });
  for (const part of ['node_modules', 'pipelines']) symlinkSync(join(root, part), join(folder, part));
  const rolldown = join(root, 'node_modules/rolldown/bin/cli.mjs');
  const args = [rolldown, '-c', 'rolldown.config.ts', '-d', join(folder, 'dist')];
  execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  return join(folder, 'bin/finetune.js');
};

export const ours = (bin: string, version: string): Peer => ({
  name: 'finetune',
  looks: 'content',
  version,
  write: (folder, nodes) => {
    mkdirSync(join(folder, '.finetune'), { recursive: true });
    writeFileSync(join(folder, 'finetune.yaml'), recipeOf(nodes));
  },
  command: [process.execPath, bin, 'build'],
  made: ['.finetune/*', 'finetune.lock'],
  output: () => null,
});
