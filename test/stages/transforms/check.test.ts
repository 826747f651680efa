import { describe, expect, test } from 'vitest';
import type { CheckCounts, Fields } from '../../../stages/contract.ts';
import check, { type Options } from '../../../stages/transforms/check.ts';
import { type Project, project } from '../../rig/project.ts';
import { row } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const optionsFor = (given: object) => optionsOf<Options>('transforms/check', given);

/** What rules find in rows, and what becomes of the whole: as the engine would count. */
const run = async (rows: readonly Fields[], given: object) => {
  const options = optionsFor(given);
  const state = await check.setup({ options, files: {}, inputs: {} });
  const rules = check.rules(options);
  const counts = rules.map(() => ({ seen: 0, broken: 0 }));
  const keys = new Set<string>();
  const reasons = rows.map((fields, r) => {
    const why: string[] = [];
    for (const [i, finding] of check.look(row(`r${r}`, fields), state).entries()) {
      if (finding === null) continue;
      counts[i]!.seen++;
      let reason = typeof finding === 'string' ? finding : null;
      if (typeof finding === 'object') {
        const key = `${i} ${finding.key}`;
        if (keys.has(key)) reason = finding.again;
        keys.add(key);
      }
      if (reason === null) continue;
      counts[i]!.broken++;
      if (rules[i]!.marks) why.push(reason);
    }
    return why.join('; ');
  });
  const all: CheckCounts = { rows: rows.length, failing: reasons.filter(Boolean).length, rules: counts };
  let verdict: unknown;
  try {
    verdict = check.verdict(all, options);
  } catch (error) {
    verdict = (error as Error).message;
  }
  return { reasons, counts, verdict, report: check.report(all, options) };
};

/** What one rule finds in one row. */
const find = async (fields: Fields, rule: object) => {
  const { reasons, counts } = await run([fields], { rules: [rule] });
  return counts[0]!.seen === 0 ? null : reasons[0] === '' ? true : reasons[0];
};

describe('rules about a field', () => {
  test.each<[object, Fields, true | null | string]>([
    [{ field: 'a', required: true }, { a: 'x' }, true],
    [{ field: 'a', required: true }, {}, 'a: is missing'],
    [{ field: 'a', required: true }, { a: '' }, 'a: is missing'],
    [{ field: 'a', required: true }, { a: null }, 'a: is missing'],
    [{ field: 'a', required: true }, { a: 0 }, true],
    [{ field: 'a', type: 'text' }, {}, null],
    [{ field: 'a', type: 'text' }, { a: 3 }, 'a: is no text: 3'],
    [{ field: 'a', type: 'integer' }, { a: 3.5 }, 'a: is no integer: 3.5'],
    [{ field: 'a', type: 'list' }, { a: [1] }, true],
    [{ field: 'a', type: 'map' }, { a: [1] }, 'a: is no map: [1]'],
    [{ field: 'a', min: 0, max: 1 }, { a: 1.5 }, 'a: 1.5 is above 1'],
    [{ field: 'a', min: 0 }, { a: 'x' }, 'a: is no number: "x"'],
    [{ field: 'a', characters: { min: 3 } }, { a: '👍👍' }, 'a: 2 characters, below 3'],
    [{ field: 'a', words: { max: 2 } }, { a: 'a b c' }, 'a: 3 words, above 2'],
    [{ field: 'm', items: { min: 2 } }, { m: [1] }, 'm: 1 items, below 2'],
    [{ field: 'a', matches: '^\\w+$' }, { a: 'a b' }, 'a: does not match /^\\w+$/u'],
    [{ field: 'a', not_matches: ['x', 'y'] }, { a: 'day' }, 'a: matches /y/u'],
    [{ field: 'a', in: ['x', 1, null] }, { a: 1 }, true],
    [{ field: 'a', in: ['x'] }, { a: 'z' }, 'a: "z" is none of those wanted'],
    [{ field: 'a', not_in: ['z'] }, { a: 'z' }, 'a: is "z"'],
    [{ field: 'a', language: ['es', 'pt'] }, { a: 'El modelo responde sin razonamiento.' }, true],
    [{ field: 'a', language: 'es' }, { a: 'The model answers without reasoning.' }, 'a: is in en'],
    [{ field: 'a', language: 'es' }, { a: 'GPU' }, null],
    [
      { field: 'messages.role', in: ['user', 'assistant'] },
      { messages: [{ role: 'user' }, { role: 'tool' }] },
      'messages.role: "tool" is none of those wanted',
    ],
    [{ field: 'messages.thinking', language: 'fr' }, { messages: [{ role: 'user' }] }, null],
    [{ field: 'a', type: 'text', characters: { min: 2 }, matches: 'x' }, { a: 'xy' }, true],
  ])('%j on %j: %j', async (rule, fields, expected) => expect(await find(fields, rule)).toBe(expected));
});

