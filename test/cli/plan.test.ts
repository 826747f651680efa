/** `finetune plan`: what would run, why, how many rows and how long; and the question before a long training is repeated. */
import { describe, expect, test } from 'vitest';
import { expectGolden } from '../rig/golden.ts';
import { GATE, type Project, pages, project, RECIPE, until } from '../rig/project.ts';
import { onTerminal } from '../rig/terminal.ts';
import { questions, training } from '../rig/training.ts';

type Line = Record<string, unknown> & { estimate: { rows: number; of: number; seconds: number } | null };

const planned = async (p: Project, ...args: string[]): Promise<{ nodes: Record<string, Line>; total: Line }> => {
  const { stdout, stderr } = await p.run(['plan', '--json', ...args]);
  expect(stderr).toBe('');
  const lines = stdout
    .trim()
    .split('\n')
    .map(l => JSON.parse(l) as Line);
  expect(lines.at(-1)!.type).toBe('total');
  return { nodes: Object.fromEntries(lines.slice(0, -1).map(l => [l.name, l])), total: lines.at(-1)! };
};

/** Times differ from run to run. */
const timeless = (text: string): string =>
  text.replaceAll(/\b\d+\.\d+ s\b/g, '0.00 s').replace('0.00 s to 0.00 s', '0.00 s');

const states = (nodes: Record<string, Line>) => Object.fromEntries(Object.values(nodes).map(n => [n.name, n.state]));

