/** The lines of `watch`: what changed, what was built of it, and what was left out. */
import type { NodeSummary, WatchEvent } from '../events.ts';
import type { NodeStatus } from './board.ts';
import { counted, duration, thousands } from './numbers.ts';
import type { Palette } from './palette.ts';
import { visible } from './printable.ts';
import type { Summary } from './table.ts';

/** Files and nodes named in a line; more are counted. */
const FILES = 3;
const NODES = 12;

/** "docs/a.md", "docs/a.md, docs/b.md, docs/c.md and 1,997 more". */
export const filesInWords = ({
  changed,
  more,
}: {
  readonly changed: readonly string[];
  readonly more: number;
}): string => named(changed, FILES, more);

const named = (all: readonly string[], most: number, more = 0): string => {
  const shown = all.slice(0, all.length + more === most + 1 ? most + 1 : most).map(visible);
  const rest = all.length + more - shown.length;
  return rest === 0 ? shown.join(', ') : `${shown.join(', ')} and ${thousands(rest)} more`;
};

const names = (nodes: readonly NodeSummary[]): string =>
  named(
    nodes.map(n => n.name),
    NODES,
  );

/** "docs/a.md: text, lines built; 6 rows computed; 0.04 s". Nodes in `asked` are built later: they are not behind for good. */
export const buildLine = (
  { nodes, seconds }: Summary,
  begun: Extract<WatchEvent, { state: 'build' }>,
  statuses: ReadonlyMap<string, NodeStatus>,
  { palette, asked }: { readonly palette: Palette; readonly asked: ReadonlySet<string> },
): string => {
  const of = (state: NodeSummary['state']) => nodes.filter(n => n.state === state);
  const [built, failed, interrupted, skipped] = [of('built'), of('failed'), of('interrupted'), of('skipped')];
  const rows = built.reduce((sum, n) => sum + (n.computed ?? 0), 0);
  const left = skipped.filter(n => !/ (failed|was \w+)$/.test(statuses.get(n.name)?.note ?? '') && !asked.has(n.name));
  const subject = { first: 'first build', changed: filesInWords(begun), asked: named(begun.asked, NODES) }[begun.why];
  const parts = [
    failed.length > 0 ? `${names(failed)} ${palette('red', 'failed')}` : '',
    interrupted.length > 0 ? `${names(interrupted)} ${palette('yellow', 'interrupted')}` : '',
    built.length > 0 ? `${names(built)} ${palette('green', 'built')}` : '',
    built.length + failed.length + interrupted.length === 0 ? 'nothing to build' : '',
    rows > 0 ? `${counted(rows, 'row')} computed` : '',
    failed.length > 0 && skipped.length > 0 ? `${counted(skipped.length, 'node')} skipped` : '',
    left.length > 0 ? palette('dim', `${names(left)} left`) : '',
    duration(seconds),
  ];
  return `${subject}: ${parts.filter(Boolean).join('; ')}`;
};

/** "left out: adapter (a training) …; to include them: finetune watch --train, or finetune watch adapter". */
export const leftLine = (nodes: readonly { readonly name: string; readonly because: string }[]): string => {
  const all = nodes.map(n => `${visible(n.name)} (${visible(n.because)})`).join(', ');
  const which = nodes.map(n => visible(n.name)).join(' ');
  return `left out, with what follows from it: ${all}; to include it: finetune watch --train, or by name: finetune watch ${which}`;
};