describe('rules about rows', () => {
  test.each<[object, Fields, true | null | string]>([
    [{ expression: 'length(b) > length(a)' }, { a: 'x', b: 'xy' }, true],
    [{ expression: 'length(b) > length(a)' }, { a: 'x', b: '' }, 'length(b) > length(a): is false'],
    [{ name: 'longer', expression: 'n > 1' }, {}, 'longer: n is missing, which cannot be compared'],
    [{ schema: { type: 'object', required: ['a'] } }, { a: 1 }, true],
    [{ schema: { type: 'object', required: ['a'] } }, {}, "schema: it must have required property 'a'"],
    [
      { schema: { properties: { a: { enum: [1] } } } },
      { a: 2 },
      'schema: a must be equal to one of the allowed values (1)',
    ],
    [{ unique: 'a' }, {}, null],
  ])('%j on %j: %j', async (rule, fields, expected) => expect(await find(fields, rule)).toBe(expected));

  test('of rows with equal values all but the first break uniqueness', async () => {
    const rows = [{ a: 'x', b: 1 }, { a: 'X ', b: 1 }, { a: 'x', b: 2 }, { b: 1 }, { a: 'x', b: 1 }];
    expect((await run(rows, { rules: [{ unique: 'a' }] })).reasons).toEqual([
      '',
      '',
      'a: stands in a row before',
      '',
      'a: stands in a row before',
    ]);
    expect((await run(rows, { rules: [{ unique: ['a', 'b'], normalize: 'case' }] })).reasons).toEqual([
      '',
      'a, b: stands in a row before',
      '',
      '',
      'a, b: stands in a row before',
    ]);
  });
});

describe('the four checks of a Harmony text', () => {
  const text = '<|start|>user<|message|>Hi<|end|><|start|>assistant<|channel|>final<|message|>Hello<|return|>';
  const names = ['has_user_tag', 'has_assistant_tag', 'has_channel_tag', 'has_message_tags'];
  test.each<[string, string, string | null]>([
    ['a rendered conversation', text, null],
    ['no user', text.replace('<|start|>user', '<|start|>developer'), 'text: there is no <|start|>user'],
    ['no assistant', text.slice(0, 33), 'text: there is no <|start|>assistant; text: there is no <|channel|>'],
    [
      'a missing channel',
      text.replace('<|channel|>final', ''),
      'text: a message of the assistant has no channel: <|start|>assistant<|message|>',
    ],
    [
      'a channel missing once',
      `${text}<|start|>assistant<|message|>x<|end|>`,
      'text: a message of the assistant has no channel: <|start|>assistant<|message|>',
    ],
    [
      'a call',
      text.replace('<|start|>assistant<|channel|>final', '<|start|>assistant to=functions.x<|channel|>commentary'),
      null,
    ],
    [
      'a header without a message',
      `${text}<|start|>user`,
      'text: a message has a header and no <|message|>: <|start|>user',
    ],
  ])('%s', async (_, t, expected) => {
    const { reasons, report } = await run([{ text: t }], { rules: [{ format: 'harmony' }] });
    expect(reasons[0] || null).toBe(expected);
    expect((report.rules as { rule: string }[]).map(r => r.rule)).toEqual(names);
  });
});