describe('plan', () => {
  test('says what would be built, and why; a build then does it', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(3) });
    const first = await planned(p);
    expect(Object.values(first.nodes).map(n => [n.name, n.state, n.why])).toEqual(
      ['docs', 'text', 'lines', 'good', 'pairs', 'unique', 'split'].map(n => [n, 'build', 'never built']),
    );
    expect(first.total).toMatchObject({ least: 0, most: 0, unknown: Object.keys(first.nodes) });
    await p.build();
    expect((await p.run(['plan'])).stdout).toBe('nothing to do: 7 nodes are up to date\n');
    p.edit('finetune.yaml', '{ min: 10 }', '{ min: 11 }');
    expect(states((await planned(p)).nodes)).toEqual({
      docs: 'cached',
      text: 'cached',
      lines: 'cached',
      good: 'build',
      pairs: 'maybe',
      unique: 'maybe',
      split: 'maybe',
    });
    expect((await p.run(['build', '--dry-run'])).stdout).toBe((await p.run(['plan'])).stdout);
    // The filter keeps the same rows: what was "maybe" is cached.
    expect((await p.build()).states).toMatchObject({ good: 'built', pairs: 'cached' });
  });

  test('says how many rows, and for how long by what runs before have taken', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(400) });
    await p.build();
    p.edit('docs/0100.md', 'sentence 1', 'sentence one');
    p.edit('finetune.yaml', 'pairs:  {', 'odd:    { uses: filter, from: good, with: { max: 20 } }\n  pairs:  {');
    expectGolden('cli/plan-edit.txt', timeless((await p.run(['plan'])).stdout));
    // Once the source has been read, what is behind it is counted, not guessed.
    await p.build(['docs']);
    const { nodes } = await planned(p);
    expect(nodes.text!.estimate).toMatchObject({ rows: 1, of: 400, sure: true });
    expect(nodes.lines!.estimate).toMatchObject({ rows: 1, of: 400, sure: false });
    expect(nodes.docs!.estimate).toBe(null);
    await p.build(['text']);
    p.edit('finetune.yaml', '{ min: 10 }', '{ min: 12 }');
    expectGolden('cli/plan-option.txt', timeless((await p.run(['plan'])).stdout));
  });

  test('scales the time of a whole run by the share of rows that changed', async () => {
    const p = project({
      'finetune.yaml': `version: 1
sources:
  rows: { uses: files, with: { paths: rows.jsonl, key: id } }
transforms:
  slow: { uses: ./slow.ts, from: rows }
  last: { uses: filter, from: slow, with: { field: id, min: 1 } }
`,
      // A thousandth of a second a row.
      'slow.ts': `export const kind = 'rows';
export default (fields: object) => {
  for (const end = performance.now() + 1; performance.now() < end; );
  return fields;
};
`,
      'rows.jsonl': Array.from({ length: 2000 }, (_, i) => JSON.stringify({ id: `row ${i}` })).join('\n'),
    });
    await p.build(['--jobs', '1']);
    p.edit('rows.jsonl', '"row 1000"', '"row 1000 b"');
    await p.build(['rows']);
    const edited = (await planned(p)).nodes.slow!.estimate!;
    expect(edited).toMatchObject({ rows: 1, of: 2000 });
    p.edit('slow.ts', '+ 1;', '+ 1.0;');
    const anew = (await planned(p)).nodes.slow!.estimate!;
    expect(anew).toMatchObject({ rows: 2000, of: 2000 });
    expect(anew.seconds).toBeGreaterThan(2);
    expect(anew.seconds / edited.seconds).toBeCloseTo(2000, 0);
    // A run of one row does not become the measure of a whole one.
    p.edit('slow.ts', '+ 1.0;', '+ 1;');
    await p.build(['--jobs', '1']);
    p.edit('slow.ts', '+ 1;', '+ 1.00;');
    expect((await planned(p)).nodes.slow!.estimate!.seconds).toBeCloseTo(anew.seconds, 5);
  });

  test('counts the rows that failed for a while, and are tried again', async () => {
    const p = project({
      'finetune.yaml': `version: 1
sources:
  rows: { uses: files, with: { paths: rows.jsonl, key: id } }
transforms:
  asked: { uses: ./ask.ts, from: rows, with: { mostly: 0.5 } }
`,
      'ask.ts': `export const kind = 'rows';
export default (fields: { n: number }) => (fields.n < 2 ? { reject: 'no answer', transient: true } : fields);
`,
      'rows.jsonl': Array.from({ length: 10 }, (_, n) => JSON.stringify({ id: `r${n}`, n })).join('\n'),
    });
    expect((await p.build()).code).toBe(0);
    const { asked } = (await planned(p)).nodes;
    expect(asked).toMatchObject({
      state: 'build',
      why: '2 rows failed for a while, and are tried again',
      estimate: { rows: 2, of: 10 },
    });
  });

  test('builds nothing', async () => {
    const p = project({ 'finetune.yaml': RECIPE, ...pages(3) });
    await p.run(['plan']);
    expect(p.files('.finetune/packs')).toEqual([]);
    expect(p.has('finetune.lock')).toBe(false);
    expect(Object.values((await planned(p)).nodes).every(n => n.state === 'build')).toBe(true);
  });

  test('tells what blocks a node', async () => {
    const p = project({ 'finetune.yaml': RECIPE.replace('docs/**/*.md', 'docs/none.md'), ...pages(1) });
    const { code, stdout, stderr } = await p.run(['plan']);
    expect(code).toBe(2);
    expect(stdout).toMatch(/docs +blocked/);
    expect(stderr).toContain('file-missing: there is no file docs/none.md');
  });

  test('says which trainings would be asked about', async () => {
    const p = training();
    await p.build();
    p.edit('finetune.yaml', '{ r: 1', '{ r: 2');
    expect(timeless((await p.run(['plan', '--ask-after', '0s'])).stdout)).toMatch(
      /\nadapter was trained in 0.00 s: build asks before it trains again \(--yes agrees\)\n$/,
    );
    expect((await planned(p)).nodes.adapter!.asks).toBe(false);
    expect((await planned(p, '--ask-after', '0s')).nodes.adapter!.asks).toBe(true);
    const wrong = await p.run(['plan', '--ask-after', 'soon']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('--ask-after takes a time such as 90s, 10m or 2h, not "soon"');
  });

  test('expects a training to take as long as its steps', async () => {
    const p = training();
    await p.build();
    p.edit('finetune.yaml', '{ r: 1', '{ r: 2');
    const seconds = async () => (await planned(p)).nodes.adapter!.estimate!.seconds!;
    const once = await seconds();
    expect(once).toBeGreaterThan(0);
    const steps = /steps: (\d+)/.exec(p.read('finetune.yaml'))!;
    p.edit('finetune.yaml', steps[0], `steps: ${Number(steps[1]) * 10}`);
    expect(await seconds()).toBeCloseTo(once * 10, 5);
  });

  test('knows from the lock file what a training took elsewhere', async () => {
    const p = training();
    await p.build();
    p.write({ 'finetune.lock': p.read('finetune.lock').replace(/seconds=\d+/, 'seconds=2040'), '.finetune': null });
    const { nodes } = await planned(p);
    expect(nodes.adapter).toMatchObject({
      state: 'build',
      why: 'never built',
      asks: true,
      estimate: { seconds: 2040 },
    });
    await p.build(['chat']);
    expect((await planned(p)).nodes.adapter!.why).toBe('its pinned result is not in this store');
    const refused = await p.build();
    expect([refused.code, refused.reasons]).toEqual([2, ['not-agreed']]);
  });
});

