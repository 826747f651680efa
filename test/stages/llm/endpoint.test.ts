import { describe, expect, test } from 'vitest';
import { forgetful } from '../../../src/engine/outside.ts';
import { type EndpointOptions, openEndpoint } from '../../../stages/llm/endpoint.ts';
import { type Clock, Gate, Unavailable } from '../../../stages/llm/gate.ts';
import { Refused } from '../../../stages/llm/reply.ts';
import { type LlmServer, llmServer, type Reply } from '../../rig/llm-server.ts';
import { nowhere } from '../../rig/servers.ts';

/** Time in which every wait is over at once, and noted. */
const hasty = () => {
  const waits: number[] = [];
  let now = 0;
  const clock: Clock = {
    now: () => now,
    after: (ms, call) => {
      waits.push(ms);
      now += ms;
      const timer = setImmediate(call);
      return () => clearImmediate(timer);
    },
    random: () => 1,
  };
  return { clock, waits };
};

const open = (server: Pick<LlmServer, 'url'>, options: Partial<EndpointOptions> = {}, signal = forgetful.signal) => {
  const { clock, waits } = hasty();
  const endpoint = openEndpoint(
    { endpoint: server.url, model: 'tiny', concurrency: 4, timeout: 5, retries: 3, ...options },
    { ...forgetful, signal },
    { time: clock, gate: new Gate(clock) },
  );
  const ask = () =>
    endpoint
      .ask('chat/completions', { model: 'tiny', messages: [] }, { tokens: 1, cost: () => 1 })
      .catch((e: Error) => e);
  return { ask, waits };
};

/** Gives these replies one after another, then the last one for ever. */
const script =
  (...replies: readonly Reply[]) =>
  ({ number }: { number: number }): Reply =>
    replies[Math.min(number, replies.length) - 1]!;

test('trouble that passes is waited out, twice as long each time', async () => {
  const server = await llmServer(script({ status: 500 }, null, { status: 503 }, 'well'));
  const { ask, waits } = open(server);
  expect(await ask()).toMatchObject({ choices: [{ message: { content: 'well' } }] });
  expect(server.asked.length).toBe(4);
  expect(waits).toEqual([500, 1000, 2000]);
});

test('trouble that stays makes the server unavailable, with what it last said', async () => {
  const server = await llmServer(() => ({ status: 502, body: { error: { message: 'no upstream' } } }));
  const failed = await open(server).ask();
  expect(failed).toBeInstanceOf(Unavailable);
  expect((failed as Error).message).toBe('no upstream (status 502) (asked 4 times)');
});

test('where nobody listens, and what does not answer in time, is trouble that passes', async () => {
  const none = await open({ url: `http://127.0.0.1:${await nowhere()}/v1` }, { retries: 0 }).ask();
  expect(none).toEqual(new Unavailable('nobody listens there (ECONNREFUSED)'));
  const mute = await llmServer(() => new Promise<Reply>(() => {}));
  const late = await open(mute, { retries: 0, timeout: 0.05 }).ask();
  expect(late).toEqual(new Unavailable('no answer within 0.05 s'));
});

test.each([
  ['retry-after-ms', '120', 120],
  ['retry-after', '3', 3000],
])('a busy server says when: %s: %s', async (name, value, wait) => {
  const server = await llmServer(script({ status: 429, headers: { [name]: value } }, 'well'));
  const { ask, waits } = open(server, { retries: 0 });
  expect(await ask()).toMatchObject({ choices: [{}] });
  expect(waits[0]).toBe(wait);
});

test('a busy server may say when as a date', async () => {
  const server = await llmServer(
    script({ status: 429, headers: { 'retry-after': new Date(Date.now() + 60_000).toUTCString() } }, 'well'),
  );
  const { ask, waits } = open(server);
  await ask();
  expect(waits[0]).toBeGreaterThan(57_000);
  expect(waits[0]).toBeLessThanOrEqual(60_000);
});

test('a server that wants us to come back in an hour is not waited for', async () => {
  const server = await llmServer(() => ({ status: 429, headers: { 'retry-after': '3600' } }));
  expect(await open(server).ask()).toBeInstanceOf(Unavailable);
  expect(server.asked.length).toBe(1);
});