describe('what passes and what does not', () => {
  const rows = Array.from({ length: 100 }, (_, i) => ({ n: i, lang: i < 30 ? 'fr' : 'en' }));
  const verdict = async (given: object) => (await run(rows, given)).verdict;

  test('all rows must keep a rule, or as many as it says', async () => {
    expect(await verdict({ rules: [{ field: 'n', min: 0 }] })).toEqual({ note: '1 rule: 1 passed', warnings: [] });
    expect(await verdict({ rules: [{ field: 'n', min: 1 }] })).toBe(
      '1 of 1 rules is broken:\n  n is from 1: 1 of 100 rows (1 %) break it',
    );
    expect(await verdict({ rules: [{ field: 'n', min: 1, mostly: 0.99 }] })).toEqual({
      note: '1 rule: 1 passed, 1 row failing',
      warnings: [],
    });
    expect(await verdict({ rules: [{ field: 'n', min: 2 }], mostly: 0.99 })).toBe(
      '1 of 1 rules is broken:\n  n is from 2: 2 of 100 rows (2 %) break it, 1 % may',
    );
  });

  test('a rule that warns lets the build go on', async () => {
    expect(
      await verdict({ rules: [{ name: 'positive', field: 'n', min: 1, severity: 'warn' }, { unique: 'n' }] }),
    ).toEqual({
      note: '2 rules: 1 passed, 1 warned, 1 row failing',
      warnings: ['positive: 1 of 100 rows (1 %) break it'],
    });
  });

  test('shares have bounds on both sides, and no row fails by them', async () => {
    const share = (min: number, max: number) => ({ rules: [{ field: 'lang', in: ['fr'], share: { min, max } }] });
    expect(await verdict(share(0.3, 0.4))).toEqual({ note: '1 rule: 1 passed', warnings: [] });
    expect(await verdict(share(0.35, 0.4))).toBe(
      '1 of 1 rules is broken:\n  lang is one of 1: 30 % of 100 rows keep it, 35 % to 40 % are wanted',
    );
    expect((await run(rows, share(0, 1))).report).toMatchObject({ failing: 0, rules: [{ share: 0.3 }] });
  });

  test('a rule that saw no row says so, and never passes', async () => {
    const { verdict: said, report } = await run(rows, {
      rules: [
        { field: 'nn', min: 0 },
        { field: 'n', min: 0 },
      ],
    });
    expect(said).toEqual({
      note: '2 rules: 1 passed, 1 saw no row',
      warnings: ['nn is from 0: no row was its business'],
    });
    expect(report).toMatchObject({
      result: 'warned',
      rules: [
        { seen: 0, result: 'unseen' },
        { seen: 100, result: 'passed' },
      ],
    });
  });

  test('too few or too many rows fail, too few for the task warn', async () => {
    expect(await verdict({ rows: { min: 101 } })).toBe(
      '1 of 1 rules is broken:\n  number of rows: 100 rows, at least 101 are wanted',
    );
    expect(await verdict({ rows: { max: 99, severity: 'warn' } })).toMatchObject({
      warnings: ['number of rows: 100 rows, at most 99 are wanted'],
    });
    for (const [task, least] of [
      ['faq', '1,000'],
      ['technical', '3,000'],
      ['reasoning', '10,000'],
    ])
      expect(await verdict({ task })).toEqual({
        note: '1 rule: 1 warned',
        warnings: [`enough for ${task}: 100 rows, ${least} are the least for this kind of task`],
      });
    const enough = { rows: 1000, failing: 0, rules: [] };
    expect(check.verdict(enough, optionsFor({ task: 'faq' }))).toEqual({ note: '1 rule: 1 passed', warnings: [] });
  });

  test('a share of neither none nor all is not told as such', async () => {
    const counts: CheckCounts = { rows: 100_000, failing: 1, rules: [{ seen: 100_000, broken: 1 }] };
    expect(() => check.verdict(counts, optionsFor({ rules: [{ unique: 'a' }] }))).toThrow(
      '1 of 100,000 rows (< 0.1 %) break it',
    );
  });
});

describe('rules that cannot be meant are refused', () => {
  test.each<[object, string]>([
    [{ field: 'a' }, 'rule 1 says nothing of its field'],
    [{ field: 'a', unique: 'b' }, 'rule 1 is about unique and about a field: make two of it'],
    [{ name: 'x', unique: 'b', expression: 'a' }, 'rule 1 (x) is about unique and expression: make two of it'],
    [
      { unique: 'b', mostly: 1, share: { min: 0.5 } },
      'rule 1 has mostly and share, which are two ways to say what passes',
    ],
  ])('%j: %s', (rule, message) => {
    const options = optionsFor({ rules: [rule] });
    expect(() => check.rules(options)).toThrow(message);
  });

  test.each<[object, string]>([
    [{ field: 'a', matches: '(' }, 'invalid-pattern'],
    [{ expression: 'a >' }, 'invalid-expression'],
    [{ schema: { type: 'text' } }, 'bad-rule'],
  ])('%j: %s', async (rule, reason) => {
    await expect(run([], { rules: [rule] })).rejects.toMatchObject({ reason });
  });

  test.each([{}, { rules: [] }, { rules: [{}] }, { rules: [{ field: 'a', minimum: 3 }] }])('%j by its schema', given =>
    expect(() => optionsFor(given)).toThrow(),
  );
});

