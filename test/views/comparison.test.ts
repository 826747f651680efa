/** Variants of a build stand side by side in one table, on any width of terminal. */
import { describe, expect, test } from 'vitest';
import type { BuildEvent, NodeState } from '../../src/events.ts';
import { openBoard } from '../../src/views/board.ts';
import { comparisonLines, type Measured } from '../../src/views/comparison.ts';
import { width } from '../../src/views/printable.ts';
import { renderEnd } from '../../src/views/table.ts';
import { openView } from '../../src/views/view.ts';
import { done, failed, summary } from './builds.ts';
import { expectGolden } from './golden.ts';
import { Collected } from './streams.ts';

type Axes = Readonly<Record<string, string | number | boolean>>;

const nameOf = (of: string, axes: Axes): string =>
  `${of}@${Object.entries(axes)
    .map(([a, v]) => `${a}=${v}`)
    .join(',')}`;

const SECTIONS: Readonly<Record<string, string>> = { adapter: 'trainer', loss: 'evaluators', answers: 'evaluators' };

const build = (nodes: readonly (readonly [of: string, axes: Axes])[]): BuildEvent => ({
  type: 'build',
  recipe: 'finetune.yaml',
  name: 'handbook-assistant',
  jobs: 2,
  nodes: nodes.map(([of, axes]) => {
    const [name, variant] = Object.keys(axes).length === 0 ? [of, {}] : [nameOf(of, axes), { variant: { of, axes } }];
    return { name, section: SECTIONS[of] ?? 'transforms', stage: of, ...variant };
  }),
});

const POINTS: readonly Axes[] = [8, 16].flatMap(r => [1e-4, 0.001].map(lr => ({ r, lr })));

const lossOf = (loss: number) => ({
  base: { loss: 4.2131, perplexity: 67.6 },
  tuned: { loss, perplexity: Math.exp(loss) },
  change: loss / 4.2131 - 1,
  rows: 61,
  tokens: 2310,
});

const SWEEP: readonly BuildEvent[] = [
  build([['chat', {}], ...['adapter', 'loss', 'answers'].flatMap(of => POINTS.map(p => [of, p] as const))]),
  done('chat', 'cached', { rows: 12, computed: 0 }),
  ...POINTS.flatMap((p, i): BuildEvent[] => [
    done(nameOf('adapter', p), 'built', {
      seconds: 30 + i,
      out: `out/${nameOf('adapter', p)}`,
      metrics: { train_loss: 3.1 - i / 10, final_loss: 2.8 - i / 8, steps: 60, rows: 104, tokens: 12345 },
    }),
    done(nameOf('loss', p), 'built', { seconds: 0.4, metrics: lossOf([3.4021, 3.3, 3.2, 3.25][i]!) }),
    done(nameOf('answers', p), 'built', { seconds: 3, metrics: { asked: 8, different: 8 - i, complete_base: 2 } }),
  ]),
];

const end = (events: readonly BuildEvent[], columns?: number): string => {
  const board = openBoard();
  for (const event of events) board.apply(event, 0);
  const last = summary(events, 140.2);
  board.apply(last, 0);
  return renderEnd(last, board.nodes, columns === undefined ? {} : { columns });
};