test('a server that is busy for ever is asked 21 times', async () => {
  const server = await llmServer(() => ({ status: 429 }));
  expect(await open(server, { retries: 0 }).ask()).toBeInstanceOf(Unavailable);
  expect(server.asked.length).toBe(21);
});

describe('an error in an answer of status 200, as gateways give it,', () => {
  test('counts as the status it names', async () => {
    const server = await llmServer(
      script(
        { status: 200, body: { error: { code: 429, message: 'slow down' } } },
        { status: 200, body: { error: { code: 400, message: 'too long' } } },
      ),
    );
    const failed = await open(server).ask();
    expect(failed).toBeInstanceOf(Refused);
    expect((failed as Error).message).toBe('the server refuses the request: too long (status 400)');
  });
});

test.each([
  [401, { error: { message: 'Incorrect API key provided' } }, 'llm-denied', 'Incorrect API key provided'],
  [404, { error: { message: 'The model does not exist' } }, 'llm-not-found', 'no model "tiny"'],
  [429, { error: { message: 'You exceeded your quota', code: 'insufficient_quota' } }, 'llm-no-money', 'quota'],
  [302, '', 'bad-endpoint', 'sends us elsewhere'],
])('status %d is trouble with all requests', async (status, body, reason, words) => {
  const server = await llmServer(() => ({ status, body }));
  const { ask } = open(server, { concurrency: 1, api_key: 'key-1234' });
  const failed = await Promise.all([ask(), ask(), ask()]);
  for (const error of failed) expect(error).toMatchObject({ reason, message: expect.stringContaining(words) });
  expect(server.asked.length).toBe(1);
});

test('what moderation does not let through is trouble with one request', async () => {
  const server = await llmServer(() => ({
    status: 403,
    body: { error: { message: 'Your input was flagged by moderation' } },
  }));
  expect(await open(server).ask()).toBeInstanceOf(Refused);
});

test.each([
  ['{"detail":"prompt is too long"}', 'prompt is too long (status 422)'],
  ['{"detail":[{"loc":["body"],"msg":"bad"}]}', '[{"loc":["body"],"msg":"bad"}] (status 422)'],
  ['{"error":"no such thing"}', 'no such thing (status 422)'],
  ['<html>\n  oops </html>', '<html> oops </html> (status 422)'],
  ['', 'status 422'],
])('the server is quoted: %s', async (body, words) => {
  const server = await llmServer(() => ({ status: 422, body }));
  expect(await open(server).ask()).toEqual(new Refused(422, `the server refuses the request: ${words}`));
});

test('an answer that is no JSON is trouble that passes', async () => {
  const server = await llmServer(script({ status: 200, body: '<html>wait</html>' }, 'well'));
  expect(await open(server).ask()).toMatchObject({ choices: [{}] });
});

test('the key goes along as a bearer token, and headers as they are', async () => {
  const server = await llmServer();
  await open(server, { api_key: 'key-1234', headers: { 'api-version': '7' } }).ask();
  expect(server.asked[0]!.headers).toMatchObject({ authorization: 'Bearer key-1234', 'api-version': '7' });
});

test.each([
  ['/v1', '/v1/chat/completions'],
  ['/v1/', '/v1/chat/completions'],
  ['/v1/chat/completions', '/v1/chat/completions'],
  ['/v1?api-version=2', '/v1/chat/completions?api-version=2'],
])('an endpoint that ends in %s is asked at %s', async (end, path) => {
  const server = await llmServer();
  await open({ url: server.url.replace('/v1', end) }).ask();
  expect(server.asked[0]!.path).toBe(path);
});

test.each(['localhost:8000/v1', 'not an address', 'http://user:key@localhost/v1', 'file:///v1'])(
  '%s is no endpoint',
  url => {
    expect(() => open({ url })).toThrow(expect.objectContaining({ reason: 'bad-endpoint' }));
  },
);

test('when the build is given up, requests under way are', async () => {
  const server = await llmServer(() => new Promise<Reply>(() => {}));
  const stop = new AbortController();
  const { ask } = open(server, { concurrency: 1 }, stop.signal);
  const asked = [ask(), ask()];
  setTimeout(() => stop.abort(new Error('given up')), 20);
  expect(await Promise.all(asked)).toEqual([new Error('given up'), new Error('given up')]);
});
