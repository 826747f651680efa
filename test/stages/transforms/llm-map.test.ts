import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Memo } from '../../../cache/memo.ts';
import type { BuildEvent } from '../../../src/events.ts';
import type { Fields } from '../../../stages/contract.ts';
import llmMap, { type Options } from '../../../stages/transforms/llm-map.ts';
import { type Asked, type LlmServer, llmServer, type Reply } from '../../rig/llm-server.ts';
import { type Here, type Project, project, until } from '../../rig/project.ts';
import { row, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const recipe = (server: LlmServer, more = '', prompt = 'Say {{ text }}') => `version: 1
sources:
  data: { uses: files, with: { paths: data.jsonl, key: id } }
transforms:
  asked: { uses: llm-map, from: data, with: { endpoint: "${server.url}", model: tiny, prompt: "${prompt}"${more} } }
`;

const lines = (n: number, text = (i: number) => `text ${i}`) =>
  Array.from({ length: n }, (_, i) => JSON.stringify({ id: `r${i}`, text: text(i) })).join('\n');

const made = (server: LlmServer, rows: number, more = ''): Project =>
  project({ 'finetune.yaml': recipe(server, more), 'data.jsonl': lines(rows) });

const note = ({ events }: Here): string | undefined =>
  events.flatMap((e: BuildEvent) => (e.type === 'done' && e.node === 'asked' ? [e.note] : []))[0];

/** The stage alone, on one row. */
const one = async (given: object, fields: Fields = { text: 'a b' }, answer?: (asked: Asked) => Reply) => {
  const server = await llmServer(answer);
  const options = optionsOf<Options>('transforms/llm-map', {
    endpoint: server.url,
    model: 'tiny',
    retries: 0,
    ...('messages' in given ? {} : { prompt: '{{ text }}' }),
    ...given,
  });
  const out = await runStage(llmMap, [row('a', fields)], options);
  return { ...out, server, fields: out.rows[0]?.fields, reason: out.rejects[0]?.reason, sent: server.asked[0]?.body };
};

describe('in a build', () => {
  test('each row is asked once, the answer stands in its field, and a second build asks nothing', async () => {
    const server = await llmServer();
    const p = made(server, 300);
    expect(note(await p.buildHere())).toBe('900 + 900 tokens; 300 asked now, 900 + 900 tokens');
    expect(server.asked.length).toBe(300);
    const rows = await p.rows('asked');
    expect(rows.map(r => r.fields.answer)).toEqual(rows.map(r => `SAY ${String(r.fields.text).toUpperCase()}`));
    const again = await p.buildHere();
    expect(again.nodes.asked).toMatchObject({ state: 'cached', computed: 0 });
    expect(note(again)).toBe('900 + 900 tokens');
    expect(server.asked.length).toBe(300);
  });

  test('after an edit only the changed row is asked, and a revert asks nothing', async () => {
    const server = await llmServer();
    const p = made(server, 300);
    await p.buildHere();
    p.edit('data.jsonl', '"text 77"', '"another good one"');
    const edited = await p.buildHere();
    expect(edited.nodes.asked).toMatchObject({ state: 'built', computed: 1, rows: 300 });
    expect(note(edited)).toBe('901 + 901 tokens; 1 asked now, 4 + 4 tokens');
    expect(server.asked.at(-1)!.prompt).toBe('Say another good one');
    p.edit('data.jsonl', '"another good one"', '"text 77"');
    await p.buildHere();
    expect(server.asked.length).toBe(301);
  });

  test('an equal question is asked once, wherever its rows stand, also while it is being asked', async () => {
    const server = await llmServer();
    const p = project({ 'finetune.yaml': recipe(server), 'data.jsonl': lines(1000, i => `text ${i % 10}`) });
    const built = await p.buildHere();
    expect(server.asked.length).toBe(10);
    expect(built.nodes.asked).toMatchObject({ rows: 1000, computed: 1000 });
    expect((await p.rows('asked')).filter(r => r.fields.answer === 'SAY TEXT 3').length).toBe(100);
  });

  test('a field that the question does not name may change', async () => {
    const server = await llmServer();
    const p = made(server, 20);
    await p.buildHere();
    p.write({ 'data.jsonl': p.read('data.jsonl').replaceAll('"text":', '"new":1,"text":') });
    await p.buildHere();
    expect(server.asked.length).toBe(20);
    expect((await p.rows('asked'))[0]!.fields).toMatchObject({ new: 1, answer: 'SAY TEXT 0' });
  });

  test('where and how fast is not in the key; what is written is, and still asks nothing', async () => {
    const server = await llmServer();
    const p = made(server, 20, ', into: answer');
    await p.buildHere();
    const elsewhere = await llmServer();
    const set = [`transforms.asked.with.endpoint=${elsewhere.url}`];
    for (const more of [
      'concurrency=3',
      'requests_per_minute=10',
      'tokens_per_minute=10',
      'timeout=3',
      'retries=0',
      'api_key=other',
    ])
      set.push(`transforms.asked.with.${more}`);
    expect((await p.buildHere({ set })).states.asked).toBe('cached');
    p.edit('finetune.yaml', 'into: answer', 'into: other');
    const renamed = await p.buildHere();
    expect(note(renamed)).toBe('60 + 60 tokens; nothing asked');
    expect((await p.rows('asked'))[0]!.fields.other).toBe('SAY TEXT 0');
    expect([server.asked.length, elsewhere.asked.length]).toEqual([20, 0]);
  });

  test.each([
    'model=large',
    'revision=2',
    'temperature=0.5',
    'seed=3',
    'system=Be brief',
    'prompt="Say it: {{ text }}"',
    'body={ top_k: 4 }',
  ])('another %s asks everything anew', async set => {
    const server = await llmServer();
    const p = made(server, 5);
    await p.buildHere();
    await p.buildHere({ set: [`transforms.asked.with.${set}`] });
    expect(server.asked.length).toBe(10);
  });

  test('no more than `concurrency` requests are under way, over all chunks and workers, and no fewer where there is work', async () => {
    const all = Promise.withResolvers<void>();
    const server = await llmServer(async ({ prompt, number }) => {
      if (number === 40) all.resolve();
      await all.promise;
      return prompt;
    });
    const p = made(server, 1500, ', concurrency: 40');
    await p.buildHere({ jobs: 2 });
    expect(server.most).toBe(40);
    expect(server.asked.length).toBe(1500);
  });

  test('answers that come in another order give the same result', async () => {
    const slow = await llmServer(async ({ prompt, number }) => {
      await new Promise(r => setTimeout(r, (number * 7) % 13));
      return prompt;
    });
    const fast = await llmServer(({ prompt }) => prompt);
    const [a, b] = [made(slow, 400, ', concurrency: 64'), made(fast, 400, ', concurrency: 1')];
    const [first, second] = [await a.buildHere(), await b.buildHere({ jobs: 2 })];
    expect(first.digests['asked.rows']).toBe(second.digests['asked.rows']);
  });

  test('after edits and with rejects the result is that of a clean build', async () => {
    const server = await llmServer(({ prompt }) => (prompt.endsWith('7') ? { refusal: 'no', content: null } : prompt));
    const p = made(server, 400, ', mostly: 0.5');
    await p.buildHere();
    const edited = lines(400)
      .split('\n')
      .flatMap((line, i) =>
        i % 50 === 3 ? [] : i % 70 === 5 ? [line.replace('text', 'new'), line.replace('"r', '"s')] : [line],
      )
      .join('\n');
    p.write({ 'data.jsonl': edited });
    const again = await p.buildHere();
    const clean = made(server, 0, ', mostly: 0.5');
    clean.write({ 'data.jsonl': edited });
    expect((await clean.buildHere()).digests).toEqual(again.digests);
    expect(note(again)!.split(';')[0]).toBe(note(await clean.buildHere()));
  });

  test('a build that is killed pays for no answer twice', async () => {
    let release = (): void => {};
    const gate = new Promise<void>(resolve => (release = resolve));
    const server = await llmServer(async ({ prompt, number }) => {
      if (number > 500) await gate;
      return prompt;
    });
    const p = made(server, 800);
    const killed = p.start(['build']);
    // Eight are under way and never answered; an answer is kept milliseconds after it has come.
    const kept = () => {
      if (!p.has('.finetune/memo.db')) return 0;
      const memo = new Memo(p.path('.finetune'));
      const { answers } = memo.size();
      memo.close();
      return answers;
    };
    await until('500 answers to be kept', () => server.asked.length === 508 && kept() === 500);
    killed.kill('SIGKILL');
    await killed.done;
    release();
    const built = await p.build();
    expect(built.nodes.asked).toMatchObject({ state: 'built', rows: 800 });
    const times = new Map<string, number>();
    for (const { prompt } of server.asked) times.set(prompt, (times.get(prompt) ?? 0) + 1);
    expect(times.size).toBe(800);
    // Only those that were never answered are asked for twice.
    const twice = server.asked.filter(a => times.get(a.prompt)! > 1).map(a => a.number);
    expect(twice.filter(n => n <= 500)).toEqual([]);
    expect(server.asked.length).toBe(808);
  });

  test('rows that the server could not answer now are rejects, and the next build asks only them', async () => {
    let well = false;
    const server = await llmServer(({ prompt }) =>
      well || Number(prompt.split(' ')[2]) % 10 !== 0
        ? prompt
        : { status: 500, body: { error: { message: 'out of order' } } },
    );
    const p = made(server, 50, ', retries: 0, mostly: 0.5');
    const first = await p.buildHere();
    expect(first.nodes.asked).toMatchObject({ state: 'built', rows: 45 });
    const rejects = await p.rows('asked', 'rejects');
    expect(rejects.length).toBe(5);
    expect(rejects[0]!.fields).toMatchObject({ reason: 'out of order (status 500)', transient: true });
    well = true;
    server.asked.length = 0;
    const second = await p.buildHere();
    expect(second.nodes.asked).toMatchObject({ state: 'built', rows: 50, computed: 5 });
    expect(server.asked.length).toBe(5);
  });

  test('what a server will never answer is asked once, and stays a reject', async () => {
    const server = await llmServer(({ prompt }) =>
      prompt === 'Say text 3' ? { content: 'I', finish: 'length' } : prompt,
    );
    const p = made(server, 20, ', mostly: 0.5');
    expect((await p.buildHere()).nodes.asked).toMatchObject({ rows: 19 });
    p.edit('data.jsonl', '"text 7"', '"seven"');
    expect((await p.buildHere()).nodes.asked).toMatchObject({ rows: 19, computed: 1 });
    expect(server.asked.length).toBe(21);
    // It has cost its tokens all the same.
    expect(note(await p.buildHere())).toBe('59 + 57 tokens, 1 rejected');
  });

  test('a key that is wrong fails the node at once, and what has been answered is kept', async () => {
    const server = await llmServer(({ prompt, number }) =>
      number > 100 ? { status: 401, body: { error: { message: 'no' } } } : prompt,
    );
    const p = made(server, 1000);
    const failed = await p.buildHere();
    expect(failed.states.asked).toBe('failed');
    expect(failed.events.find(e => e.type === 'failed')).toMatchObject({ failure: { reason: 'llm-denied' } });
    expect(server.asked.length).toBeLessThan(120);
    const before = server.asked.length;
    server.answer = ({ prompt }) => prompt;
    await p.buildHere();
    expect(server.asked.length).toBe(before + 900);
  });

  test('the key is in no key, record, log or reject, also when the server repeats it', async () => {
    const secret = 'sk-very-secret-0123456789';
    const server = await llmServer(({ headers, prompt }) =>
      prompt.endsWith('1')
        ? { status: 400, body: { error: { message: `${headers.authorization} is not allowed this` } } }
        : prompt,
    );
    const p = made(server, 20, ', mostly: 0, api_key: "${env:LLM_KEY}"');
    const built = await p.build([], { env: { LLM_KEY: secret } });
    expect(built.states.asked).toBe('built');
    expect(server.asked[0]!.headers.authorization).toBe(`Bearer ${secret}`);
    expect((await p.rows('asked', 'rejects'))[0]!.fields.reason).toContain('Bearer *** is not allowed this');
    expect(built.stdout + built.stderr).not.toContain(secret);
    for (const file of p.files()) expect(readFileSync(p.path(file)).includes(secret), file).toBe(false);
    // Another key is no other result.
    expect((await p.build([], { env: { LLM_KEY: 'another-key' } })).states.asked).toBe('cached');
    expect((await p.build()).states.asked).toBe('cached');
  });

  test('--force asks again, each question once, and the new answers count from then on', async () => {
    const server = await llmServer(({ prompt }) => `${prompt} one`);
    const p = project({ 'finetune.yaml': recipe(server), 'data.jsonl': lines(200, i => `text ${i % 50}`) });
    await p.buildHere();
    server.answer = ({ prompt }) => `${prompt} two`;
    await p.buildHere({ force: ['asked'] });
    expect(server.asked.length).toBe(100);
    p.write({ 'data.jsonl': lines(100, i => `text ${i % 50}`) });
    p.edit('finetune.yaml', 'model: tiny', 'model: tiny, into: other');
    await p.buildHere();
    expect(server.asked.length).toBe(100);
    expect((await p.rows('asked'))[0]!.fields.other).toBe('Say text 0 two');
  });

  test('the lock file pins what was answered, but not while rows are to be asked again', async () => {
    let well = false;
    const server = await llmServer(({ prompt }) => (well || !prompt.endsWith('7') ? prompt : { status: 500 }));
    const p = made(server, 20, ', retries: 0, mostly: 0.5');
    await p.build();
    expect(p.has('finetune.lock') ? p.read('finetune.lock') : '').not.toContain('asked');
    well = true;
    await p.build();
    expect(p.read('finetune.lock')).toMatch(/asked.*result\.rows/);
    expect((await p.build(['--locked'])).states.asked).toBe('cached');
    p.edit('finetune.yaml', 'Say', 'Tell');
    expect((await p.build(['--locked'])).reasons).toEqual(['lock-drift']);
  });

  test('costs are told where prices are', async () => {
    const server = await llmServer();
    const p = made(server, 100, ', prices: { input: 1000, output: 2000 }');
    expect(note(await p.buildHere())).toBe('300 + 300 tokens, $0.9000; 100 asked now, 300 + 300 tokens, $0.9000');
  });
});

describe('the request', () => {
  test('holds the messages and what the recipe says, and nothing else', async () => {
    const { sent, server } = await one(
      {
        ...{ system: 'You are {{ who }}.', messages: 'chat', prompt: 'And {{ text }}?', temperature: 0.2, top_p: 0.9 },
        ...{ max_tokens: 50, seed: 7, stop: ['\n'], reasoning_effort: 'low', body: { top_k: 3 } },
      },
      {
        text: 'why',
        who: 'a cat',
        chat: [
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: 'Ho', extra: 1 },
        ],
      },
    );
    expect(server.asked[0]!.path).toBe('/v1/chat/completions');
    expect(sent).toEqual({
      model: 'tiny',
      messages: [
        { role: 'system', content: 'You are a cat.' },
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Ho' },
        { role: 'user', content: 'And why?' },
      ],
      ...{ temperature: 0.2, top_p: 0.9, max_tokens: 50, seed: 7, stop: ['\n'], reasoning_effort: 'low', top_k: 3 },
    });
    expect((await one({})).sent).toEqual({ model: 'tiny', messages: [{ role: 'user', content: 'a b' }] });
  });

  test('calls the length of an answer as the server wants it', async () => {
    const { server, fields } = await one({ max_tokens: 9 }, { text: 'x' }, ({ body }) =>
      body.max_completion_tokens === 9
        ? 'well'
        : {
            status: 400,
            body: { error: { message: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead." } },
          },
    );
    expect(server.asked.length).toBe(2);
    expect(fields).toEqual({ text: 'x', answer: 'well' });
  });

  test('a template may loop, ask whether a field is there, and give a default', async () => {
    const prompt =
      "{% for w in words %}{{ loop.index }}{{ w }} {% endfor %}{% if more %}{{ more }}{% endif %}{{ other | default('none') }} {{ fields['odd name'] }}";
    const { sent } = await one({ prompt }, { words: ['a', 'b'], 'odd name': 3 });
    expect(sent!.messages[0]!.content).toBe('1a 2b none 3');
  });

  test.each([
    [{ prompt: '{{ txt }}' }, '`prompt` names the field "txt", which this row does not have'],
    [
      { system: 'x', prompt: '{{ text.upper() }} {{ title }}' },
      '`prompt` names the field "title", which this row does not have',
    ],
    [{ messages: 'text' }, 'field "text" is no list of messages with "role" and "content"'],
  ])('%j on a row without it is a reject', async (given, reason) => {
    const out = await one(given);
    expect(out.reason).toBe(reason);
    expect(out.rejects[0]!.transient).toBe(false);
    expect(out.server.asked.length).toBe(0);
  });

  test.each([
    [{ prompt: '{% if %}' }, 'bad-prompt'],
    [{ prompt: '{{ strftime_now("%Y") }}' }, 'bad-prompt'],
    [{ schema: { type: 'nonsense' } }, 'bad-schema'],
    [{ endpoint: 'here' }, 'bad-endpoint'],
  ])('%j fails the node', async (given, reason) => {
    await expect(one(given)).rejects.toMatchObject({ reason });
  });
});

describe('an answer', () => {
  test.each<[Reply, string]>([
    [{ refusal: 'I cannot help with that', content: null }, 'the model refuses: I cannot help with that'],
    [{ content: 'A', finish: 'length' }, 'the answer was cut off: it is longer than max_tokens, or than the model can'],
    [{ content: '', finish: 'content_filter' }, "the answer was held back by the server's content filter"],
    [{ content: ' \n' }, 'the answer is empty'],
    [{ status: 200, body: { choices: [] } }, 'the server answers with something that is not a chat completion'],
    [
      { status: 400, body: { error: { message: 'too long' } } },
      'the server refuses the request: too long (status 400)',
    ],
  ])('%j is a reject', async (reply, reason) => {
    const out = await one({}, { text: 'x' }, () => reply);
    expect(out.reason).toBe(reason);
    expect(out.rejects[0]!.transient).toBe(false);
  });

  test('what the model thought stands in a field of its own', async () => {
    const { fields } = await one({ reasoning_into: 'analysis' }, { text: 'x' }, () => ({
      content: 'y',
      reasoning: 'hm',
    }));
    expect(fields).toEqual({ text: 'x', answer: 'y', analysis: 'hm' });
    expect((await one({ reasoning_into: 'analysis' })).fields).toMatchObject({ analysis: null });
  });
});

describe('with a schema', () => {
  const schema = {
    type: 'object',
    properties: { label: { enum: ['good', 'bad'] }, why: { type: 'string' } },
    required: ['label', 'why'],
    additionalProperties: false,
  };
  const good = '{"label":"good","why":"it is"}';

  test('the answer becomes fields, and the server is told of it', async () => {
    const { fields, sent } = await one({ schema }, { text: 'x' }, () => good);
    expect(fields).toEqual({ text: 'x', label: 'good', why: 'it is' });
    expect(sent!.response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'answer', schema, strict: true },
    });
    expect((await one({ schema, into: 'all' }, { text: 'x' }, () => good)).fields).toEqual({
      text: 'x',
      all: { label: 'good', why: 'it is' },
    });
  });

  test.each([`\`\`\`json\n${good}\n\`\`\``, `<think>Is it {good}?</think>\n\n${good}`, ` ${good}\n`])(
    '%j is read',
    async content => {
      expect((await one({ schema }, { text: 'x' }, () => content)).fields).toMatchObject({ label: 'good' });
    },
  );

  test('a value that is no object is asked for in one', async () => {
    const { fields, sent } = await one(
      { schema: { type: 'array', items: { type: 'integer' } } },
      { text: 'x' },
      () => '{"answer":[1,2]}',
    );
    expect(fields).toEqual({ text: 'x', answer: [1, 2] });
    expect(sent!.response_format).toMatchObject({ json_schema: { schema: { required: ['answer'] } } });
  });

  test('what does not fit is told to the model, which may mend it', async () => {
    const { fields, server, lineage } = await one({ schema }, { text: 'x' }, ({ number }) =>
      number === 1 ? '{"label":"fine"}' : good,
    );
    expect(fields).toMatchObject({ label: 'good' });
    const [, told] = server.asked;
    expect(told!.body.messages.map(m => m.role)).toEqual(['user', 'assistant', 'user']);
    expect(told!.prompt).toMatch(
      /^That cannot be used: it must have required property 'why'; label must be equal to one of the allowed values \("good", "bad"\)\. Answer again/,
    );
    const sent = (m: readonly { content: string }[]) => m.flatMap(x => x.content.split(/\s+/)).filter(Boolean).length;
    expect(lineage[0]).toEqual({
      spent: { input_tokens: sent(server.asked[0]!.body.messages) + sent(told!.body.messages), output_tokens: 3 },
    });
  });

  test('what is not mended in time is a reject', async () => {
    const { reason, server } = await one({ schema, repairs: 1 }, { text: 'x' }, () => 'no JSON');
    expect(reason).toBe('the answer does not fit the schema, mended once: it is not JSON');
    expect(server.asked.length).toBe(2);
    expect((await one({ schema, repairs: 0 }, { text: 'x' }, () => '{"label":"good","why":1}')).reason).toBe(
      'the answer does not fit the schema: why must be string',
    );
  });

  test('a server that does not know schemas is told in words', async () => {
    const { fields, server } = await one({ schema, system: 'Judge.' }, { text: 'x' }, ({ body }) =>
      body.response_format ? { status: 400, body: { error: { message: 'response_format is not supported' } } } : good,
    );
    expect(fields).toMatchObject({ label: 'good' });
    expect(server.asked.map(a => (a.body.response_format as { type?: string } | undefined)?.type)).toEqual([
      'json_schema',
      'json_object',
      undefined,
    ]);
    expect(server.asked[2]!.body.messages[0]!.content).toMatch(
      /^Judge\.\n\nAnswer with JSON only.*"enum":\["good","bad"\]/s,
    );
  });

  test('of a list each item becomes a row', async () => {
    const pairs = { type: 'array', items: { type: 'object', properties: { q: { type: 'string' } }, required: ['q'] } };
    const given = {
      schema: { type: 'object', properties: { pairs }, required: ['pairs'] },
      each: 'pairs',
      carry: ['title'],
    };
    const { rows, lineage } = await one(
      given,
      { text: 'x', title: 'T' },
      () => '{"pairs":[{"q":"one"},{"q":"two"},{"q":"two"}]}',
    );
    expect(rows.map(r => [r.parent, r.fields])).toEqual([
      ['a', { title: 'T', q: 'one' }],
      ['a', { title: 'T', q: 'two' }],
      ['a', { title: 'T', q: 'two' }],
    ]);
    expect(new Set(rows.map(r => r.id)).size).toBe(3);
    expect(lineage[1]).toEqual({ from: ['a'] });
    const none = await one(given, { text: 'x' }, () => '{"pairs":[]}');
    // It has cost its tokens all the same.
    expect(none.dropped).toMatchObject([
      { reason: 'the answer is an empty list', at: { spent: { input_tokens: 1, output_tokens: 1 } } },
    ]);
  });
});

test.each([
  { model: 'm', prompt: 'x' },
  { endpoint: 'http://x', prompt: 'x' },
  { endpoint: 'http://x', model: 'm' },
  { endpoint: 'http://x', model: 'm', prompt: 'x', each: 'a' },
])('%j is refused', given => expect(() => optionsOf('transforms/llm-map', given)).toThrow());
