/**
 * Every figure of the data stages, one after another, on a machine that should have nothing else to do: `npm run bench:data`. It
 * takes some half an hour and a few gigabytes of disk, and installs the peers (`peers/python.ts`). `npm run bench:data -- 100`
 * does all of it on a hundredth of the rows, to see that it runs.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const share = Number(process.argv[2] ?? 1);
const PARTS = [
  { title: "The seed's cleaning", script: 'clean.ts', rows: 100_000 },
  { title: 'Near duplicates', script: 'near-dedup.ts', rows: 200_000 },
  { title: 'Templates and tokens', script: 'template.ts', rows: 100_000 },
] as const;

console.log(`${availableParallelism()} cores, ${cpus()[0]?.model}, Node ${process.versions.node}`);
for (const { title, script, rows } of PARTS) {
  const count = String(Math.ceil(rows / share));
  console.log(`\n## ${title}: \`node bench/data/${script} ${count}\`\n`);
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), count], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) process.exitCode = 1;
}
