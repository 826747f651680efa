/**
 * What it costs to plan a graph of 10,000 nodes: parsed for the first time, from the graph that is kept, and with everything
 * built before: `node bench/engine/plan.ts [nodes]`.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printFigures } from './figures.ts';
import { inSeconds, median, seconds } from './measure.ts';
import { compiled } from './peers/ours.ts';

const count = Number(process.argv[2] ?? 10_000);
const base = mkdtempSync(join(tmpdir(), 'finetune-plan-'));
try {
  const bin = compiled(join(base, 'installed'));
  let sources = '';
  let transforms = '';
  for (let i = 0; i < count / 10; i++) {
    mkdirSync(join(base, `docs/${i}`), { recursive: true });
    writeFileSync(join(base, `docs/${i}/page.md`), `This is the page with number ${i}, and it is not long.\n`);
    sources += `  c${i}n0: { uses: files, with: { paths: "docs/${i}/*.md" } }\n`;
    for (let n = 1; n < 10; n++)
      transforms += `  c${i}n${n}: { uses: filter, from: c${i}n${n - 1}, with: { min: ${n} } }\n`;
  }
  const recipe = `version: 1\nsources:\n${sources}transforms:\n${transforms}`;
  mkdirSync(join(base, '.finetune'));
  const plan = (): number => seconds([process.execPath, bin, 'plan', '--json'], { cwd: base })!;
  const first = median(
    Array.from({ length: 3 }, (_, i) => {
      writeFileSync(join(base, 'finetune.yaml'), `${recipe}# ${i}\n`);
      return plan();
    }),
  );
  const kept = median(Array.from({ length: 5 }, plan));
  const built = seconds([process.execPath, bin, 'build'], { cwd: base })!;
  const done = median(Array.from({ length: 5 }, plan));
  writeFileSync(join(base, 'docs/7/page.md'), 'This page is another one now.\n');
  const edited = median(Array.from({ length: 5 }, plan));
  const n = count.toLocaleString('en');
  printFigures([
    { what: `plan of ${n} nodes, first parse`, budget: '3.00 s', measured: inSeconds(first) },
    { what: `plan of ${n} nodes from the kept graph, none built`, budget: '1.00 s', measured: inSeconds(kept) },
    { what: `the same, all built (in ${inSeconds(built)})`, budget: '1.00 s', measured: inSeconds(done) },
    { what: 'the same, one file changed', budget: '1.00 s', measured: inSeconds(edited) },
  ]);
} finally {
  rmSync(base, { recursive: true, force: true });
}
