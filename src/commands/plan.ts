/** `finetune plan`: what a build would do, why, and what it would cost. */
import type { Call, ExitCode } from '../command.ts';
import { openEngine, selectNodes } from '../engine/engine.ts';
import type { Estimate } from '../engine/estimate.ts';
import { readLockFile } from '../engine/lock/lock-file.ts';
import { pinnedBy } from '../engine/lock/pinned.ts';
import { type PlannedNode, plan } from '../engine/plan.ts';
import { renderFailures } from '../views/failures.ts';
import { counted, duration, thousands } from '../views/numbers.ts';
import { columns, print, printJson } from '../views/print.ts';
import { askAfter } from './agree.ts';
import { refreshedNodes } from './refresh.ts';

export const run = async ({ flags, names, env }: Call): Promise<ExitCode> => {
  const limit = askAfter(flags['ask-after'], env);
  const engine = await openEngine({ recipe: flags.recipe, profiles: flags.profile, set: flags.set, env });
  try {
    const nodes = selectNodes(engine.graph, names);
    const file = readLockFile(engine.graph.path);
    const entry = (name: string) => file.entries.find(e => e.node === name && e.profile === flags.profile.join(','));
    const lock = {
      pinned: pinnedBy(file),
      seconds: (name: string) => Number(entry(name)?.pins.seconds ?? Number.NaN) || null,
    };
    const planned = await plan(engine, nodes, lock, refreshedNodes(engine.graph, nodes, flags.refresh));
    const failures = planned.flatMap(p => p.failures);
    const trainers = new Set(nodes.filter(n => n.section === 'trainer').map(n => n.name));
    const asks = planned.filter(p => trainers.has(p.name) && p.estimate && (p.lastSeconds ?? 0) > limit);
    const total = totals(planned);
    if (flags.json) {
      for (const p of planned) printJson({ type: 'plan', ...p, asks: asks.includes(p) });
      printJson({ type: 'total', ...total });
    } else print([table(planned, total), ...asks.map(question)].join('\n'));
    if (failures.length > 0 && !flags.json) process.stderr.write(`${renderFailures(failures)}\n`);
    return failures.length > 0 ? 2 : 0;
  } finally {
    engine.close();
  }
};

interface Totals {
  /** Seconds of what will certainly run, and of all that may. */
  readonly least: number;
  readonly most: number;
  /** Nodes in them that have never run, so that nobody knows. */
  readonly unknown: readonly string[];
}

const totals = (planned: readonly PlannedNode[]): Totals => {
  const sum = (all: readonly PlannedNode[]) => all.reduce((n, p) => n + (p.estimate?.seconds ?? 0), 0);
  const work = planned.filter(p => p.estimate);
  return {
    least: sum(work.filter(p => p.state === 'build')),
    most: sum(work),
    unknown: work.filter(p => p.estimate!.seconds === null).map(p => p.name),
  };
};

const table = (planned: readonly PlannedNode[], { least, most, unknown }: Totals): string => {
  const work = planned.filter(p => p.state !== 'cached');
  if (work.length === 0) return `nothing to do: ${planned.length} nodes are up to date`;
  const rows = work.map(({ name, state, estimate, why }) => [name, state, rowsOf(estimate), timeOf(estimate), why]);
  const count = (state: string) => planned.filter(p => p.state === state).length;
  const parts = (['build', 'maybe', 'blocked', 'cached'] as const)
    .filter(s => count(s) > 0)
    .map(s => `${count(s)} ${s}`);
  const times = [duration(least), ...(duration(most) === duration(least) ? [] : [duration(most)])].join(' to ');
  const rest = unknown.length > 0 ? `${counted(unknown.length, 'node')} that never ran` : '';
  const expected = most === 0 ? rest : `${times}${rest && ` and ${rest}`}`;
  return `${columns(['node', 'would', 'rows', 'time', 'why'], rows)}\n\n${parts.join(', ')}${expected && `; expected: ${expected}`}`;
};

/** "3 of 74 files", "12 of 1,003", "~14 of 1,003", "?". */
const rowsOf = (estimate: Estimate | null): string => {
  if (!estimate) return '';
  const { rows, of, files, sure } = estimate;
  if (files) return `${thousands(files.changed)} of ${counted(files.of, 'file')}`;
  if (of === null) return '';
  if (rows === null) return 'all';
  return rows === of ? thousands(of) : `${sure ? '' : '~'}${thousands(rows)} of ${thousands(of)}`;
};

const timeOf = (estimate: Estimate | null): string =>
  !estimate ? '' : estimate.seconds === null ? '?' : duration(estimate.seconds);

const question = ({ name, lastSeconds }: PlannedNode): string =>
  `${name} was trained in ${duration(lastSeconds!)}: build asks before it trains again (--yes agrees)`;
