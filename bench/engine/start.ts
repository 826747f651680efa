/**
 * What it costs to find that there is nothing to do, by the compiled program: medians of runs in turns.
 * `node bench/engine/start.ts [runs]`
 *
 *   10 nodes            what `finetune init` writes, without its training
 *   1,000 nodes         `chains.ts`: commands over 10,000 files
 *   after an edit       the answer kept of the last build does not stand: every node is looked up
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chainNodes, recipeOf, THOUSAND, writeFiles } from './chains.ts';
import { printFigures } from './figures.ts';
import { inSeconds, median, seconds } from './measure.ts';
import { compiled } from './peers/ours.ts';

const runs = Number(process.argv[2] ?? 15);
const root = fileURLToPath(new URL('../../', import.meta.url));
const base = mkdtempSync(join(tmpdir(), 'finetune-start-'));

try {
  const bin = compiled(join(base, 'installed'));
  const small = join(base, 'small');
  mkdirSync(join(small, '.finetune'), { recursive: true });
  seconds([process.execPath, bin, 'init', small], { cwd: root });
  // Everything but the training: that would take its minute before we can begin, and a cached node is a cached node.
  const recipe = join(small, 'finetune.yaml');
  writeFileSync(recipe, readFileSync(recipe, 'utf8').replace(/^trainer:[\s\S]*/m, ''));
  const count = readFileSync(recipe, 'utf8').match(/\buses:/g)!.length;

  const big = join(base, 'big');
  const nodes = chainNodes(THOUSAND);
  mkdirSync(join(big, '.finetune'), { recursive: true });
  writeFiles(big, nodes);
  writeFileSync(join(big, 'finetune.yaml'), recipeOf(nodes));

  const build = [process.execPath, bin, 'build'] as const;
  const edit = (): void => writeFileSync(join(big, 'finetune.yaml'), `${recipeOf(nodes)}# ${Math.random()}\n`);
  const cases: Record<string, () => number> = {
    node: () => seconds([process.execPath, '-e', '0'], { cwd: base })!,
    small: () => seconds([...build], { cwd: small })!,
    big: () => seconds([...build], { cwd: big })!,
    'npx node': () => seconds(['npx', 'node', '-e', '0'], { cwd: root })!,
    'npx small': () => seconds(['npx', 'finetune', 'build', '--recipe', recipe], { cwd: root })!,
  };
  // What was written just now is not trusted at once: a few rounds until all is at rest.
  for (const once of Object.values(cases)) once();
  for (const begun = performance.now(); performance.now() - begun < 3000; )
    for (const once of Object.values(cases)) once();
  const times: Record<string, number[]> = {};
  for (let i = 0; i < runs; i++) for (const [name, once] of Object.entries(cases)) (times[name] ??= []).push(once());
  const edited = Array.from({ length: Math.ceil(runs / 3) }, () => {
    edit();
    return seconds([...build], { cwd: big })!;
  });
  const of = (name: string): string => inSeconds(median(times[name]!));
  printFigures([
    { what: '`node -e 0`', budget: '', measured: of('node') },
    { what: `nothing to do, ${count} nodes`, budget: '0.120 s', measured: of('small') },
    { what: 'nothing to do, 1,000 nodes and 10,000 files', budget: '0.200 s', measured: of('big') },
    {
      what: 'the same after a comment in the recipe: parsed and looked up',
      budget: '',
      measured: inSeconds(median(edited)),
    },
    {
      what: `in this clone: \`npx finetune build\`, ${count} nodes (\`npx node -e 0\`: ${of('npx node')})`,
      budget: '',
      measured: of('npx small'),
    },
  ]);
  console.log(`\nMedians of ${runs}, Node ${process.versions.node}.`);
} finally {
  rmSync(base, { recursive: true, force: true });
}
