/**
 * Every figure of the engine, one after another, on a machine that should have nothing else to do: `npm run bench:engine`. It takes
 * some twenty minutes and a gigabyte of disk, and installs the peers (`peers/tools.ts`).
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const PARTS = {
  'Nothing to do': ['start.ts'],
  Plan: ['plan.ts'],
  Files: ['files.ts'],
  Commands: ['command.ts'],
  Peers: ['peers.ts'],
  'A million rows': ['memory.ts'],
  'A row of a million': ['edits.ts'],
} as const;

console.log(`${availableParallelism()} cores, ${cpus()[0]?.model}, Node ${process.versions.node}`);
for (const [title, [script]] of Object.entries(PARTS)) {
  console.log(`\n## ${title}: \`node bench/engine/${script}\`\n`);
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(script, import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) process.exitCode = 1;
}