describe('before a long training is repeated', () => {
  const trained = async (): Promise<Project> => {
    const p = training();
    // The first time nobody is asked.
    const built = await p.build(['--ask-after', '0s']);
    expect([built.code, built.states.adapter]).toEqual([0, 'built']);
    return p;
  };

  test('a pipe is refused, with everything before it built; --yes agrees', async () => {
    const p = await trained();
    p.write({ 'rows.jsonl': questions(7) });
    const refused = await p.build([], { env: { FINETUNE_ASK_AFTER: '0s' } });
    expect(refused.code).toBe(2);
    expect(refused.reasons).toEqual(['not-agreed']);
    expect(refused.states).toMatchObject({ chat: 'built', adapter: 'failed', loss: 'skipped' });
    const failure = refused.events.find(e => e.type === 'failed');
    expect(failure).toMatchObject({
      node: 'adapter',
      failure: {
        message: 'adapter has been trained before and would be trained again: input train changed',
        advice: 'to train again: finetune build --yes',
        place: { path: 'finetune.yaml', line: 10 },
      },
    });
    // Neither does a shorter one ask, nor one that is named on purpose.
    p.edit('finetune.yaml', '{ r: 1', '{ r: 2');
    expect((await p.build(['--ask-after', '1h'])).code).toBe(0);
    expect((await p.build(['--ask-after', '0s', '--force', 'adapter'])).code).toBe(0);
    p.edit('finetune.yaml', '{ r: 2', '{ r: 3');
    const agreed = await p.build(['--yes', '--ask-after', '0s']);
    expect([agreed.code, agreed.states.adapter]).toEqual([0, 'built']);
    // Back to one that the store has: nothing is repeated.
    p.edit('finetune.yaml', '{ r: 3', '{ r: 2');
    expect((await p.build(['--ask-after', '0s'])).states.adapter).toBe('cached');
  });

  test('a terminal is asked, with what it took and what has changed', async () => {
    const p = await trained();
    p.edit('finetune.yaml', '{ r: 1', '{ r: 2');
    const prompt = 'Train it again? [y/N] ';
    const ask = (answer: string, env: Record<string, string>, args: string[] = []) =>
      onTerminal(p, ['build', '--ask-after', '0s', ...args], { prompt, answer, env });
    const no = await ask('\\n', { NO_COLOR: '1' });
    expect(no.code).toBe(2);
    expect(timeless(no.shown)).toContain(
      'adapter was trained before, in 0.00 s; since then: option r: 1 -> 2\nTrain it again? [y/N] ',
    );
    expect(no.shown).toContain('not-agreed: adapter has been trained before');
    // The end of the input is no agreement either.
    expect((await ask('\\x04', { NO_COLOR: '1' })).code).toBe(2);
    const stopped = await ask('\\x03', { NO_COLOR: '1' });
    expect(stopped.code).toBe(130);
    expect(stopped.shown).toContain('interrupted');
    // In CI, and where programs read the answer, nobody is there to be asked.
    expect((await ask('y\\n', { CI: 'true' })).shown).not.toContain(prompt);
    expect((await ask('y\\n', {}, ['--json'])).shown).not.toContain(prompt);
    const yes = await ask('y\\n', {});
    expect(yes.code).toBe(0);
    expect(yes.shown).toMatch(/adapter +.*built/);
    expect((await p.run(['plan'])).stdout).toMatch(/^nothing to do/);
  });

  test('the live list makes way for the question', async () => {
    const p = training({ 'gate.ts': GATE });
    p.edit('finetune.yaml', 'templates:', '  slow: { uses: ./gate.ts, from: good }\ntemplates:');
    expect((await p.build(['adapter'])).code).toBe(0);
    p.edit('finetune.yaml', '{ r: 1', '{ r: 2');
    // Something else is being built, and drawn, while the question stands.
    p.write({ closed: '' });
    const answered = onTerminal(p, ['build', 'adapter', 'slow', '--ask-after', '0s', '--jobs', '2'], {
      prompt: 'Train it again? [y/N] ',
      answer: 'y\\n',
    });
    await until('the other node', () => p.has('arrived'));
    p.write({ closed: null });
    const { code, shown } = await answered;
    expect(code).toBe(0);
    expect(shown).toContain('Train it again? [y/N] y\n');
  });
});