const recipe = (checks: object) => `version: 1
sources:
  rows: { uses: files, with: { paths: rows.jsonl, key: id } }
transforms:
  checked: { uses: check, from: rows, with: ${JSON.stringify(checks)} }
  after: { uses: filter, from: checked, with: { expression: "true" } }
`;

describe('in a build', () => {
  const lines = (rows: readonly Fields[]) => rows.map(fields => JSON.stringify(fields)).join('\n');
  const rows = (n: number): Fields[] =>
    Array.from({ length: n }, (_, i) => ({ id: `r${i}`, text: `Row number ${i}.`, n: i }));
  const checks = {
    rules: [
      { field: 'n', max: 990, mostly: 0.9 },
      { unique: 'text', severity: 'warn' },
    ],
  };

  const failing = async (p: Project) => (await p.rows('checked', 'failing')).map(r => [r.id, r.fields.reason]);

  test('rows go on as they came, failing ones stand beside them, and only changed ones are looked at again', async () => {
    const all = rows(1000);
    const p = project({ 'finetune.yaml': recipe(checks), 'rows.jsonl': lines(all) });
    const first = await p.buildHere();
    expect(first.nodes.checked).toMatchObject({ state: 'built', rows: 1000, computed: 1000 });
    expect(first.digests['checked.rows']).toBe(first.digests['rows.rows']);
    const late = Array.from({ length: 9 }, (_, i) => [`r${991 + i}`, `n: ${991 + i} is above 990`]);
    expect(await failing(p)).toEqual(late);
    all[500] = { id: 'r500', text: 'Row number 3.', n: 2000 };
    p.write({ 'rows.jsonl': lines(all) });
    const second = await p.buildHere();
    expect(second.nodes.checked).toMatchObject({ rows: 1000, computed: 1 });
    expect(await failing(p)).toEqual([['r500', 'n: 2000 is above 990; text: stands in a row before'], ...late]);
    const warnings = second.events.flatMap(e => (e.type === 'warn' ? [e.message] : []));
    expect(warnings).toEqual(['text is unique: 1 of 1,000 rows (0.1 %) break it']);
    // The first of two equal rows goes: the other one is the first now, and stands in a chunk that has not changed.
    all.splice(3, 1);
    p.write({ 'rows.jsonl': lines(all) });
    expect((await p.buildHere()).nodes.checked).toMatchObject({ rows: 999, computed: 0 });
    expect((await failing(p))[0]).toEqual(['r500', 'n: 2000 is above 990']);
    const clean = project({ 'finetune.yaml': recipe(checks), 'rows.jsonl': lines(all) });
    expect((await clean.buildHere()).digests).toEqual((await p.buildHere()).digests);
  });

  test('a broken rule fails the node and what stands below it, and a cached one does so again', async () => {
    const p = project({
      'finetune.yaml': recipe({ ...checks, mostly: 1, rules: [{ field: 'n', max: 5 }] }),
      'rows.jsonl': lines(rows(10)),
    });
    for (const state of ['built', 'cached']) {
      const built = await p.buildHere();
      expect(built.states, state).toMatchObject({ checked: 'failed', after: 'skipped' });
      const failed = built.events.find(e => e.type === 'failed');
      expect(failed).toMatchObject({
        failure: {
          reason: 'check-failed',
          message: '1 of 1 rules is broken:\n  n is up to 5: 4 of 10 rows (40 %) break it',
          advice: expect.stringContaining('npx finetune show checked.failing'),
        },
      });
    }
    expect(await failing(p)).toHaveLength(4);
  });

  test('failing rows are left out on request', async () => {
    const p = project({ 'finetune.yaml': recipe({ ...checks, failing: 'drop' }), 'rows.jsonl': lines(rows(1000)) });
    const { nodes, events } = await p.buildHere();
    expect(nodes.after).toMatchObject({ rows: 991 });
    expect(events.find(e => e.type === 'done' && e.node === 'checked')).toMatchObject({
      note: '2 rules: 2 passed, 9 rows failing',
      metrics: {
        rows: 1000,
        failing: 9,
        result: 'passed',
        rules: [{ rule: 'n is up to 990', seen: 1000, broken: 9 }, { seen: 1000 }],
      },
    });
  });

  test('it has neither rejects nor drops, and takes no mostly of the engine’s', async () => {
    const p = project({
      'finetune.yaml': recipe(checks).replace('from: checked', 'from: checked.dropped'),
      'rows.jsonl': lines(rows(2)),
    });
    await expect(p.buildHere()).rejects.toThrow(/no output "dropped"/);
  });
});