describe('variants at the end of a build', () => {
  test('stand in one table, a row for each, and what is the same for all is said once', () =>
    expectGolden('comparison.txt', end(SWEEP)));

  test('on a narrow terminal in several blocks that repeat the axes', () => {
    const text = end(SWEEP, 50);
    expectGolden('comparison-narrow.txt', text);
    for (const line of text.split('\n')) expect(width(line)).toBeLessThanOrEqual(50);
  });

  test('are the same in plain lines', () => {
    const both = new Collected();
    const view = openView({ mode: 'plain', stdout: both, stderr: both, env: {} });
    for (const event of [...SWEEP, summary(SWEEP, 140.2)]) view.emit(event);
    const table = end(SWEEP).split('\n\n').slice(1, -1).join('\n\n');
    expect(both.text).toContain(table);
  });

  test('one that failed or was skipped has a row that says so', () => {
    const [start, ...events] = SWEEP;
    const without = events.filter(e => !('node' in e) || !String(e.node).endsWith('@r=16,lr=0.001'));
    expectGolden(
      'comparison-failed.txt',
      end([
        start!,
        ...without,
        failed(nameOf('adapter', POINTS[3]!), { seconds: 1 }),
        { type: 'skipped', node: nameOf('loss', POINTS[3]!), because: 'adapter@r=16,lr=0.001 failed' },
        { type: 'skipped', node: nameOf('answers', POINTS[3]!), because: 'adapter@r=16,lr=0.001 failed' },
      ]),
    );
  });

  test('of which only one was built is a result like any other', () => {
    const name = nameOf('loss', POINTS[0]!);
    const text = end([build([['loss', POINTS[0]!]]), done(name, 'built', { metrics: lossOf(3.4021) })]);
    expect(text).toContain(`${name}  4.213 -> 3.402  (-19.2 %)`);
  });

  test('a thousand of them are cut', () => {
    const points = Array.from({ length: 1000 }, (_, seed) => ({ seed }));
    const text = end([
      build(points.map(p => ['loss', p] as const)),
      ...points.map(p => done(nameOf('loss', p), 'cached', { metrics: lossOf(3 + p.seed / 1000) })),
    ]);
    expect(text.split('\n')).toHaveLength(1 + 1 + 2 + 40 + 1 + 1 + 1 + 1 + 1);
    expect(text).toContain('… and 960 more variants\n');
  });

  test('the summary of --json is the contract, and the build event says what is a variant of what', () => {
    const both = new Collected();
    const view = openView({ mode: 'json', stdout: both, stderr: both, env: {} });
    for (const event of [...SWEEP, summary(SWEEP, 1)]) view.emit(event);
    const lines = both.text
      .trim()
      .split('\n')
      .map(l => JSON.parse(l));
    expect(lines[0].nodes[1]).toEqual({
      name: 'adapter@r=8,lr=0.0001',
      section: 'trainer',
      stage: 'adapter',
      variant: { of: 'adapter', axes: { r: 8, lr: 0.0001 } },
    });
    expect(Object.keys(lines.at(-1).nodes[1])).toEqual(['name', 'state', 'key', 'seconds', 'rows', 'computed']);
  });
});

describe('the comparison', () => {
  const measured = (r: number, metrics: Record<string, unknown> | null, state: NodeState = 'built'): Measured => ({
    of: 'loss',
    axes: { r },
    metrics,
    state,
    isTest: true,
  });

  test('marks the best only where it is known what is better, and where there is one', () => {
    const text = comparisonLines([
      measured(8, { loss: 2, accuracy: 0.5, perplexity: 3 }),
      measured(16, { loss: 1.5, accuracy: 0.25, perplexity: 3 }),
    ]);
    expect(text).toEqual([
      '    loss',
      ' r     loss  accuracy  perplexity',
      ' 8  2.000         0.5           3',
      '16  1.500 *      0.25           3',
      '* best (lowest)',
    ]);
  });

  test('of models that differ without the adapter, too, has a column of theirs', () => {
    const text = comparisonLines([
      measured(8, { base: { loss: 4 }, tuned: { loss: 2 } }),
      measured(16, { base: { loss: 5 }, tuned: { loss: 3 } }),
    ]);
    expect(text.slice(1, 4)).toEqual([' r  base loss  loss', ' 8          4   2 *', '16          5   3']);
  });

  test('shows words and truths as they are, and hides what a terminal would obey', () => {
    const [a, b] = [{ model: 'tiny\x1b[2J' }, { model: 'big' }];
    const text = comparisonLines([
      { ...measured(1, a), axes: { base: 'x\x07', rs: true } },
      { ...measured(2, b), axes: { base: 'y', rs: false } },
    ]);
    expect(text).toEqual(['             loss', 'base  rs     model', 'x␇    true   tiny␛[2J', 'y     false  big']);
  });

  test('is nothing where there is nothing to compare', () => {
    expect(comparisonLines([measured(8, { loss: 2 })])).toEqual([]);
    expect(comparisonLines([measured(8, null, 'failed'), measured(16, null, 'skipped')])).toEqual([]);
    expect(comparisonLines([])).toEqual([]);
  });

  test('of variants that all came out the same says so', () => {
    const text = comparisonLines([measured(8, { right: 2, of: 3 }), measured(16, { right: 2, of: 3 })]);
    expect(text).toEqual(['the same for all 2: loss right 2, of 3']);
  });
});
