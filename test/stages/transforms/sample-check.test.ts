import { describe, expect, test } from 'vitest';
import type { BuildEvent } from '../../../src/events.ts';
import { wilson } from '../../../stages/transforms/sample-check/wilson.ts';
import sampleCheck, { type Options } from '../../../stages/transforms/sample-check.ts';
import { type Asked, llmServer, type Reply } from '../../rig/llm-server.ts';
import { type Here, project } from '../../rig/project.ts';
import { row, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const GOOD = '{"good":true,"why":""}';
const BAD = '{"good":false,"why":"broken off"}';

const judged = async (given: object, texts: readonly string[], answer: (asked: Asked) => Reply = () => GOOD) => {
  const server = await llmServer(answer);
  const options = optionsOf<Options>('transforms/sample-check', {
    endpoint: server.url,
    model: 'judge',
    retries: 0,
    ...given,
  });
  const rows = texts.map((text, i) =>
    row(`r${i}`, { text, label: i % 2 ? 'odd' : 'even', ...(i % 3 ? {} : { augmented: 'swap' }) }),
  );
  return { ...(await runStage(sampleCheck, rows, options)), server };
};

const many = Array.from({ length: 1000 }, (_, i) => `text ${i}`);

test('only a share of the rows is judged, the same ones each time, and all others pass', async () => {
  const { rows, server } = await judged({}, many);
  expect(rows.map(r => r.fields.text)).toEqual(many);
  expect(server.asked.length).toBeGreaterThan(70);
  expect(server.asked.length).toBeLessThan(130);
  const prompts = (s: typeof server) => s.asked.map(a => a.prompt);
  expect(prompts((await judged({}, many)).server)).toEqual(prompts(server));
  const more = prompts((await judged({ share: 0.2 }, many)).server);
  for (const p of prompts(server)) expect(more).toContain(p);
  expect(prompts((await judged({ seed: 1 }, many)).server)).not.toEqual(prompts(server));
  expect(server.asked[0]!.body.seed).toBeUndefined();
});

test('a row that the judge finds bad is a reject, with its reason', async () => {
  const { rows, rejects, server } = await judged({ share: 1 }, ['a', 'b'], ({ prompt }) =>
    prompt.includes('"a"') ? BAD : GOOD,
  );
  expect(rows.map(r => r.id)).toEqual(['r1']);
  expect(rejects).toMatchObject([{ reason: 'the judge disagrees: broken off', transient: false }]);
  expect(rejects[0]!.at!.spent).toMatchObject({ judged: 1, disagreed: 1 });
  expect(server.asked[0]!.prompt).toContain('{"text": "a", "label": "even", "augmented": "swap"}');
  expect(server.asked[0]!.body.response_format).toMatchObject({ type: 'json_schema' });
});

test('an answer is asked for again and compared with the field that holds it', async () => {
  const given = { share: 1, expect: 'label', prompt: 'Is {{ text }} even or odd?' };
  const { rows, rejects } = await judged(given, ['a', 'b', 'c'], ({ prompt }) =>
    prompt.includes('b') ? ' Odd.\n' : 'even or odd',
  );
  expect(rows.map(r => r.id)).toEqual(['r1']);
  expect(rejects[0]!.reason).toBe('the judge disagrees: "even or odd", not "even"');
  const none = await judged({ ...given, expect: 'other' }, ['a']);
  expect(none.rejects[0]!.reason).toBe('there is no field "other" to compare with');
});

test('only rows with a certain field are judged, where the recipe says so', async () => {
  expect((await judged({ share: 1, having: 'augmented' }, ['a', 'b', 'c', 'd'])).server.asked.length).toBe(2);
});

test('a judge that cannot be asked rejects the row for now', async () => {
  const { rejects } = await judged({ share: 1 }, ['a'], () => ({ status: 503 }));
  expect(rejects).toMatchObject([{ reason: 'status 503', transient: true }]);
});

describe('in a build', () => {
  const made = async (more: string, bad: number) => {
    const server = await llmServer(({ prompt }) => (Number(/"n": (\d+)/.exec(prompt)![1]) < bad ? BAD : GOOD));
    const p = project({
      'finetune.yaml': `version: 1
sources:
  data: { uses: files, with: { paths: data.jsonl, key: n } }
transforms:
  checked: { uses: sample-check, from: data, with: { endpoint: "${server.url}", model: j, share: 1, mostly: 0${more} } }
`,
      'data.jsonl': Array.from({ length: 50 }, (_, n) => JSON.stringify({ n })).join('\n'),
    });
    return { p, server };
  };
  const note = ({ events }: Here) =>
    events.flatMap((e: BuildEvent) => (e.type === 'done' && e.node === 'checked' ? [e.note] : []))[0];

  test('the note says how many rows are likely to be bad', async () => {
    const { p } = await made('', 3);
    const built = await p.buildHere();
    expect(built.nodes.checked!.rows).toBe(47);
    expect(note(built)).toMatch(
      /^3 of 50 judged are bad: 6\.0 %, of all rows 2\.1 % to 16\.2 %; [\d,]+ \+ \d+ tokens, 3 rejected; 50 asked now/,
    );
  });

  test('more than the limit fails the node; moving the limit asks nothing', async () => {
    const { p, server } = await made(', limit: 0.05', 3);
    const failed = await p.buildHere();
    expect(failed.events.find(e => e.type === 'failed')).toMatchObject({
      failure: {
        reason: 'too-many-disagree',
        message: '3 of 50 judged are bad: 6.0 %, of all rows 2.1 % to 16.2 %; the limit is 5.0 %',
      },
    });
    p.edit('finetune.yaml', 'limit: 0.05', 'limit: 0.06');
    expect((await p.buildHere()).states.checked).toBe('built');
    expect(server.asked.length).toBe(50);
  });
});

test('the interval is the one in the books', () => {
  // Newcombe 1998, table I: 15 of 148, and 1 of 29.
  expect(wilson(15, 148).map(x => x.toFixed(4))).toEqual(['0.0624', '0.1605']);
  expect(wilson(1, 29).map(x => x.toFixed(4))).toEqual(['0.0061', '0.1718']);
  expect(wilson(0, 20)[0]).toBe(0);
  expect(wilson(20, 20)[1]).toBe(1);
});

test.each([
  [{}],
  [{ endpoint: 'http://x', model: 'm', share: 0 }],
  [{ endpoint: 'http://x', model: 'm', expect: 'label' }],
])('%j is refused', given => expect(() => optionsOf('transforms/sample-check', given)).toThrow());
